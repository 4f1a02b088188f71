//! Cycles of a trial, estimated: every instruction that the emulator ran, at its price in the core's reference manual.
//!
//! Emulators count instructions, not cycles. The estimate tells whether a kernel that runs fewer instructions runs fewer
//! cycles as well; it is no measurement. Assumed are one instruction at a time, memory without wait states, and
//!
//! | instruction | Cortex-M3 | M4, M7, M33, M55 | M0+ |
//! |---|---|---|---|
//! | load or store of one register | 2 | 2 | 2 |
//! | of N registers (`ldm`, `ldrd`, `push` …) | N + 1 | N + 1 | N + 1 |
//! | `mla`, `mls` | 2 | 1 | – |
//! | 64-bit product | 4 | 1 | – |
//! | division | 7 | 7 | – |
//! | branch taken | 3 | 3 | 2 |
//! | vector instruction | – | 2 (M55) | – |
//! | anything else, the single-cycle multiplier of M0+ among it | 1 | 1 | 1 |
//!
//! Sources: the technical reference manuals DDI 0337 (M3), DDI 0439 (M4), DDI 0484 (M0+), whose pipelines merge
//! neighbouring loads; M7 issues two instructions at once and M55 overlaps vector loads with multiplications, so the
//! estimate is too high there.

use std::fs::File;
use std::io::{BufReader, Read};

use fude_runtime::trial::TrialBuilder;

use super::trace::{self, FLAGS, Pricing};
use super::{Started, TrialsError};
use crate::device::board::Board;

/// What a core's pipeline asks for.
#[derive(Clone, Copy)]
struct Prices {
    multiply_accumulate: u64,
    long_product: u64,
    /// On top of a branch's own cycle where it is taken.
    taken: u64,
}

impl Prices {
    fn of(core: &str) -> Self {
        match core {
            "cortex-m3" => Self { multiply_accumulate: 2, long_product: 4, taken: 2 },
            "cortex-m0" | "cortex-m0plus" => Self { multiply_accumulate: 1, long_product: 1, taken: 1 },
            _ => Self { multiply_accumulate: 1, long_product: 1, taken: 2 },
        }
    }
}

impl Pricing for Prices {
    fn of_branch_taken(&self) -> u64 {
        self.taken
    }

    fn of_instruction(&self, mnemonic: &str, operands: &str) -> u64 {
        let is_one_of = |names: &[&str]| names.iter().any(|name| mnemonic.starts_with(name));
        let registers = || operands.split_once('{').map_or(1, |(_, list)| list.split(',').count() as u64);
        if is_one_of(&["ldm", "stm", "push", "pop"]) {
            1 + registers()
        } else if is_one_of(&["ldrd", "strd"]) {
            3
        } else if is_one_of(&["ldr", "str", "tbb", "tbh", "v", "."]) {
            // What the disassembler does not know starts with a dot: vector instructions.
            2
        } else if is_one_of(&["smull", "umull", "smlal", "umlal"]) {
            self.long_product
        } else if is_one_of(&["mla", "mls"]) {
            self.multiply_accumulate
        } else if is_one_of(&["sdiv", "udiv"]) {
            7
        } else {
            1
        }
    }
}

/// Estimates the cycles of `trial` on `board`; nothing where its emulator does not say what it runs.
///
/// # Errors
/// [`TrialsError`].
pub fn estimate(board: &Board, trial: &TrialBuilder) -> Result<Option<u64>, TrialsError> {
    let failed = |source| TrialsError::Io { board: board.name.clone(), source };
    let log = tempfile::NamedTempFile::new().map_err(failed)?;
    let mut traced = board.clone();
    let Some(emulator) = traced.emulator.as_mut().filter(|emulator| emulator.program.starts_with("qemu")) else {
        return Ok(None);
    };
    let path = log.path().display().to_string();
    emulator.arguments.extend(["-d", FLAGS, "-D", &path].map(String::from));
    let bytes = trial.write(board.weights).map_err(|problem| TrialsError::Arrange { index: 0, problem })?;
    let mut started = Started::new(&traced, &bytes, false)?;
    started.line.read_to_string(&mut String::new()).map_err(failed)?;
    // Killed, it would leave the end of its log unwritten.
    started.emulator.wait()?;
    let log = BufReader::new(File::open(log.path()).map_err(failed)?);
    Ok(trace::sums(log, Prices::of(&board.core)).map_err(failed)?.pop())
}
