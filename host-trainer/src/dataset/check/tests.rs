use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::dataset::{ClassList, Sample};

/// A picture of `side` squared pixels with an L whose size is `size` and whose corner is at (`x`, `y`).
fn letter(side: u16, x: u16, y: u16, size: u16) -> Glyph {
    let ink = |place: u16| {
        let (column, row) = (place % side, place / side);
        let inside = (x..x + size).contains(&column) && (y..y + size).contains(&row);
        let thick = size / 4;
        if inside && (column < x + thick || row >= y + size - thick) { 255 } else { 0 }
    };
    Glyph { width: side, height: side, pixels: (0..side * side).map(ink).collect() }
}

fn set(name: &str, glyphs: Vec<(Glyph, Option<u32>)>) -> CheckedSet {
    let samples = glyphs.into_iter().map(|(glyph, label)| Sample { glyph, strokes: None, label, source: 0 }).collect();
    let classes = ClassList::named(["a", "b", "c", "d"].map(str::to_owned), "test".as_ref()).unwrap();
    let dataset = Dataset { samples, classes, sources: vec!["test".to_owned()], missing: Vec::new() };
    CheckedSet { name: name.to_owned(), dataset: Some(dataset), faults: Vec::new(), parts: None }
}

fn report(sets: &[CheckedSet]) -> CheckReport {
    check(sets, 10, &|| ())
}

#[test]
fn a_clean_set_is_counted() {
    let glyphs = [0, 0, 0, 1, 1, 3].into_iter().zip(0..);
    let glyphs = glyphs.map(|(label, shift)| (letter(32, shift, 2, 8 + 2 * shift), Some(label)));
    let seen = AtomicUsize::new(0);
    let sets = [set("clean", glyphs.collect())];
    let count = || {
        seen.fetch_add(1, Ordering::Relaxed);
    };
    let report = check(&sets, 10, &count);
    assert_eq!((report.problems.len(), seen.into_inner()), (0, 6));
    let set = &report.sets[0];
    let balance =
        Balance { classes: 4, without_samples: 1, fewest: ("d".to_owned(), 1), median: 2, most: ("a".to_owned(), 3) };
    assert_eq!((set.samples, set.unlabelled, set.sources), (6, 0, 1));
    assert_eq!(set.balance.as_ref(), Some(&balance));
    assert_eq!(set.sizes, [Size { width: 32, height: 32, samples: 6 }]);
    assert!(set.ink_percent > 1.0 && set.ink_percent < 20.0, "{}", set.ink_percent);
}

#[test]
fn inverted_and_empty_pictures_are_found() {
    let mut inverted = letter(32, 5, 5, 20);
    inverted.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    let faint = Glyph { width: 32, height: 32, pixels: vec![63; 1024] };
    let glyphs = vec![(letter(32, 5, 5, 20), Some(0)), (inverted, Some(0)), (faint.clone(), Some(1)), (faint, None)];
    let report = report(&[set("mixed", glyphs)]);
    let found = &report.sets[0];
    assert_eq!(found.inverted, Findings { count: 1, first: vec![1] });
    assert_eq!(found.empty, Findings { count: 2, first: vec![2, 3] });
    assert_eq!((found.unlabelled, report.problems.len()), (1, 2));
    // Pictures without ink are not copies of each other.
    assert_eq!((report.exact_duplicates.groups, report.near_duplicates.groups), (0, 0));
}

#[test]
fn exact_copies_are_found_across_labels_sets_and_parts() {
    let twice = letter(32, 4, 4, 12);
    let mut first =
        set("first", vec![(twice.clone(), Some(0)), (letter(32, 4, 4, 20), Some(1)), (twice.clone(), Some(0))]);
    let within = report(std::slice::from_ref(&first)).exact_duplicates;
    assert_eq!((within.groups, within.samples, within.across_sets, within.other_labels), (1, 2, 0, 0));
    assert!(report(std::slice::from_ref(&first)).problems.is_empty(), "copies within one part may be meant");

    first.parts = Some(vec![SplitPart::Training, SplitPart::Training, SplitPart::Test]);
    let divided = report(std::slice::from_ref(&first));
    assert_eq!(divided.exact_duplicates.across_parts, 1);
    assert!(divided.problems[0].contains("more than one part"), "{:?}", divided.problems);

    let second = set("second", vec![(letter(32, 6, 6, 24), Some(1)), (twice, Some(2))]);
    let report = report(&[first, second]);
    let Duplicates { groups, samples, across_sets, other_labels, first, .. } = &report.exact_duplicates;
    assert_eq!((*groups, *samples, *across_sets, *other_labels), (1, 3, 1, 1));
    let place = Place { set: "second".to_owned(), sample: 1, label: Some("c".to_owned()), part: None };
    assert_eq!((first[0].samples, first[0].places.last()), (3, Some(&place)));
}

#[test]
fn moved_and_scaled_copies_are_near_duplicates() {
    let glyphs = vec![
        (letter(64, 4, 4, 48), Some(0)),
        // Moved, half as large, fainter, and an exact copy of that.
        (letter(64, 12, 9, 48), Some(0)),
        (letter(32, 3, 3, 24), Some(0)),
        (letter(32, 3, 3, 24), Some(0)),
        // Another shape.
        (Glyph { width: 4, height: 4, pixels: [255, 255, 0, 0].repeat(4) }, Some(1)),
    ];
    let report = report(&[set("copies", glyphs)]);
    let Duplicates { groups, samples, first, .. } = &report.near_duplicates;
    assert_eq!((*groups, *samples, report.exact_duplicates.samples), (1, 3, 2));
    assert!(first[0].places.iter().map(|place| place.sample).eq(0..3));
}

#[test]
fn what_could_not_be_read_is_listed() {
    let faults = (0..20).map(|number| format!("file: byte {number}")).collect();
    let nothing = CheckedSet { name: "nothing".to_owned(), dataset: None, faults, parts: None };
    let report = report(&[nothing]);
    let unreadable = &report.sets[0].unreadable;
    assert_eq!((unreadable.count, unreadable.first.len()), (20, 10));
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
}
