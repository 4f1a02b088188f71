//! Packages on the host: what is packed runs, and what is damaged is refused by one line with file and remedy.

use std::fs;

use fude_runtime::graph::ArenaPlan;
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::{AlignedBytes, Package, PackageError, repack, repack_within};
use fude_runtime::recognizer::Recognizer;
use fude_trainer::files::FileError;
use fude_trainer::model::Preset;
use fude_trainer::package::{PackageFile, PackingError, pack};
use fude_trainer::train::{Checkpoint, RunInfo, Stage};

use crate::fude::fude;
use crate::networks::{CLASSES, PRESETS, observed_network, random_glyphs, run_info};
use crate::trained::trained;

fn checkpoint(stage: Stage, change: impl Fn(&mut RunInfo)) -> Checkpoint {
    let mut info = run_info(Preset::Micro, stage);
    change(&mut info);
    Checkpoint { info, stage, network: observed_network(Preset::Micro.architecture(CLASSES), 1) }
}

const QAT: Stage = Stage::Qat { learn_ranges: false };

/// `package` with other `bytes` at `offset` of its header; `docs/package-format.md` says what is where.
fn with_bytes(package: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = package.to_vec();
    changed[offset..offset + bytes.len()].copy_from_slice(bytes);
    changed
}

#[test]
fn a_packed_network_passes_its_own_self_test() {
    let side = Preset::Micro.side();
    let golden: Vec<Vec<u8>> = random_glyphs(side, 3, 2).chunks(side * side).map(<[u8]>::to_vec).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fude");
    fs::write(&path, pack(&checkpoint(QAT, |_| ()), &golden, None).unwrap()).unwrap();
    let file = PackageFile::read(&path).unwrap();
    let package = file.open().unwrap();
    assert_eq!(package.labels().collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
    let inputs: Vec<Vec<u8>> = package.golden().map(|vector| vector.input.to_vec()).collect();
    // Pixel p is the integer p − 128.
    assert_eq!(inputs[1], golden[1].iter().map(|&pixel| (i16::from(pixel) - 128) as i8 as u8).collect::<Vec<_>>());
    let mut arena = vec![0; package.arena_bytes()];
    assert_eq!(Recognizer::new(&package, &mut arena).unwrap().self_test(), Ok(3));
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let refusal = |stage, change: fn(&mut RunInfo)| pack(&checkpoint(stage, change), &[], None).unwrap_err();
    let float = refusal(Stage::Float, |_| ());
    assert!(matches!(float, PackingError::NotQuantized) && float.to_string().contains("fude qat"));
    let name = refusal(QAT, |info| info.name = "x".repeat(33));
    assert!(matches!(&name, PackingError::Name(name) if name.len() == 33) && name.to_string().contains("--name"));
    let label = refusal(QAT, |info| info.classes[2] = "a label of 17 byt".to_owned());
    assert!(matches!(&label, PackingError::Label(label) if label.len() == 17), "{label:?}");
    // As long as they may be.
    pack(&checkpoint(QAT, |info| info.name = "x".repeat(32)), &[], None).unwrap();
    pack(&checkpoint(QAT, |info| info.classes[2] = "a label of 16 by".to_owned()), &[], None).unwrap();
}

#[test]
fn damaged_packages_are_refused_by_the_library_and_by_the_program() {
    let copy = trained().copy();
    let whole = fs::read(copy.package()).unwrap();
    let middle = whole.len() / 2;
    type Expected = fn(&PackageError) -> bool;
    let cases: [(&str, Vec<u8>, Expected, [&str; 2]); 6] = [
        (
            "truncated",
            whole[..middle].to_vec(),
            |reason| matches!(reason, PackageError::Truncated { .. }),
            ["truncated", "copy the package again"],
        ),
        (
            "truncated in the header",
            whole[..40].to_vec(),
            |reason| matches!(reason, PackageError::Truncated { .. }),
            ["40 bytes of", "copy the package again"],
        ),
        (
            "corrupted",
            with_bytes(&whole, middle, &[!whole[middle]]),
            |reason| matches!(reason, PackageError::Checksum { .. }),
            ["corrupted", "copy the package again"],
        ),
        (
            "of the future",
            with_bytes(&whole, 8, &2_u16.to_le_bytes()),
            |reason| matches!(reason, PackageError::Version { major: 2, minor: 2 }),
            ["format version 2.2", "use a matching fude"],
        ),
        (
            "for another target",
            with_bytes(&whole, 16, &700_u16.to_le_bytes()),
            |reason| matches!(reason, PackageError::Layout { layout: 700 }),
            ["layout 700", "export for this one"],
        ),
        (
            "no package",
            b"\x89PNG\r\n\x1a\n".to_vec(),
            |reason| matches!(reason, PackageError::NotAPackage),
            ["not a fude package", "first bytes"],
        ),
    ];
    let glyph = copy.path("glyphs/十/0.png").display().to_string();
    for (name, bytes, expected, parts) in cases {
        let path = copy.path(&format!("{name}.fude"));
        fs::write(&path, bytes).unwrap();
        let error = PackageFile::read(&path).unwrap_err();
        assert!(matches!(&error, PackingError::Refused { path: named, reason } if *named == path && expected(reason)));

        let path = path.display().to_string();
        let parts = [&path, parts[0], parts[1]];
        fude(["inspect", &path]).assert_fails_naming(&parts);
        fude(["recognize", &path, &glyph, "--json"]).assert_fails_naming(&parts);
        fude(["eval", &path, "--data", &copy.data()]).assert_fails_naming(&parts);
        fude(["verify", &path, "--board", "qemu-m4", "--data", &copy.data()]).assert_fails_naming(&parts);
    }
}

#[test]
fn a_package_that_is_not_there_is_named() {
    let copy = trained().copy();
    let absent = copy.path("absent.fude");
    assert!(
        matches!(PackageFile::read(&absent), Err(PackingError::File(FileError::Read { path, .. })) if path == absent)
    );
    for path in [absent, copy.path("glyphs")] {
        let path = path.display().to_string();
        fude(["inspect", &path]).assert_fails_naming(&[&path, "cannot be read"]);
    }
}

/// The reference network for the classes of ETL9G on microcontrollers: half the arena, for a quarter more multiplications.
#[test]
fn the_reference_network_runs_in_48_kilobytes() {
    let network = observed_network(Preset::Reference.architecture(3036), 1);
    let classes = (0..3036).map(|class| class.to_string()).collect();
    let info = RunInfo { classes, ..run_info(Preset::Reference, QAT) };
    let portable = pack(&Checkpoint { info, stage: QAT, network }, &[], None).unwrap();
    for layout in [WeightLayout::Portable, WeightLayout::Dsp, WeightLayout::Mve, WeightLayout::Scalar] {
        let whole = AlignedBytes::copy_of(&repack(&portable, layout).unwrap());
        let whole = Package::for_any_target(whole.as_slice()).unwrap();
        let banded = AlignedBytes::copy_of(&repack_within(&portable, layout, 48 * 1024).unwrap());
        let banded = Package::for_any_target(banded.as_slice()).unwrap();
        assert!((96 * 1024..100_000).contains(&whole.arena_bytes()), "{layout:?}: {}", whole.arena_bytes());
        assert!(banded.arena_bytes() <= 48 * 1024, "{layout:?}: {}", banded.arena_bytes());
        let macs = [whole, banded].map(|package| package.graph().total_cost().macs);
        assert_eq!(macs, [16_784_384, 21_273_600], "{layout:?}");
    }
}

#[test]
fn the_arena_of_every_preset_is_near_the_least() {
    for preset in PRESETS {
        let network = observed_network(preset.architecture(CLASSES), 1);
        let portable = pack(&Checkpoint { info: run_info(preset, QAT), stage: QAT, network }, &[], None).unwrap();
        for layout in WeightLayout::ALL {
            let bytes = AlignedBytes::copy_of(&repack(&portable, layout).unwrap());
            let package = Package::for_any_target(bytes.as_slice()).unwrap();
            let plan = ArenaPlan::of(package.graph(), layout);
            assert!(plan.is_tight(), "{preset:?} for {layout:?}: {plan:?}");
        }
    }
}
