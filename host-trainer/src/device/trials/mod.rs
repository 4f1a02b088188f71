//! Layers by themselves on an emulated board: what kernels cost there and whether they give the oracle's bytes.

pub mod benchmark;
pub mod cycles;
pub mod description;
pub mod linux;
mod trace;

use std::io::{self, Read, Write};
use std::net::TcpStream;

use fude_runtime::layout::{ArrangeError, WeightLayout};
use fude_runtime::package::CRC32;
use fude_runtime::trial::{Kernel, TrialBuilder};
use rayon::prelude::*;
use tempfile::NamedTempFile;

use super::board::{Board, BoardError};
use super::emulator::{Emulator, EmulatorError};
use super::firmware::built;

/// Zeros behind the trials: no trial starts so, and the board ends there.
const END_BYTES: usize = 64;

/// What a board made of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Instructions from the first layer to the last, in whole ticks of the board's counter.
    pub instructions: u64,
    /// Bytes of stack that it took.
    pub stack: u32,
    /// CRC-32 of the last layer's output.
    pub hash: u32,
}

/// Why trials cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TrialsError {
    /// There is no such board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// There is no image.
    #[error("no image that runs layers by themselves on {board}: build it with `firmware/build.sh {board} kernels`")]
    NotBuilt {
        /// The board.
        board: String,
    },
    /// The emulator cannot be run.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The board's layout cannot hold the weights.
    #[error("trial {index}: {problem}")]
    Arrange {
        /// Which.
        index: usize,
        /// Why.
        problem: ArrangeError,
    },
    /// A file or the line failed.
    #[error("the trials of {board}: {source}")]
    Io {
        /// The board.
        board: String,
        /// Why.
        source: io::Error,
    },
    /// The emulator does not count instructions.
    #[error("the board {board:?} does not count instructions: see [counter] and [emulator] in its board.toml")]
    NotCounting {
        /// The board.
        board: String,
    },
    /// The output is not the oracle's.
    #[error("{board} computed another output for trial {trial} than the oracle")]
    Output {
        /// The board.
        board: String,
        /// Which.
        trial: String,
    },
    /// The board did not answer for every trial.
    #[error("{board} answered {line:?} where the result of trial {index} was expected; build its image again")]
    Answer {
        /// The board.
        board: String,
        /// Which.
        index: usize,
        /// What it wrote.
        line: String,
    },
}

/// The hash that a board must report.
pub fn expected_hash(trial: &TrialBuilder) -> u32 {
    CRC32.checksum(&trial.expected())
}

/// A line on `count` random trials of `kernel`, of which those of the seeds `differing` gave another output than the oracle's.
pub fn summary(kernel: Kernel, count: u64, differing: &[u64]) -> String {
    let first: Vec<String> = differing.iter().take(5).map(u64::to_string).collect();
    let which = if first.is_empty() { String::new() } else { format!(": seeds {} …", first.join(", ")) };
    format!("{kernel:?}: {} of {count} random trials differ from the oracle{which}", differing.len())
}

/// Draws `count` trials of `kernel` and returns the seeds of those whose output on `board` is not the oracle's.
///
/// # Errors
/// [`TrialsError`].
pub fn differing(board: &Board, kernel: Kernel, count: u64) -> Result<Vec<u64>, TrialsError> {
    differing_by(board.weights, kernel, count, |trials| {
        Ok(run(board, board.weights, trials)?.iter().map(|outcome| outcome.hash).collect())
    })
}

/// As [`differing`], on whatever `hashes` runs trials on.
fn differing_by(
    layout: WeightLayout,
    kernel: Kernel,
    count: u64,
    hashes: impl Fn(&[TrialBuilder]) -> Result<Vec<u32>, TrialsError>,
) -> Result<Vec<u64>, TrialsError> {
    let drawn: Vec<(TrialBuilder, u32)> = (0..count)
        .into_par_iter()
        .map(|seed| {
            let trial = kernel.draw(seed, layout);
            let hash = expected_hash(&trial);
            (trial, hash)
        })
        .collect();
    let (trials, expected): (Vec<TrialBuilder>, Vec<u32>) = drawn.into_iter().unzip();
    let found = hashes(&trials)?;
    Ok((0..count)
        .zip(found.iter().zip(&expected))
        .filter(|(_, (found, hash))| found != hash)
        .map(|(seed, _)| seed)
        .collect())
}

/// Runs `trials` on `board`, whose image `firmware/build.sh BOARD kernels` has built, in as many starts as its model
/// partition needs. `layout` is the board's own unless its image was built for another.
///
/// # Errors
/// [`TrialsError`].
pub fn run(board: &Board, layout: WeightLayout, trials: &[TrialBuilder]) -> Result<Vec<Outcome>, TrialsError> {
    let room = board.memory.as_ref().map_or(u64::MAX, |memory| memory.model.size) as usize - END_BYTES;
    let mut outcomes = Vec::with_capacity(trials.len());
    let mut written = Vec::new();
    let mut pending = 0;
    let mut flush = |written: &mut Vec<u8>, pending: &mut usize| -> Result<(), TrialsError> {
        let mut text = String::new();
        let mut started = Started::new(board, written, true)?;
        started
            .line
            .read_to_string(&mut text)
            .map_err(|source| TrialsError::Io { board: board.name.clone(), source })?;
        let mut lines = text.lines();
        for _ in 0..*pending {
            let (index, line) = (outcomes.len(), lines.next().unwrap_or_default());
            outcomes.push(parse(board, line).ok_or_else(|| TrialsError::Answer {
                board: board.name.clone(),
                index,
                line: line.to_owned(),
            })?);
        }
        written.clear();
        *pending = 0;
        Ok(())
    };
    board.instructions(1).ok_or_else(|| TrialsError::NotCounting { board: board.name.clone() })?;
    for (index, trial) in trials.iter().enumerate() {
        let bytes = trial.write(layout).map_err(|problem| TrialsError::Arrange { index, problem })?;
        if pending > 0 && written.len() + bytes.len() > room {
            flush(&mut written, &mut pending)?;
        }
        written.extend_from_slice(&bytes);
        pending += 1;
    }
    if pending > 0 {
        flush(&mut written, &mut pending)?;
    }
    Ok(outcomes)
}

/// A board that runs trials, for as long as this lives.
struct Started {
    line: TcpStream,
    emulator: Emulator,
    _trials: NamedTempFile,
}

impl Started {
    /// Starts the board's image with these trials in the model partition.
    fn new(board: &Board, trials: &[u8], counting: bool) -> Result<Self, TrialsError> {
        let failed = |source| TrialsError::Io { board: board.name.clone(), source };
        let image = built(&format!("{}-kernels", board.name));
        let image = image.ok_or_else(|| TrialsError::NotBuilt { board: board.name.clone() })?;
        let mut file = NamedTempFile::new().map_err(failed)?;
        file.write_all(trials).and_then(|()| file.write_all(&[0; END_BYTES])).map_err(failed)?;
        let mut emulator = Emulator::start(board, &image, file.path(), counting)?;
        Ok(Self { line: emulator.line()?, emulator, _trials: file })
    }
}

/// `INDEX TICKS STACK HASH`.
fn parse(board: &Board, line: &str) -> Option<Outcome> {
    let mut words = line.split_whitespace().skip(1);
    let ticks = words.next()?.parse().ok()?;
    let stack = words.next()?.parse().ok()?;
    let hash = u32::from_str_radix(words.next()?, 16).ok()?;
    Some(Outcome { instructions: board.instructions(ticks)?, stack, hash })
}
