//! What may be wrong with data, found before hours of training on it.

mod duplicates;

use std::collections::BTreeMap;

use fude_runtime::package::Preprocessing;
use rayon::prelude::*;
use serde::Serialize;

use self::duplicates::Fingerprint;
pub use self::duplicates::{Duplicates, Group, Place};
use super::{Dataset, Glyph, SplitPart};

/// A pixel of at least this is ink, as it is on the device.
const INK: u8 = Preprocessing::ink_box(1).ink_threshold;

/// A data set to check.
#[derive(Debug)]
pub struct CheckedSet {
    /// Its name in the report.
    pub name: String,
    /// What could be read of it; `None` where nothing could.
    pub dataset: Option<Dataset>,
    /// The faults of what could not.
    pub faults: Vec<String>,
    /// The part of each sample, where the data is divided.
    pub parts: Option<Vec<SplitPart>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Each set by itself.
    pub sets: Vec<SetReport>,
    /// Pictures that are the same to the last pixel.
    pub exact_duplicates: Duplicates,
    /// Pictures that differ, but are the same in black and white at 16×16 pixels once the ink is moved and scaled to
    /// fill them: copies that were saved again, moved or scaled. Simple shapes (1, 一, l) meet there by chance, so these
    /// are to be looked at, not to be removed unseen; and a copy that falls a pixel elsewhere is missed.
    pub near_duplicates: Duplicates,
    /// What should be mended before training, a sentence each.
    pub problems: Vec<String>,
}

/// What was found in one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetReport {
    /// The set's name.
    pub name: String,
    /// Samples read.
    pub samples: usize,
    /// Samples without a label.
    pub unlabelled: usize,
    /// Sources: fonts, sheets, writers, files.
    pub sources: usize,
    /// How evenly the samples are spread over the classes; `None` without labels.
    pub balance: Option<Balance>,
    /// Sizes of the pictures, most frequent first.
    pub sizes: Vec<Size>,
    /// Mean share of pixels that are ink, in per cent.
    pub ink_percent: f64,
    /// Pictures without ink.
    pub empty: Findings<usize>,
    /// Pictures whose edge is ink: probably dark on light, where light on dark is expected.
    pub inverted: Findings<usize>,
    /// Records that cannot be read, with their places.
    pub unreadable: Findings<String>,
}

/// A number of findings and the first of them: indices of samples, or what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings<T> {
    /// How many there are.
    pub count: usize,
    /// The first.
    pub first: Vec<T>,
}

/// Samples a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Balance {
    /// Classes of the list.
    pub classes: usize,
    /// Classes of the list without a sample.
    pub without_samples: usize,
    /// Samples of the smallest class that has any, with its label.
    pub fewest: (String, usize),
    /// Samples of the class in the middle.
    pub median: usize,
    /// Samples of the largest class, with its label.
    pub most: (String, usize),
}

/// Pictures of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// How many there are.
    pub samples: usize,
}

impl<T> Findings<T> {
    fn of(all: impl Iterator<Item = T>, list: usize) -> Self {
        let mut findings = Self { count: 0, first: Vec::new() };
        for one in all {
            if findings.count < list {
                findings.first.push(one);
            }
            findings.count += 1;
        }
        findings
    }
}

/// Checks `sets` by themselves and against each other, listing at most `list` findings of a kind; `progress` is told
/// of each picture from any thread.
pub fn check(sets: &[CheckedSet], list: usize, progress: &(dyn Fn() + Sync)) -> CheckReport {
    let fingerprints: Vec<Vec<Fingerprint>> = sets.iter().map(|set| fingerprints(set, progress)).collect();
    let (exact_duplicates, near_duplicates) = duplicates::find(sets, &fingerprints, list);
    let reports = sets.iter().zip(&fingerprints).map(|(set, prints)| SetReport::of(set, prints, list)).collect();
    let mut report = CheckReport { sets: reports, exact_duplicates, near_duplicates, problems: Vec::new() };
    report.problems = problems(&report);
    report
}

fn fingerprints(set: &CheckedSet, progress: &(dyn Fn() + Sync)) -> Vec<Fingerprint> {
    let samples = set.dataset.as_ref().map_or(&[][..], |dataset| &dataset.samples);
    let look = |sample: &super::Sample| {
        progress();
        Fingerprint::of(&sample.glyph)
    };
    samples.par_iter().map(look).collect()
}

fn problems(report: &CheckReport) -> Vec<String> {
    let mut problems = Vec::new();
    for SetReport { name, empty, inverted, unreadable, samples, .. } in &report.sets {
        let mut tell = |count: usize, what: &str| {
            if count > 0 {
                problems.push(format!("{name}: {count} {what}"));
            }
        };
        tell(unreadable.count, "unreadable: fetch or write them again");
        tell(usize::from(*samples == 0), "set without a readable sample");
        tell(empty.count, "pictures without ink: remove them");
        tell(inverted.count, "pictures with ink at the edge: ink must be 255 on paper of 0, invert them");
    }
    let Duplicates { across_sets, across_parts, other_labels, .. } = report.exact_duplicates;
    let mut tell = |count: usize, what: &str| {
        if count > 0 {
            problems.push(format!("{count} pictures {what}"));
        }
    };
    tell(across_parts, "are in more than one part: what is tested was learned; divide by source, or remove copies");
    tell(across_sets, "are in more than one set: do not train on one and test on the other");
    tell(other_labels, "are there under different labels: correct them, unless the writing has one shape for both");
    problems
}

impl SetReport {
    fn of(set: &CheckedSet, fingerprints: &[Fingerprint], list: usize) -> Self {
        let samples = set.dataset.as_ref().map_or(&[][..], |dataset| &dataset.samples);
        let mut sizes: BTreeMap<(u16, u16), usize> = BTreeMap::new();
        for Glyph { width, height, .. } in samples.iter().map(|sample| &sample.glyph) {
            *sizes.entry((*width, *height)).or_default() += 1;
        }
        let mut sizes: Vec<Size> =
            sizes.into_iter().map(|((width, height), samples)| Size { width, height, samples }).collect();
        sizes.sort_by_key(|size| std::cmp::Reverse(size.samples));
        let shares = samples.iter().map(|sample| ink_share(&sample.glyph.pixels));
        let glyphs = || samples.iter().enumerate().zip(fingerprints);
        Self {
            name: set.name.clone(),
            samples: samples.len(),
            unlabelled: samples.iter().filter(|sample| sample.label.is_none()).count(),
            sources: set.dataset.as_ref().map_or(0, |dataset| dataset.sources.len()),
            balance: set.dataset.as_ref().and_then(Balance::of),
            sizes,
            ink_percent: 100.0 * shares.sum::<f64>() / samples.len().max(1) as f64,
            empty: Findings::of(glyphs().filter(|(_, print)| print.is_empty).map(|((index, _), _)| index), list),
            inverted: Findings::of(
                glyphs().filter(|((_, sample), _)| has_ink_edge(&sample.glyph)).map(|((index, _), _)| index),
                list,
            ),
            unreadable: Findings::of(set.faults.iter().cloned(), list),
        }
    }
}

impl Balance {
    fn of(dataset: &Dataset) -> Option<Self> {
        let mut counts = vec![0; dataset.classes.len()];
        for label in dataset.samples.iter().filter_map(|sample| sample.label) {
            *counts.get_mut(label as usize)? += 1;
        }
        let mut by_count: Vec<(usize, &String)> = counts.into_iter().zip(dataset.classes.labels()).collect();
        // Stable: among equals the first of the list.
        by_count.sort_by_key(|&(count, _)| count);
        let without_samples = by_count.partition_point(|&(count, _)| count == 0);
        let with_samples = &by_count[without_samples..];
        let named = |&(count, label): &(usize, &String)| (label.clone(), count);
        Some(Self {
            classes: by_count.len(),
            without_samples,
            fewest: named(with_samples.first()?),
            median: with_samples[with_samples.len() / 2].0,
            most: named(with_samples.last()?),
        })
    }
}

fn ink_share(pixels: &[u8]) -> f64 {
    pixels.iter().filter(|&&pixel| pixel >= INK).count() as f64 / pixels.len().max(1) as f64
}

/// Whether more than half of the pixels on the edge are ink.
fn has_ink_edge(glyph: &Glyph) -> bool {
    let (width, height) = (usize::from(glyph.width), usize::from(glyph.height));
    let is_edge = |index: usize| {
        let (x, y) = (index % width, index / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let edge = glyph.pixels.iter().enumerate().filter(|&(index, _)| is_edge(index));
    let (ink, all) = edge.fold((0, 0), |(ink, all), (_, &pixel)| (ink + usize::from(pixel >= INK), all + 1));
    2 * ink > all
}

#[cfg(test)]
mod tests;
