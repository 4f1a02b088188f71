//! How often the right class is first, among the first five, among the first ten.
//!
//! A package is evaluated by the device's own kernels, so its figures are the device's.

use std::collections::BTreeMap;

use burn::tensor::Device;
use fude_runtime::ink::Image;
use fude_runtime::limits::MAX_TOP_K;
use fude_runtime::recognizer::Recognizer;
use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::{ClassList, Dataset, Glyph};
use crate::model::Mode;
use crate::package::{PackageFile, PackingError};
use crate::tensors::{floats, glyph_tensor};
use crate::train::{Checkpoint, image_to_input};

/// Glyphs that a network computes at a time.
const BATCH: usize = 64;
/// Most confusions that are reported.
const MOST_CONFUSIONS: usize = 20;

/// Glyphs with the class that each has in a model.
#[derive(Debug, Clone, Default)]
pub struct TestSet {
    /// The glyphs.
    pub glyphs: Vec<Glyph>,
    /// The model's class of each; `None` for samples without a label.
    pub truth: Vec<Option<u32>>,
    /// Samples left out because the model does not know their class.
    pub skipped: usize,
}

impl TestSet {
    /// The samples of `dataset` without those whose class is none of the model's `classes`.
    pub fn new(dataset: Dataset, classes: &ClassList) -> Self {
        let map = dataset.classes.map_to(classes);
        let mut set = Self::default();
        for sample in dataset.samples {
            let truth = sample.label.map(|label| map[label as usize]);
            if truth == Some(None) {
                set.skipped += 1;
                continue;
            }
            set.glyphs.push(sample.glyph);
            set.truth.push(truth.flatten());
        }
        set
    }
}

/// What an evaluation came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Samples evaluated.
    pub n: usize,
    /// Samples left out.
    pub skipped: usize,
    /// Share whose class came first.
    pub top1: f64,
    /// Share whose class was among the first five.
    pub top5: f64,
    /// Share whose class was among the first ten.
    pub top10: f64,
    /// The most frequent mistakes, most frequent first.
    pub confusions: Vec<Confusion>,
}

/// One class taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Label of the right class.
    pub truth: String,
    /// Label that was answered.
    pub answer: String,
    /// How often.
    pub count: usize,
}

impl Evaluation {
    /// Scores `rankings`, classes from best to worst, one a sample of `set`; samples without a label do not
    /// count.
    pub fn of(set: &TestSet, rankings: &[Vec<u16>], labels: &[String]) -> Self {
        let mut within = [0_usize; MAX_TOP_K];
        let mut confusions: BTreeMap<(u32, u16), usize> = BTreeMap::new();
        let mut n = 0;
        for (&truth, ranking) in set.truth.iter().zip(rankings) {
            let Some(truth) = truth else { continue };
            n += 1;
            if let Some(rank) = ranking.iter().position(|&class| u32::from(class) == truth) {
                within[rank..].iter_mut().for_each(|count| *count += 1);
            }
            if let Some(&answer) = ranking.first().filter(|&&class| u32::from(class) != truth) {
                *confusions.entry((truth, answer)).or_default() += 1;
            }
        }
        let label = |class: usize| labels.get(class).cloned().unwrap_or_default();
        let mut confusions: Vec<Confusion> = confusions
            .into_iter()
            .map(|((truth, answer), count)| Confusion {
                truth: label(truth as usize),
                answer: label(usize::from(answer)),
                count,
            })
            .collect();
        confusions.sort_by_key(|confusion| usize::MAX - confusion.count);
        confusions.truncate(MOST_CONFUSIONS);
        let share = |count: usize| count as f64 / n.max(1) as f64;
        Self {
            n,
            skipped: set.skipped,
            top1: share(within[0]),
            top5: share(within[4]),
            top10: share(within[9]),
            confusions,
        }
    }
}

/// Evaluates the network of a checkpoint, in floats or fake-quantised.
///
/// # Errors
/// [`PackingError::Image`] where a glyph is larger than the runtime takes, as a package would refuse it.
pub fn evaluate_checkpoint(
    checkpoint: &Checkpoint,
    mode: Mode,
    set: &TestSet,
    device: &Device,
    progress: impl FnMut(usize),
) -> Result<Evaluation, PackingError> {
    let rankings = rank_by_checkpoint(checkpoint, mode, set, device, progress)?;
    Ok(Evaluation::of(set, &rankings, &checkpoint.info.classes))
}

/// The classes that the network of a checkpoint gives each glyph of `set`, from best to worst, at most
/// [`MAX_TOP_K`]; tells `progress` how many glyphs are done.
///
/// # Errors
/// As [`evaluate_checkpoint`].
pub fn rank_by_checkpoint(
    checkpoint: &Checkpoint,
    mode: Mode,
    set: &TestSet,
    device: &Device,
    mut progress: impl FnMut(usize),
) -> Result<Vec<Vec<u16>>, PackingError> {
    let info = &checkpoint.info;
    let side = info.preset.side();
    let mut rankings = Vec::with_capacity(set.glyphs.len());
    for glyphs in set.glyphs.chunks(BATCH) {
        let mut pixels = Vec::with_capacity(glyphs.len() * side * side);
        for glyph in glyphs {
            pixels.extend(image_to_input(&image_of(glyph)?, info.preprocessing, side));
        }
        let logits = floats(checkpoint.network.forward(glyph_tensor(&pixels, side, device), mode));
        rankings.extend(logits.chunks_exact(info.classes.len()).map(rank));
        progress(rankings.len());
    }
    Ok(rankings)
}

/// Evaluates a package with the device's kernels, on all cores.
///
/// # Errors
/// Where the package is refused or cannot run.
pub fn evaluate_package(
    file: &PackageFile,
    set: &TestSet,
    progress: impl Fn(u64) + Sync,
) -> Result<Evaluation, PackingError> {
    let labels: Vec<String> = file.open()?.labels().map(str::to_owned).collect();
    Ok(Evaluation::of(set, &rank_by_package(file, set, progress)?, &labels))
}

/// The classes that a package gives each glyph of `set`, from best to worst, at most [`MAX_TOP_K`]; tells `progress`
/// of every glyph.
///
/// # Errors
/// As [`evaluate_package`].
pub fn rank_by_package(
    file: &PackageFile,
    set: &TestSet,
    progress: impl Fn(u64) + Sync,
) -> Result<Vec<Vec<u16>>, PackingError> {
    let parts = set.glyphs.par_chunks(part_length(set.glyphs.len()));
    let rankings: Vec<_> = parts.map(|part| rank_part(file, part, &progress)).collect::<Result<_, _>>()?;
    Ok(rankings.into_iter().flatten().collect())
}

fn rank_part(file: &PackageFile, glyphs: &[Glyph], progress: &impl Fn(u64)) -> Result<Vec<Vec<u16>>, PackingError> {
    let package = file.open()?;
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena)?;
    let mut rankings = Vec::with_capacity(glyphs.len());
    for glyph in glyphs {
        let image = image_of(glyph)?;
        let answers = recognizer.recognize(&image, MAX_TOP_K)?;
        rankings.push(answers.iter().map(|answer| answer.class).collect());
        progress(1);
    }
    Ok(rankings)
}

/// How many of `count` glyphs each core takes: a recogniser is made once for each part.
pub fn part_length(count: usize) -> usize {
    count.div_ceil(rayon::current_num_threads()).max(1)
}

/// A glyph as the runtime's image.
///
/// # Errors
/// [`PackingError::Image`] where it is larger than the runtime takes.
pub fn image_of(glyph: &Glyph) -> Result<Image<'_>, PackingError> {
    let (width, height) = (usize::from(glyph.width), usize::from(glyph.height));
    Image::new(width, height, &glyph.pixels).ok_or(PackingError::Image { width, height })
}

/// Classes from best to worst, at most [`MAX_TOP_K`].
fn rank(logits: &[f32]) -> Vec<u16> {
    let mut classes: Vec<u16> = (0..logits.len() as u16).collect();
    classes.sort_by(|&a, &b| logits[usize::from(b)].total_cmp(&logits[usize::from(a)]));
    classes.truncate(MAX_TOP_K);
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_ranks_and_confusions() {
        let glyph = Glyph { width: 1, height: 1, pixels: vec![0] };
        let set = TestSet { glyphs: vec![glyph; 4], truth: vec![Some(0), Some(1), Some(1), Some(2)], skipped: 3 };
        let seventh: Vec<u16> = vec![9, 8, 7, 6, 5, 4, 2];
        let rankings = [vec![0, 1], vec![0, 1], vec![0, 2], seventh];
        let labels: Vec<String> = (0..10).map(|class: i32| class.to_string()).collect();
        let evaluation = Evaluation::of(&set, &rankings, &labels);
        assert_eq!((evaluation.n, evaluation.skipped), (4, 3));
        assert_eq!((evaluation.top1, evaluation.top5, evaluation.top10), (0.25, 0.5, 0.75));
        assert_eq!(evaluation.confusions[0], Confusion { truth: "1".into(), answer: "0".into(), count: 2 });
    }

    #[test]
    fn ranks_by_logit() {
        assert_eq!(rank(&[0.1, 3.0, -1.0, 2.0]), [1, 3, 0, 2]);
    }
}
