//! Pictures that are there twice.

use std::collections::{BTreeSet, HashMap};

use fude_runtime::ink::{Image, normalize};
use fude_runtime::package::Preprocessing;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{CheckedSet, INK};
use crate::dataset::{Glyph, SplitPart};

/// Side of the picture that near duplicates share, in pixels.
const SIDE: usize = 16;
/// Places listed of one group.
const MOST_PLACES: usize = 6;

/// Samples whose pictures are the same, by one measure of sameness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Pictures that are there more than once.
    pub groups: usize,
    /// Samples that show them.
    pub samples: usize,
    /// Groups with samples of more than one set.
    pub across_sets: usize,
    /// Groups with samples of more than one part.
    pub across_parts: usize,
    /// Groups with more than one label.
    pub other_labels: usize,
    /// The first groups: those across parts, across sets and of more than one label before others.
    pub first: Vec<Group>,
}

/// Samples that share a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many they are.
    pub samples: usize,
    /// Where the first of them are.
    pub places: Vec<Place>,
}

/// One sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of the set.
    pub set: String,
    /// Index in the set.
    pub sample: usize,
    /// Its label.
    pub label: Option<String>,
    /// Its part, where the data is divided.
    pub part: Option<SplitPart>,
}

/// What a picture is known again by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Whether there is no ink.
    pub is_empty: bool,
    /// SHA-256 of size and pixels.
    exact: [u8; 32],
    /// Average hash: the device's normalised picture, each pixel against the mean of all.
    near: [u64; SIDE * SIDE / 64],
}

impl Fingerprint {
    pub fn of(glyph: &Glyph) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(glyph.width.to_le_bytes());
        hasher.update(glyph.height.to_le_bytes());
        hasher.update(&glyph.pixels);
        let is_empty = glyph.pixels.iter().all(|&pixel| pixel < INK);
        Self { is_empty, exact: hasher.finalize().into(), near: average_hash(glyph) }
    }
}

fn average_hash(glyph: &Glyph) -> [u64; SIDE * SIDE / 64] {
    let mut pixels = [0; SIDE * SIDE];
    // A picture too large for the device has no hash but zero, as one without ink.
    if let Some(image) = Image::new(glyph.width.into(), glyph.height.into(), &glyph.pixels) {
        normalize(&image, Preprocessing::ink_box(SIDE as u16), (SIDE, SIDE), &mut pixels);
    }
    let sum: usize = pixels.iter().map(|&pixel| usize::from(pixel)).sum();
    let mut hash = [0; SIDE * SIDE / 64];
    for (index, &pixel) in pixels.iter().enumerate() {
        if usize::from(pixel) * SIDE * SIDE > sum {
            hash[index / 64] |= 1 << (index % 64);
        }
    }
    hash
}

/// A set and a sample in it.
type Member = (usize, usize);

/// Exact and near duplicates among the samples of `sets`, empty pictures left out; at most `list` groups of each.
pub fn find(sets: &[CheckedSet], fingerprints: &[Vec<Fingerprint>], list: usize) -> (Duplicates, Duplicates) {
    let mut by_exact: HashMap<[u8; 32], Vec<Member>> = HashMap::new();
    let mut by_near: HashMap<[u64; SIDE * SIDE / 64], Vec<Member>> = HashMap::new();
    for (set, prints) in fingerprints.iter().enumerate() {
        for (sample, print) in prints.iter().enumerate().filter(|(_, print)| !print.is_empty) {
            let same = by_exact.entry(print.exact).or_default();
            // Of exact copies one stands for all among the near ones, or they would be counted twice.
            if same.is_empty() && print.near != [0; SIDE * SIDE / 64] {
                by_near.entry(print.near).or_default().push((set, sample));
            }
            same.push((set, sample));
        }
    }
    (summary(by_exact.into_values(), sets, list), summary(by_near.into_values(), sets, list))
}

fn summary(groups: impl Iterator<Item = Vec<Member>>, sets: &[CheckedSet], list: usize) -> Duplicates {
    let groups = groups.filter(|members| members.len() > 1);
    let mut groups: Vec<(Spread, Vec<Member>)> = groups.map(|members| (Spread::of(&members, sets), members)).collect();
    // The worst first; then in the order of the data, since a map has none.
    groups.sort_by(|(a, a_members), (b, b_members)| b.cmp(a).then_with(|| a_members.cmp(b_members)));
    let count = |is: fn(&Spread) -> bool| groups.iter().filter(|(spread, _)| is(spread)).count();
    let first = groups.iter().take(list).map(|(_, members)| Group {
        places: members.iter().take(MOST_PLACES).map(|&member| place(member, sets)).collect(),
        samples: members.len(),
    });
    Duplicates {
        groups: groups.len(),
        samples: groups.iter().map(|(_, members)| members.len()).sum(),
        across_sets: count(|spread| spread.across_sets),
        across_parts: count(|spread| spread.across_parts),
        other_labels: count(|spread| spread.other_labels),
        first: first.collect(),
    }
}

/// How far a group reaches, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spread {
    across_parts: bool,
    across_sets: bool,
    other_labels: bool,
}

impl Spread {
    fn of(members: &[Member], sets: &[CheckedSet]) -> Self {
        let distinct = |key: &dyn Fn(Place) -> Option<String>| {
            let keys: BTreeSet<String> = members.iter().filter_map(|&member| key(place(member, sets))).collect();
            keys.len() > 1
        };
        let is_named =
            |&(set, _): &Member| sets[set].dataset.as_ref().is_some_and(|dataset| dataset.classes.is_named());
        // A number and a character say nothing of each other.
        let comparable = members.iter().all(is_named) || !members.iter().any(is_named);
        Self {
            across_parts: distinct(&|place| place.part.map(|part| format!("{part:?}"))),
            across_sets: members.iter().any(|&(set, _)| set != members[0].0),
            other_labels: comparable && distinct(&|place| place.label),
        }
    }
}

fn place((set, sample): Member, sets: &[CheckedSet]) -> Place {
    let checked = &sets[set];
    let label = checked.dataset.as_ref().and_then(|dataset| {
        let label = dataset.samples[sample].label?;
        dataset.classes.labels().get(label as usize).cloned()
    });
    let part = checked.parts.as_ref().map(|parts| parts[sample]);
    Place { set: checked.name.clone(), sample, label, part }
}
