//! Packages of earlier versions stay readable and keep their results.

use std::path::{Path, PathBuf};

use fude_runtime::graph::fit_arena;
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::{AlignedBytes, Package};
use fude_runtime::recognizer::Recognizer;

use crate::blessing;
use crate::models::{LABELS, every_operator, runtime_layers};

/// The logits of the golden vectors of `format-1.0.fude`, and of all later ones, as they were when it was made.
const LOGITS: [[i16; 3]; 2] = [[12262, 2472, 17371], [11914, 2743, 16803]];

/// The package of [`every_operator`], written once by the writer of that `version` of the format.
fn package_of(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/packages/format-{version}.fude"))
}

/// Opens the package of `version` and checks what every version has.
fn open(version: &str, check: impl FnOnce(&Package<'_>)) {
    let bytes = AlignedBytes::copy_of(&std::fs::read(package_of(version)).expect("it is part of the source"));
    let package = Package::new_checked(bytes.as_slice()).expect("a package of an earlier version");
    assert_eq!(format!("1.{}", package.header().minor), version);
    assert_eq!(package.manifest().name, "test");
    assert!(package.labels().eq(LABELS));
    assert_eq!(package.graph().layers.len(), 9);

    for (vector, expected) in package.golden().zip(LOGITS) {
        let logits = runtime_layers(&package, vector.input).pop().expect("nine layers");
        let (pairs, _) = logits.as_chunks::<2>();
        let logits: Vec<i16> = pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
        assert_eq!(logits, expected);
    }
    check(&package);
    let mut arena = vec![0; package.arena_bytes()];
    assert_eq!(Recognizer::new(&package, &mut arena).expect("large enough").self_test(), Ok(2));
}

#[test]
fn format_1_0_opens_and_gives_its_golden_outputs() {
    open("1.0", |package| assert!((0..3).all(|class| package.label_bitmap(class).is_none())));
}

#[test]
fn format_1_1_opens_with_its_label_bitmaps() {
    open("1.1", |package| {
        let width = |class| package.label_bitmap(class).map(|bitmap| (bitmap.width(), bitmap.height()));
        assert_eq!([0, 1, 2, 3].map(width), [Some((9, 7)), Some((5, 7)), None, None]);
        let row = |class: usize, y| {
            let bitmap = package.label_bitmap(class).expect("it has one");
            (0..10).map(|x| if bitmap.is_ink(x, y) { '#' } else { '.' }).collect::<String>()
        };
        assert_eq!([row(0, 0), row(0, 4), row(0, 7)], ["..#.......", "#.#.#..##.", ".........."]);
        assert_eq!([row(1, 0), row(1, 1), row(1, 6)], ["#####.....", "....#.....", "..#......."]);
    });
}

#[test]
fn format_1_2_opens_with_its_schedule() {
    open("1.2", |package| {
        let stages: Vec<_> = package.graph().stages.iter().map(|stage| (stage.layers(), stage.rows)).collect();
        assert_eq!((stages, package.arena_bytes()), (vec![(5..7, 2)], 240));
    });
}

/// As long as the format is 1.2, the writer makes the very same bytes. When a minor version adds a section,
/// this test moves on to that version's package; the ones above stay.
#[test]
fn the_writer_still_writes_format_1_2() {
    let mut model = every_operator();
    fit_arena(&mut model.graph, WeightLayout::Portable, 240).expect("it fits");
    let (path, written) = (package_of("1.2"), model.finish(&LABELS).expect("the reader accepts it"));
    if blessing() && !path.exists() {
        std::fs::write(&path, &written).expect("the folder exists");
    }
    assert!(std::fs::read(path).is_ok_and(|bytes| bytes == written), "the writer's bytes have changed");
}
