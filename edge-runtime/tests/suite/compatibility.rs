//! Packages of earlier versions stay readable and keep their results.

use std::path::{Path, PathBuf};

use fude_runtime::package::{AlignedBytes, Package};
use fude_runtime::recognizer::Recognizer;

use crate::blessing;
use crate::models::{LABELS, every_operator, runtime_layers};

/// The logits of the golden vectors of `format-1.0.fude`, as they were when it was made.
const LOGITS_1_0: [[i16; 3]; 2] = [[12262, 2472, 17371], [11914, 2743, 16803]];

/// Written once from [`every_operator`] by the writer of fude-runtime 0.1.0.
fn format_1_0() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/format-1.0.fude")
}

#[test]
fn format_1_0_opens_and_gives_its_golden_outputs() {
    let bytes = AlignedBytes::copy_of(&std::fs::read(format_1_0()).expect("it is part of the source"));
    let package = Package::new_checked(bytes.as_slice()).expect("a package of format 1.0");
    assert_eq!(package.manifest().name, "test");
    assert!(package.labels().eq(LABELS));
    assert_eq!(package.graph().layers.len(), 9);

    for (vector, expected) in package.golden().zip(LOGITS_1_0) {
        let logits = runtime_layers(&package, vector.input).pop().expect("nine layers");
        let (pairs, _) = logits.as_chunks::<2>();
        let logits: Vec<i16> = pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
        assert_eq!(logits, expected);
    }
    let mut arena = vec![0; package.arena_bytes()];
    assert_eq!(Recognizer::new(package, &mut arena).expect("large enough").self_test(), Ok(2));
}

/// As long as the format is 1.0, the writer makes the very same bytes. When a minor version adds a section,
/// this test moves on to that version's package; the one above stays.
#[test]
fn the_writer_still_writes_format_1_0() {
    let written = every_operator().pack(&LABELS);
    if blessing() && !format_1_0().exists() {
        std::fs::write(format_1_0(), &written).expect("the folder exists");
    }
    assert!(std::fs::read(format_1_0()).is_ok_and(|bytes| bytes == written), "the writer's bytes have changed");
}
