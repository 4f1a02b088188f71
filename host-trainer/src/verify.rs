//! Comparing a board with the host, byte for byte.

use std::thread;

use fude_firmware::link::message::{Image, Recognition};
use fude_runtime::kernels::Answer;
use fude_runtime::limits::MAX_TOP_K;
use fude_runtime::package::CRC32;
use fude_runtime::profile::LayerObserver;
use fude_runtime::recognizer::Recognizer;
use serde::Serialize;
use thiserror::Error;

use crate::dataset::Glyph;
use crate::device::board::{Board, Status};
use crate::device::firmware::Firmware;
use crate::device::{Device, DeviceError};
use crate::evaluate::{TestSet, image_of};
use crate::package::{PackageFile, PackingError};

/// Glyphs on which instructions are counted: exact counting slows the emulator, and the count of one glyph
/// differs from another's only by the size of its picture.
const COUNTED: usize = 4;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Name of the board.
    pub board: String,
    /// How the board ran.
    pub status: Status,
    /// Glyphs compared.
    pub n: usize,
    /// Samples left out because the model does not know their class.
    pub skipped: usize,
    /// Glyphs for which any byte of the logits, any layer's hash or any answer differed.
    pub mismatches: usize,
    /// Share of labelled glyphs that the host recognised; `None` without labels.
    pub host_top1: Option<f64>,
    /// Share of labelled glyphs that the board recognised; `None` without labels.
    pub board_top1: Option<f64>,
    /// Mean instructions a glyph, normalising included, where the board can count them.
    pub instructions_per_glyph: Option<u64>,
    /// The first glyph that differed.
    pub first_mismatch: Option<Mismatch>,
}

/// Where a board differed from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Index of the glyph.
    pub glyph: usize,
    /// The first layer whose output differed; `None` where only the answer did.
    pub layer: Option<usize>,
}

/// Why a comparison cannot be made.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The package cannot be run here.
    #[error(transparent)]
    Package(#[from] PackingError),
    /// The board cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// A board with an image and a package.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The board.
    pub board: &'a Board,
    /// Its image.
    pub firmware: &'a Firmware,
    /// The package.
    pub package: &'a PackageFile,
}

/// Recognises every glyph of `set` on the host and on the board.
///
/// # Errors
/// [`VerifyError`]; a difference is no error but counted.
pub fn verify(target: Target<'_>, set: &TestSet, progress: impl Fn() + Sync) -> Result<Verification, VerifyError> {
    let instructions_per_glyph = count_instructions(target, &set.glyphs)?;
    let boards = thread::available_parallelism().map_or(1, usize::from);
    let per_board = set.glyphs.len().div_ceil(boards).max(1);
    let progress = &progress;
    let parts: Result<Vec<Vec<Pair>>, VerifyError> = thread::scope(|scope| {
        let parts = set.glyphs.chunks(per_board);
        let workers: Vec<_> = parts.map(|glyphs| scope.spawn(move || compare(target, glyphs, progress))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker never panics")).collect()
    });
    let pairs: Vec<Pair> = parts?.into_iter().flatten().collect();

    let share = |answer: fn(&Pair) -> Option<u16>| {
        let labelled = set.truth.iter().zip(&pairs).filter_map(|(truth, pair)| truth.map(|truth| (truth, pair)));
        let hits = labelled.clone().filter(|(truth, pair)| answer(pair).map(u32::from) == Some(*truth)).count();
        let count = labelled.count();
        (count > 0).then(|| hits as f64 / count as f64)
    };
    let differing = |pair: &Pair| pair.difference.is_some();
    let first = pairs.iter().position(differing);
    Ok(Verification {
        board: target.board.name.clone(),
        status: target.board.status,
        n: pairs.len(),
        skipped: set.skipped,
        mismatches: pairs.iter().filter(|pair| differing(pair)).count(),
        host_top1: share(|pair| pair.host),
        board_top1: share(|pair| pair.board),
        instructions_per_glyph,
        first_mismatch: first.map(|glyph| Mismatch { glyph, layer: pairs[glyph].difference.flatten() }),
    })
}

/// The first answers of host and board, and where they differed: at a layer, or in the answer only.
struct Pair {
    host: Option<u16>,
    board: Option<u16>,
    difference: Option<Option<usize>>,
}

fn compare(target: Target<'_>, glyphs: &[Glyph], progress: &impl Fn()) -> Result<Vec<Pair>, VerifyError> {
    let package = target.package.open()?;
    let mut arena = vec![0; package.arena_bytes()];
    let mut host = Recognizer::new(package, &mut arena).map_err(PackingError::from)?;
    let mut device = Device::boot(target.board, target.firmware, target.package.path(), false)?;
    let mut pairs = Vec::with_capacity(glyphs.len());
    for glyph in glyphs {
        let mut hashes = LayerHashes::default();
        let answers = host.recognize_observed(&image_of(glyph)?, MAX_TOP_K, &mut hashes).map_err(PackingError::from)?;
        let reply = device.recognize(message(glyph))?;

        pairs.push(Pair {
            host: answers.first().map(|answer| answer.class),
            board: reply.top.first().map(|candidate| candidate.class),
            difference: difference(&hashes.0, &answers, host.logits(), &reply),
        });
        progress();
    }
    device.shutdown()?;
    Ok(pairs)
}

/// Where the board's reply differs from what the host computed, as [`Pair::difference`] has it.
fn difference(hashes: &[u32], answers: &[Answer], logits: &[u8], reply: &Recognition<'_>) -> Option<Option<usize>> {
    let layer = differing_layer(hashes, reply);
    let same_answers = answers.len() == reply.top.len()
        && answers.iter().zip(&reply.top).all(|(a, b)| (a.class, a.score) == (b.class, b.score));
    let same = layer.is_none() && same_answers && logits == reply.output;
    (!same).then_some(layer)
}

fn differing_layer(hashes: &[u32], reply: &Recognition<'_>) -> Option<usize> {
    if hashes.len() != reply.layers.hashes.len() {
        return Some(hashes.len().min(reply.layers.hashes.len()));
    }
    hashes.iter().zip(&reply.layers.hashes).position(|(host, board)| host != board)
}

/// Mean instructions of the first few glyphs, where the board's emulator counts exactly.
fn count_instructions(target: Target<'_>, glyphs: &[Glyph]) -> Result<Option<u64>, VerifyError> {
    let glyphs = &glyphs[..glyphs.len().min(COUNTED)];
    if !target.board.counts_instructions() || glyphs.is_empty() {
        return Ok(None);
    }
    let mut device = Device::boot(target.board, target.firmware, target.package.path(), true)?;
    let mut ticks = 0;
    for glyph in glyphs {
        ticks += device.recognize(message(glyph))?.ticks;
    }
    device.shutdown()?;
    Ok(target.board.instructions(ticks).map(|instructions| instructions / glyphs.len() as u64))
}

fn message(glyph: &Glyph) -> Image<'_> {
    Image { width: glyph.width, height: glyph.height, pixels: &glyph.pixels, top_k: MAX_TOP_K as u8 }
}

/// The checksum of every layer's output, as the board computes it.
#[derive(Default)]
struct LayerHashes(Vec<u32>);

impl LayerObserver for LayerHashes {
    fn after(&mut self, _index: usize, output: &[u8]) {
        self.0.push(CRC32.checksum(output));
    }
}

#[cfg(test)]
mod tests {
    use fude_firmware::link::message::{Candidate, Layers};

    use super::*;

    const HASHES: [u32; 3] = [11, 22, 33];
    const ANSWERS: [(u16, i16); 2] = [(7, 900), (2, -5)];
    const LOGITS: [u8; 4] = [1, 2, 3, 4];

    /// The difference between a host that computed the constants above and a board that replied so.
    fn difference_from(hashes: &[u32], answers: &[(u16, i16)], logits: &[u8]) -> Option<Option<usize>> {
        let reply = Recognition {
            top: answers.iter().map(|&(class, score)| Candidate { class, score }).collect(),
            output: logits,
            layers: Layers { hashes: hashes.iter().copied().collect(), ..Layers::default() },
            ticks: 0,
        };
        difference(&HASHES, &ANSWERS.map(|(class, score)| Answer { class, score }), &LOGITS, &reply)
    }

    #[test]
    fn the_same_bytes_are_no_difference() {
        assert_eq!(difference_from(&HASHES, &ANSWERS, &LOGITS), None);
    }

    #[test]
    fn the_first_layer_that_differs_is_named() {
        assert_eq!(difference_from(&[11, 20, 30], &ANSWERS, &LOGITS), Some(Some(1)));
        // A board that ran fewer layers, or more.
        assert_eq!(difference_from(&[11, 22], &ANSWERS, &LOGITS), Some(Some(2)));
        assert_eq!(difference_from(&[11, 22, 33, 44], &ANSWERS, &LOGITS), Some(Some(3)));
        assert_eq!(difference_from(&[], &ANSWERS, &LOGITS), Some(Some(0)));
    }

    #[test]
    fn a_difference_in_the_answer_alone_is_one() {
        for answers in [&[(7, 900), (3, -5)][..], &[(7, 901), (2, -5)], &[(2, -5), (7, 900)], &[(7, 900)], &[]] {
            assert_eq!(difference_from(&HASHES, answers, &LOGITS), Some(None), "{answers:?}");
        }
        assert_eq!(difference_from(&HASHES, &ANSWERS, &[1, 2, 3, 5]), Some(None));
        assert_eq!(difference_from(&HASHES, &ANSWERS, &[1, 2, 3]), Some(None));
    }
}
