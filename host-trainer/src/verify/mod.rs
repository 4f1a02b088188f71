//! Comparing boards with the host, byte for byte.
//!
//! The host recognises every glyph once (`host.rs`); each board then recognises them all, several
//! boards side by side, and every layer's hash, the logits and the answers are held against the host's.

mod host;

use std::ops::Range;

use fude_firmware::app::exit;
use fude_firmware::link::message::Image;
use fude_runtime::limits::MAX_TOP_K;
use rayon::prelude::*;
use serde::Serialize;

use crate::budget::{self, BudgetError};
use crate::dataset::Glyph;
use crate::device::board::{Board, Status};
use crate::device::emulator::EmulatorError;
use crate::device::firmware::Firmware;
use crate::device::link::LinkError;
use crate::device::{Device, DeviceError};
use crate::evaluate::TestSet;
use crate::package::{LaidOut, PackageFile, PackingError};
use host::HostAnswer;

/// Glyphs on which instructions are counted: exact counting slows the emulator, and the count of one glyph
/// differs from another's only by the size of its picture.
const COUNTED: usize = 4;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Glyphs compared on each board.
    pub n: usize,
    /// Samples left out because the model does not know their class.
    pub skipped: usize,
    /// Share of labelled glyphs that the host recognised; `None` without labels.
    pub host_top1: Option<f64>,
    /// Each board, in the order in which they were named.
    pub boards: Vec<BoardReport>,
}

/// What came of one board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoardReport {
    /// Name of the board.
    pub board: String,
    /// How the board ran.
    pub status: Status,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: BoardOutcome,
}

/// A comparison, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BoardOutcome {
    /// The board answered for every glyph.
    Compared(Comparison),
    /// The package, or a picture, is more than the board has room for, or a budget.
    TooSmall {
        /// What there is too little of, in the board's own words where it has any.
        too_small: String,
    },
    /// The board could not be used.
    Failed {
        /// Why, and what to do.
        error: String,
    },
}

/// A board held against the host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Glyphs for which any byte of the logits, any layer's hash or any answer differed.
    pub mismatches: usize,
    /// The first glyph that differed.
    pub first_mismatch: Option<Mismatch>,
    /// Share of labelled glyphs that the board recognised; `None` without labels.
    pub top1: Option<f64>,
    /// Mean instructions a glyph, normalising included, where the board can count them.
    pub instructions_per_glyph: Option<u64>,
}

/// Where a board differed from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Index of the glyph.
    pub glyph: usize,
    /// The first layer whose output differed; `None` where only the answer did.
    pub layer: Option<usize>,
}

impl BoardReport {
    /// The comparison, if one was made.
    pub fn comparison(&self) -> Option<&Comparison> {
        match &self.outcome {
            BoardOutcome::Compared(comparison) => Some(comparison),
            BoardOutcome::TooSmall { .. } | BoardOutcome::Failed { .. } => None,
        }
    }
}

/// A board with its image.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The board.
    pub board: &'a Board,
    /// Its image.
    pub firmware: &'a Firmware,
}

impl Target<'_> {
    /// Whether the board may run `package`, by its memory and its budget; else what came of it.
    fn admits(&self, package: &PackageFile) -> Result<(), BoardOutcome> {
        let check = || {
            let laid_out = PackageFile::new(&package.repacked(self.board.weights)?, package.path())?;
            budget::check(self.board, Some(self.firmware.path()), &laid_out)
        };
        match check() {
            Ok(_) => Ok(()),
            Err(error @ BudgetError::Broken { .. }) => Err(BoardOutcome::TooSmall { too_small: error.to_string() }),
            Err(error) => Err(BoardOutcome::Failed { error: error.to_string() }),
        }
    }
}

/// Recognises every glyph of `set` on the host and on each of `targets`; calls `progress` once a glyph and board.
///
/// # Errors
/// [`PackingError`] where the package cannot be run here. What goes wrong on a board is in its report.
pub fn verify(
    targets: &[Target<'_>],
    package: &PackageFile,
    set: &TestSet,
    progress: impl Fn() + Sync,
) -> Result<Verification, PackingError> {
    let host = host::recognize_all(package, &set.glyphs)?;
    let admitted: Vec<Result<(), BoardOutcome>> = targets.iter().map(|target| target.admits(package)).collect();
    let running: Vec<Target<'_>> =
        targets.iter().zip(&admitted).filter(|(_, admitted)| admitted.is_ok()).map(|(target, _)| *target).collect();
    let laid_out: Result<Vec<LaidOut>, _> =
        running.iter().map(|target| package.laid_out(target.board.weights)).collect();
    let work = Work { targets: &running, packages: &laid_out?, glyphs: &set.glyphs, host: &host, progress: &progress };
    let mut parts = work.run();
    let mut next = 0..;
    let boards = targets.iter().zip(admitted).map(|(target, admitted)| {
        let outcome = admitted.err().unwrap_or_else(|| {
            let index = next.next();
            let parts = parts.extract_if(.., |part| Some(part.job.target) == index).collect();
            match summarise(target.board, parts, set) {
                Ok(comparison) => BoardOutcome::Compared(comparison),
                Err(error) => outcome_of(error),
            }
        });
        BoardReport { board: target.board.name.clone(), status: target.board.status, outcome }
    });
    Ok(Verification {
        n: set.glyphs.len(),
        skipped: set.skipped,
        boards: boards.collect(),
        host_top1: top1(set, host.iter().map(HostAnswer::first)),
    })
}

/// Glyphs for one emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    /// Index of the board.
    target: usize,
    glyphs: Range<usize>,
    /// Whether instructions are counted.
    counting: bool,
}

/// A board's answer to one glyph.
struct BoardAnswer {
    first: Option<u16>,
    mismatch: Option<Mismatch>,
    ticks: u64,
}

/// What came of a job.
struct Part {
    job: Job,
    answers: Result<Vec<BoardAnswer>, DeviceError>,
}

/// What all emulators share.
struct Work<'a, P> {
    targets: &'a [Target<'a>],
    /// The package for each of them.
    packages: &'a [LaidOut],
    glyphs: &'a [Glyph],
    host: &'a [HostAnswer],
    progress: &'a P,
}

impl<P: Fn() + Sync> Work<'_, P> {
    /// Runs all jobs, as many at a time as there are cores; their parts in order.
    fn run(&self) -> Vec<Part> {
        let counting: Vec<bool> = self.targets.iter().map(|target| target.board.counts_instructions()).collect();
        let jobs = jobs(&counting, self.glyphs.len(), rayon::current_num_threads());
        jobs.into_par_iter().map(|job| Part { answers: self.run_job(&job), job }).collect()
    }

    fn run_job(&self, job: &Job) -> Result<Vec<BoardAnswer>, DeviceError> {
        let Target { board, firmware } = self.targets[job.target];
        let package = &self.packages[job.target];
        let mut device = Device::boot(board, firmware, package.path(), job.counting)?;
        device.check_model(package.model())?;
        let mut answers = Vec::with_capacity(job.glyphs.len());
        for glyph in job.glyphs.clone() {
            let Glyph { width, height, pixels } = &self.glyphs[glyph];
            let image = Image { width: *width, height: *height, pixels, top_k: MAX_TOP_K as u8 };
            let reply = device.recognize(image)?;
            answers.push(BoardAnswer {
                first: reply.top.first().map(|candidate| candidate.class),
                mismatch: self.host[glyph].difference(&reply).map(|layer| Mismatch { glyph, layer }),
                ticks: reply.ticks,
            });
            (self.progress)();
        }
        device.shutdown()?;
        Ok(answers)
    }
}

/// Cuts the glyphs of each board into jobs: the first few apart where the board is `counting`, and the rest into as
/// many parts as keep all `workers` busy.
fn jobs(counting: &[bool], glyphs: usize, workers: usize) -> Vec<Job> {
    let parts = workers.div_ceil(counting.len().max(1));
    let of_board = |(target, &counting): (usize, &bool)| {
        let counted = if counting { glyphs.min(COUNTED) } else { 0 };
        let first = (counted > 0).then_some(Job { target, glyphs: 0..counted, counting: true });
        let length = (glyphs - counted).div_ceil(parts).max(1);
        let rest = (counted..glyphs).step_by(length).map(move |start| Job {
            target,
            glyphs: start..glyphs.min(start + length),
            counting: false,
        });
        first.into_iter().chain(rest)
    };
    counting.iter().enumerate().flat_map(of_board).collect()
}

/// Puts the parts of one board together.
fn summarise(board: &Board, parts: Vec<Part>, set: &TestSet) -> Result<Comparison, DeviceError> {
    let mut answers = Vec::with_capacity(set.glyphs.len());
    let (mut ticks, mut counted) = (0, 0);
    for part in parts {
        let part_answers = part.answers?;
        if part.job.counting {
            ticks += part_answers.iter().map(|answer| answer.ticks).sum::<u64>();
            counted += part_answers.len() as u64;
        }
        answers.extend(part_answers);
    }
    Ok(Comparison {
        mismatches: answers.iter().filter(|answer| answer.mismatch.is_some()).count(),
        first_mismatch: answers.iter().find_map(|answer| answer.mismatch),
        top1: top1(set, answers.iter().map(|answer| answer.first)),
        instructions_per_glyph: board.instructions(ticks).and_then(|instructions| instructions.checked_div(counted)),
    })
}

/// Share of the labelled glyphs whose class is the answer; `None` without labels.
fn top1(set: &TestSet, answers: impl Iterator<Item = Option<u16>>) -> Option<f64> {
    let labelled = set.truth.iter().zip(answers).filter_map(|(truth, answer)| truth.map(|truth| (truth, answer)));
    let hits: Vec<bool> = labelled.map(|(truth, answer)| answer.map(u32::from) == Some(truth)).collect();
    (!hits.is_empty()).then(|| hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64)
}

fn outcome_of(error: DeviceError) -> BoardOutcome {
    match &error {
        DeviceError::Ended { code, log } if [exit::ARENA, exit::CAPACITY].map(i32::from).contains(code) => {
            let too_small = log.last().map_or_else(|| error.to_string(), |line| line.text.clone());
            BoardOutcome::TooSmall { too_small }
        }
        DeviceError::Emulator(EmulatorError::PackageTooLarge { .. })
        | DeviceError::Link(LinkError::ImageTooLarge { .. }) => BoardOutcome::TooSmall { too_small: error.to_string() },
        _ => BoardOutcome::Failed { error: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_glyph_is_in_one_job_of_each_board() {
        for (boards, glyphs, workers) in [(1, 1000, 2), (1, 1, 4), (3, 17, 2), (2, 5, 16), (7, 3, 2), (1, 4, 2)] {
            for counts in [true, false] {
                let jobs = jobs(&vec![counts; boards], glyphs, workers);
                for board in 0..boards {
                    let of_board: Vec<&Job> = jobs.iter().filter(|job| job.target == board).collect();
                    let places: Vec<usize> = of_board.iter().flat_map(|job| job.glyphs.clone()).collect();
                    assert!(places.into_iter().eq(0..glyphs), "{jobs:?}");
                    let counted: usize = of_board.iter().filter(|job| job.counting).map(|job| job.glyphs.len()).sum();
                    assert_eq!(counted, if counts { glyphs.min(COUNTED) } else { 0 });
                }
                assert!(jobs.iter().all(|job| !job.glyphs.is_empty()), "{jobs:?}");
            }
        }
    }

    #[test]
    fn one_board_occupies_every_core() {
        assert_eq!(jobs(&[false], 100, 4).len(), 4);
        assert_eq!(jobs(&[false; 4], 100, 4).len(), 4);
    }

    #[test]
    fn only_labelled_glyphs_count() {
        let set = TestSet { truth: vec![Some(1), None, Some(2)], ..TestSet::default() };
        assert_eq!(top1(&set, [Some(1), Some(7), None].into_iter()), Some(0.5));
        assert_eq!(top1(&TestSet::default(), std::iter::empty()), None);
    }
}
