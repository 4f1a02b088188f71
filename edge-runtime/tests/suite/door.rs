//! The one door for untrusted bytes: what is broken is refused by name, and what is accepted runs.

use fude_runtime::graph::LayerError;
use fude_runtime::limits::{MAX_LAYERS, MAX_TENSORS};
use fude_runtime::package::{AlignedBytes, Fit, Package, PackageError, SectionKind, set_measured_hash};
use proptest::prelude::*;

use crate::exercise::exercise;
use crate::models::{LABELS, Random, every_operator, halves, random_model, reseal, section, table_entry};
use crate::mutations::mutate;

/// Steps that an inference of these tests may take; see [`exercise`].
const WORK: u64 = 1 << 22;

fn open(bytes: &[u8]) -> Result<(), PackageError> {
    Package::new_checked(AlignedBytes::copy_of(bytes).as_slice()).map(|_| ())
}

fn sound() -> Vec<u8> {
    every_operator().pack(&LABELS)
}

/// The error for a sound package after `change`, its checksum renewed.
fn error_after(change: impl FnOnce(&mut Vec<u8>)) -> Result<(), PackageError> {
    let mut bytes = sound();
    change(&mut bytes);
    reseal(&mut bytes);
    exercise(&bytes, WORK)
}

fn put_u16(bytes: &mut [u8], place: usize, value: u16) {
    bytes[place..place + 2].copy_from_slice(&value.to_le_bytes());
}

fn put_u32(bytes: &mut [u8], place: usize, value: u32) {
    bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
}

fn add_to_u32(bytes: &mut [u8], place: usize, change: i32) {
    let word = u32::from_le_bytes(bytes[place..place + 4].try_into().expect("four bytes"));
    put_u32(bytes, place, word.wrapping_add_signed(change));
}

#[test]
fn a_sound_package_runs_also_inside_a_longer_partition() {
    let mut bytes = sound();
    assert!(bytes.len() <= 4096, "the model of the tests has grown to {} bytes", bytes.len());
    assert_eq!(exercise(&bytes, WORK), Ok(()));
    bytes.extend_from_slice(&[0xff; 100]);
    assert_eq!(exercise(&bytes, WORK), Ok(()));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sound();
    let refused = |length: usize| open(&bytes[..length]).expect_err("truncated");
    assert!((0..8).all(|length| refused(length) == PackageError::NotAPackage));
    for length in 8..bytes.len() {
        let expected = if length < 64 { 64 } else { bytes.len() as u32 };
        assert_eq!(refused(length), PackageError::Truncated { expected, actual: length as u32 });
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = sound();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// As an attacker would: with the checksum made right again.
#[test]
fn every_flipped_bit_with_a_new_checksum_is_refused_or_runs() {
    let sound = sound();
    let mut accepted = 0;
    for bit in 0..8 * (sound.len() - 4) {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let total = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes")) as usize;
        bytes.truncate(total.max(68));
        reseal(&mut bytes);
        accepted += usize::from(exercise(&bytes, WORK).is_ok());
    }
    assert!(accepted > 1000, "only {accepted} flips were accepted: weights alone are more");
}

#[test]
fn header_errors_have_names() {
    use PackageError::{Checksum, Graph, Header, Layout, Misaligned, NotAPackage, Version};
    assert_eq!(error_after(|bytes| bytes[0] = 0), Err(NotAPackage));
    assert_eq!(error_after(|bytes| put_u16(bytes, 8, 2)), Err(Version { major: 2, minor: 2 }));
    assert_eq!(error_after(|bytes| put_u16(bytes, 10, 9)), Ok(()), "minor versions stay readable");
    assert_eq!(error_after(|bytes| put_u32(bytes, 12, 60)), Err(Header));
    assert_eq!(error_after(|bytes| put_u16(bytes, 16, 700)), Err(Layout { layout: 700 }));
    assert_eq!(error_after(|bytes| put_u16(bytes, 18, 60_000)), Err(Header));
    assert_eq!(
        error_after(|bytes| put_u32(bytes, 20, 16)),
        Err(Graph { layer: None, problem: LayerError::Arena }),
        "an arena smaller than the plan"
    );
    assert_eq!(error_after(|bytes| bytes[24..32].fill(0xff)), Ok(()), "reserved bytes are ignored");

    let mut bytes = sound();
    *bytes.last_mut().expect("not empty") ^= 1;
    assert!(matches!(open(&bytes), Err(Checksum { stored, computed }) if stored ^ computed == 1 << 24));

    let sound = sound();
    for shift in 1..8 {
        let shifted = AlignedBytes::copy_of(&[&vec![0; shift], sound.as_slice()].concat());
        let expected = if shift % 4 == 0 { None } else { Some(Misaligned) };
        assert_eq!(Package::new_checked(&shifted.as_slice()[shift..]).err(), expected, "{shift} bytes further");
    }
}

#[test]
fn section_errors_have_names() {
    use SectionKind::{Golden, LabelBitmaps, Labels, Manifest, Weights};
    for kind in [Manifest, Weights, Labels, Golden, LabelBitmaps] {
        let error = Err(PackageError::Section { kind });
        let entry = table_entry(kind);
        assert_eq!(error_after(|bytes| add_to_u32(bytes, entry + 4, 4)), error, "misaligned");
        assert_eq!(error_after(|bytes| put_u32(bytes, entry + 4, 96)), error, "inside the section table");
        assert_eq!(error_after(|bytes| put_u32(bytes, entry + 8, 1 << 20)), error, "longer than the package");
        assert_eq!(error_after(|bytes| put_u32(bytes, entry + 8, u32::MAX)), error, "past the address space");
        if [Golden, LabelBitmaps].contains(&kind) {
            assert_eq!(error_after(|bytes| put_u32(bytes, entry, 77)), Ok(()), "unknown sections are skipped");
        } else {
            assert_eq!(error_after(|bytes| put_u32(bytes, entry, 77)), error, "missing");
        }
    }
    for kind in [Labels, Golden, LabelBitmaps] {
        for change in [-1, 1] {
            let changed = error_after(|bytes| add_to_u32(bytes, table_entry(kind) + 8, change));
            assert_eq!(changed, Err(PackageError::Section { kind }), "{change} bytes");
        }
    }
    assert_eq!(error_after(|bytes| add_to_u32(bytes, table_entry(Manifest) + 8, 1)), Err(PackageError::Manifest));
    assert_eq!(error_after(|bytes| add_to_u32(bytes, table_entry(Manifest) + 8, -1)), Err(PackageError::Manifest));
    let weights = error_after(|bytes| add_to_u32(bytes, table_entry(Weights) + 8, -1));
    assert_eq!(weights, Err(PackageError::Graph { layer: Some(8), problem: LayerError::Parameters }));
    let label = error_after(|bytes| {
        let labels = section(bytes, Labels);
        bytes[labels.start + 3] = 0xff; // the second of three labels of three bytes
    });
    assert_eq!(label, Err(PackageError::Label { class: 1 }));
}

#[test]
fn lists_beyond_the_capacity_are_told_from_damaged_ones() {
    let manifest = every_operator().manifest();
    let length = |bytes: &[u8]| bytes.len();
    let before = (&manifest.name, manifest.preprocessing, manifest.label_bytes);
    let tensors_at = length(&postcard::to_stdvec(&before).expect("plain data"));
    let layers_at = tensors_at + length(&postcard::to_stdvec(&manifest.graph.tensors).expect("plain data"));
    let (tensors, layers) = (manifest.graph.tensors.len(), manifest.graph.layers.len());
    for (place, count, capacity) in [(tensors_at, tensors, MAX_TENSORS), (layers_at, layers, MAX_LAYERS)] {
        let with_length = |length: usize| {
            error_after(|bytes| {
                let start = section(bytes, SectionKind::Manifest).start;
                assert_eq!(usize::from(bytes[start + place]), count);
                bytes[start + place] = length as u8;
            })
        };
        assert_eq!(with_length(count), Ok(()));
        assert_eq!(with_length(capacity), Err(PackageError::Manifest), "{capacity} are too few bytes");
        assert_eq!(with_length(capacity + 1), Err(PackageError::Capacity), "{capacity} + 1");
    }
}

#[test]
fn label_bitmaps_have_one_cell_a_class() {
    let error = Err(PackageError::Section { kind: SectionKind::LabelBitmaps });
    // Cell width 9, height 7, two reserved bytes, three widths 9, 5 and 0.
    for (place, byte, expected) in [
        (0, 0, error),
        (0, 8, error),
        (0, 16, Ok(())), // as many bytes a row
        (0, 17, error),
        (1, 0, error),
        (1, 6, error),
        (1, 8, error),
        (2, 0xff, Ok(())),
        (3, 0xff, Ok(())),
        (4, 10, error),
        (4, 0, Ok(())), // this label has none then
        (5, 9, Ok(())),
        (6, 255, error),
        (7, 0xff, Ok(())),
    ] {
        let found = error_after(|bytes| {
            let start = section(bytes, SectionKind::LabelBitmaps).start;
            bytes[start + place] = byte;
        });
        assert_eq!(found, expected, "{byte} at {place}");
    }
    let shortened = |length| error_after(|bytes| put_u32(bytes, table_entry(SectionKind::LabelBitmaps) + 8, length));
    assert_eq!(shortened(0), Ok(()), "an empty section is none");
    for length in [1, 3, 4, 6, 7] {
        assert_eq!(shortened(length), error, "{length} bytes");
    }
}

#[test]
fn the_writer_takes_bitmaps_of_whole_rows_for_every_class() {
    let with = |height, bitmaps: &[Vec<bool>]| {
        let mut model = every_operator();
        model.parameters.set_label_bitmaps(height, bitmaps).and_then(|()| model.finish(&LABELS)).map(|_| ())
    };
    let error = Err(PackageError::Section { kind: SectionKind::LabelBitmaps });
    let (none, ten) = (Vec::new, || vec![true; 10]);
    assert_eq!(with(2, &[ten(), none(), ten()]), Ok(()));
    assert_eq!(with(2, &[ten(), none()]), error, "two bitmaps for three classes");
    assert_eq!(with(3, &[ten(), none(), none()]), error, "ten pixels in three rows");
    assert_eq!(with(1, &[vec![true; 256], none(), none()]), error, "256 columns");
    assert_eq!(with(0, &[ten(), none(), none()]), error, "no rows");
    // Without any bitmap there is no section.
    for bitmaps in [&[][..], &[none(), none(), none()]] {
        let mut model = every_operator();
        model.parameters.set_label_bitmaps(16, bitmaps).expect("nothing to refuse");
        let bytes = AlignedBytes::copy_of(&model.finish(&LABELS).expect("a sound model"));
        assert_eq!(Package::new_checked(bytes.as_slice()).map(|package| package.header().sections), Ok(4));
    }
}

#[test]
fn labels_have_1_to_16_bytes() {
    let model = every_operator();
    assert!(model.finish(&["", "", ""]).is_ok());
    assert!(model.finish(&["0123456789abcdef", "b", "c"]).is_ok());
    assert_eq!(model.finish(&["0123456789abcdefg", "b", "c"]), Err(PackageError::Manifest));
    assert_eq!(model.finish(&["a", "b"]), Err(PackageError::Section { kind: SectionKind::Labels }));
}

#[test]
fn accumulators_cannot_overflow_and_multipliers_are_not_negative() {
    let error = Err(PackageError::Section { kind: SectionKind::Weights });
    let limit = 1 << 30;
    for (word, value, expected) in [
        (0, limit - 1, Ok(())),
        (0, 1 - limit, Ok(())),
        (5, limit, error),
        (5, -limit, error),
        (6, i32::MAX, Ok(())),
        (11, -1, error),
    ] {
        // The first layer has six biases, then six multipliers.
        let found = error_after(|bytes| {
            let place = section(bytes, SectionKind::Weights).start + 4 * word;
            put_u32(bytes, place, value as u32);
        });
        assert_eq!(found, expected, "{value} in word {word}");
    }
}

#[test]
fn attaching_measurements_changes_the_hash_alone() {
    let mut bytes = sound();
    bytes.extend_from_slice(b"a signature, one day");
    let hash = [7; 32];
    set_measured_hash(&mut bytes, &hash).expect("a sound package");
    assert_eq!(bytes[32..64], hash);
    assert_eq!(exercise(&bytes, WORK), Ok(()));
    set_measured_hash(&mut bytes, &[0; 32]).expect("a sound package");
    assert_eq!(bytes, sound());
    assert_eq!(set_measured_hash(&mut bytes[1..].to_vec(), &hash), Err(PackageError::NotAPackage));
}

proptest! {
    #![proptest_config(crate::cases(4000))]

    /// Packages that are well-formed but describe other graphs than the weights were made for.
    #[test]
    fn mutated_models_are_refused_or_run_as_the_oracle_says(seed: u64, layers in 1..12_usize, changes in 1..5_u8) {
        let (mut model, labels) = random_model(seed, layers);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        model.pack(&labels);
        let mut random = Random::new(seed);
        for _ in 0..changes {
            mutate(&mut model.graph, &mut random);
        }
        let fit = random.pick(&[Fit::WholeImage, Fit::InkBox { longer_side: random.clone().word() as u16 }]);
        let mut manifest = model.manifest();
        (manifest.preprocessing.fit, manifest.preprocessing.ink_threshold) = (fit, random.word() as u8);
        if let Ok(bytes) = model.parameters.finish(&manifest, &labels) {
            prop_assert_eq!(exercise(&bytes, WORK), Ok(()));
        }
    }

    /// Rubbish inside a package of right checksum.
    #[test]
    fn overwritten_packages_are_refused_or_run(
        small: bool, place: prop::sample::Index, rubbish in prop::collection::vec(any::<u8>(), 1..24),
    ) {
        let mut bytes = if small { halves() } else { sound() };
        let place = 16 + place.index(bytes.len() - 20);
        let end = (place + rubbish.len()).min(bytes.len() - 4);
        bytes[place..end].copy_from_slice(&rubbish[..end - place]);
        reseal(&mut bytes);
        let _ = exercise(&bytes, WORK);
    }

    #[test]
    fn random_bytes_are_refused(rubbish in prop::collection::vec(any::<u8>(), 0..300), seal: bool) {
        prop_assert_eq!(open(&rubbish), Err(PackageError::NotAPackage));
        let mut bytes = sound()[..64].to_vec();
        bytes.extend_from_slice(&rubbish);
        bytes.extend_from_slice(&[0; 4]);
        let total = bytes.len() as u32;
        put_u32(&mut bytes, 12, total);
        if seal {
            reseal(&mut bytes);
        }
        prop_assert!(open(&bytes).is_err());
    }
}

/// The mutations above reach the runtime, they are not all refused.
#[test]
fn some_mutations_are_accepted() {
    let accepted = |seed: &u64| {
        let mut model = every_operator();
        mutate(&mut model.graph, &mut Random::new(*seed));
        model.finish(&LABELS).is_ok()
    };
    let count = (0..1000).filter(accepted).count();
    assert!((50..950).contains(&count), "{count} of 1000 mutations are accepted");
}
