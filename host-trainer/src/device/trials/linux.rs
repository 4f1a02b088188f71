//! Trials under 64-bit Linux, in QEMU's user mode: a program runs them, and its instructions between two marks are counted.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use fude_runtime::layout::WeightLayout;
use fude_runtime::trial::{Kernel, TrialBuilder};
use tempfile::NamedTempFile;

use super::trace::{self, FLAGS, Instructions};
use super::{END_BYTES, TrialsError, differing_by};
use crate::device::emulator::EmulatorError;
use crate::device::firmware::built;

/// The emulator.
const QEMU: &str = "qemu-aarch64";
/// The board whose program runs trials; one program is for all cores.
const BOARD: &str = "rpi-linux";

/// A core of a Raspberry Pi.
#[derive(Debug)]
pub struct Core {
    /// What tables and records call it.
    pub name: &'static str,
    /// The emulator's name for it.
    pub cpu: &'static str,
    /// As Linux has it in `/proc/cpuinfo` (`CPU part`), where the emulator shows the host's.
    pub part: &'static str,
    /// How weights lie for the kernels that it runs.
    pub weights: WeightLayout,
}

/// The Raspberry Pi 3 and Zero 2 W, and the Pi 5. A Pi 4 runs the instructions of the first.
pub const CORES: [Core; 2] = [
    Core { name: "a53", cpu: "cortex-a53", part: "0xd03", weights: WeightLayout::Neon },
    Core { name: "a76", cpu: "cortex-a76", part: "0xd0b", weights: WeightLayout::Dot },
];

/// The CRC-32 of each trial's output on `core`, and where `counting` the instructions of each.
///
/// # Errors
/// [`TrialsError`].
pub fn run(core: &Core, trials: &[TrialBuilder], counting: bool) -> Result<(Vec<u32>, Vec<u64>), TrialsError> {
    let program = built(&format!("{BOARD}-kernels")).ok_or_else(|| TrialsError::NotBuilt { board: BOARD.into() })?;
    let failed = |source| TrialsError::Io { board: BOARD.into(), source };
    let mut file = NamedTempFile::new().map_err(failed)?;
    for (index, trial) in trials.iter().enumerate() {
        let bytes = trial.write(core.weights).map_err(|problem| TrialsError::Arrange { index, problem })?;
        file.write_all(&bytes).map_err(failed)?;
    }
    file.write_all(&[0; END_BYTES]).map_err(failed)?;
    let command = [program.as_os_str(), file.path().as_os_str()];
    let (text, instructions) = run_program(core, &command, &[], counting)?;
    if counting && instructions.len() != trials.len() {
        let problem = format!("the log of {QEMU} has {} of {} trials", instructions.len(), trials.len());
        return Err(failed(io::Error::other(problem)));
    }
    let mut lines = text.lines();
    let hashes = (0..trials.len()).map(|index| {
        let line = lines.next().unwrap_or_default();
        u32::from_str_radix(line, 16).map_err(|_| TrialsError::Answer {
            board: BOARD.into(),
            index,
            line: line.to_owned(),
        })
    });
    Ok((hashes.collect::<Result<_, _>>()?, instructions))
}

/// As [`super::differing`], on `core`.
///
/// # Errors
/// [`TrialsError`].
pub fn differing(core: &Core, kernel: Kernel, count: u64) -> Result<Vec<u64>, TrialsError> {
    differing_by(core.weights, kernel, count, |trials| Ok(run(core, trials, false)?.0))
}

/// Runs a `command`, a program for AArch64 and its arguments, on `core`; returns its standard output and, where `counting`,
/// how many instructions it ran between each call of its function `trial_begins` and the next of `trial_ends`.
///
/// # Errors
/// [`TrialsError`].
pub fn run_program(
    core: &Core,
    command: &[&OsStr],
    environment: &[(&str, &str)],
    counting: bool,
) -> Result<(String, Vec<u64>), TrialsError> {
    let failed = |source| TrialsError::Io { board: core.cpu.into(), source };
    let mut emulator = Command::new(QEMU);
    emulator.args(["-cpu", core.cpu]);
    if counting {
        // To standard error: the log of a long program would fill a disk.
        emulator.args(["-d", FLAGS]);
    }
    emulator.args(command).envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
    if counting {
        emulator.stderr(Stdio::piped());
    }
    let mut child = emulator.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => EmulatorError::Missing { program: QEMU.into() }.into(),
        _ => failed(error),
    })?;
    let log = child.stderr.take();
    let output = child.stdout.take();
    let (text, sums) = thread::scope(|scope| {
        let sums = scope.spawn(|| log.map_or(Ok(Vec::new()), |log| trace::sums(BufReader::new(log), Instructions)));
        let mut text = String::new();
        let read = output.map_or(Ok(0), |mut output| output.read_to_string(&mut text));
        (read.map(|_| text), sums.join().unwrap_or_else(|_| Err(io::Error::other("its log could not be read"))))
    });
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        let program = command.first().map_or_else(String::new, |program| Path::new(program).display().to_string());
        return Err(failed(io::Error::other(format!("{program} failed: {status}"))));
    }
    Ok((text.map_err(failed)?, sums.map_err(failed)?))
}
