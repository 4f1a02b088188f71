//! The one door for untrusted bytes: what is broken is refused by name, and what is accepted runs.

use fude_runtime::graph::{ElementType, LayerError, Operator, PoolKind};
use fude_runtime::ink::Image;
use fude_runtime::package::{AlignedBytes, Fit, Package, PackageError, SectionKind, set_measured_hash};
use fude_runtime::recognizer::{Recognizer, RecognizerError};
use proptest::prelude::*;

use crate::models::{
    LABELS, Model, Random, Recorder, every_operator, halves, oracle_layers, random_model, reseal, runtime_layers,
    section, table_entry,
};

fn open(bytes: &[u8]) -> Result<(), PackageError> {
    Package::new_checked(AlignedBytes::copy_of(bytes).as_slice()).map(|_| ())
}

/// Opens a package and does with it all that can be done. A panic is a test's failure, as is a layer that is
/// not the oracle's.
fn exercise(bytes: &[u8]) -> Result<(), PackageError> {
    let bytes = AlignedBytes::copy_of(bytes);
    let package = Package::new_checked(bytes.as_slice())?;
    assert!(package.labels().all(|label| label.len() <= 16));
    assert_eq!(package.label(package.classes()), "");
    let _ = (package.model_id(), package.golden().count());
    for bitmap in (0..=package.classes()).filter_map(|class| package.label_bitmap(class)) {
        let (width, height) = (bitmap.width(), bitmap.height());
        assert!(width > 0 && height > 0);
        let ink =
            (0..height + 2).flat_map(|y| (0..width + 9).map(move |x| (x, y))).filter(|&(x, y)| bitmap.is_ink(x, y));
        assert!(ink.into_iter().all(|(x, y)| x < width && y < height));
    }

    let work = package.graph().total_cost().macs as usize + package.graph().arena_bytes();
    if work > 1 << 22 || package.arena_bytes() > 1 << 28 {
        return Ok(()); // it would run, but not in a test's time or memory
    }
    let input: Vec<u8> = (0..package.input().bytes()).map(|place| (place * 37) as u8).collect();
    assert_eq!(runtime_layers(&package, &input), oracle_layers(&package, &input));

    let mut arena = vec![0x5a; package.arena_bytes()];
    let mut recognizer = Recognizer::new(package, &mut arena).expect("the arena is large enough");
    let pixels: Vec<u8> = (0..63).map(|place| (place * 91) as u8).collect();
    let image = Image::new(9, 7, &pixels).expect("63 pixels");
    let answers = recognizer.recognize_observed(&image, 10, &mut Recorder::default()).expect("it runs");
    assert_eq!(answers.len(), recognizer.package().classes().min(10));
    assert!(matches!(recognizer.self_test(), Ok(_) | Err(RecognizerError::SelfTest { .. })));
    Ok(())
}

fn sound() -> Vec<u8> {
    every_operator().pack(&LABELS)
}

/// The error for a sound package after `change`, its checksum renewed.
fn error_after(change: impl FnOnce(&mut Vec<u8>)) -> Result<(), PackageError> {
    let mut bytes = sound();
    change(&mut bytes);
    reseal(&mut bytes);
    exercise(&bytes)
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
    assert_eq!(exercise(&bytes), Ok(()));
    bytes.extend_from_slice(&[0xff; 100]);
    assert_eq!(exercise(&bytes), Ok(()));
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
        accepted += usize::from(exercise(&bytes).is_ok());
    }
    assert!(accepted > 1000, "only {accepted} flips were accepted: weights alone are more");
}

#[test]
fn header_errors_have_names() {
    use PackageError::{Checksum, Graph, Header, Layout, Misaligned, NotAPackage, Version};
    assert_eq!(error_after(|bytes| bytes[0] = 0), Err(NotAPackage));
    assert_eq!(error_after(|bytes| put_u16(bytes, 8, 2)), Err(Version { major: 2, minor: 1 }));
    assert_eq!(error_after(|bytes| put_u16(bytes, 10, 9)), Ok(()), "minor versions stay readable");
    assert_eq!(error_after(|bytes| put_u32(bytes, 12, 60)), Err(Header));
    assert_eq!(error_after(|bytes| put_u16(bytes, 16, 7)), Err(Layout { layout: 7 }));
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
    assert_eq!(exercise(&bytes), Ok(()));
    set_measured_hash(&mut bytes, &[0; 32]).expect("a sound package");
    assert_eq!(bytes, sound());
    assert_eq!(set_measured_hash(&mut bytes[1..].to_vec(), &hash), Err(PackageError::NotAPackage));
}

/// Replaces one number of the model by another that is on, near or beyond a limit.
fn mutate(model: &mut Model, random: &mut Random) {
    let extreme =
        random.pick(&[0, 1, 2, 3, 4, 6, 16, 24, 52, 53, 127, 128, 255, 4096, 65_535, 1 << 21, 1 << 24, 1 << 30]);
    let number = random.pick(&[extreme, -extreme, random.clone().between(-300, 300)]);
    let tensors = model.graph.tensors.len() as u8;
    let id = random.between(0, tensors.into()) as u8;
    let tensor = random.between(0, i64::from(tensors) - 1) as usize;
    let tensor = &mut model.graph.tensors[tensor];
    match random.between(0, 9) {
        0 => tensor.height = number as u16,
        1 => tensor.width = number as u16,
        2 => tensor.channels = number as u16,
        3 => tensor.zero_point = number as i16,
        4 => tensor.offset = number as u32,
        5 => tensor.element = random.pick(&[ElementType::Int8, ElementType::Int16]),
        6 => tensor.scale = f32::from_bits(random.word() as u32),
        7 => model.graph.scratch.0 = number as u32,
        _ => mutate_layer(model, random, number, id),
    }
}

fn mutate_layer(model: &mut Model, random: &mut Random, number: i64, id: u8) {
    let count = model.graph.layers.len();
    let (one, other) = (random.between(0, count as i64 - 1) as usize, random.between(0, count as i64 - 1) as usize);
    match random.between(0, 7) {
        0 => return model.graph.layers.swap(one, other),
        1 => return model.graph.layers[one].input = id,
        2 => return model.graph.layers[one].output = id,
        3 => {
            model.graph.layers.remove(one);
            return;
        }
        _ => {}
    }
    match &mut model.graph.layers[one].operator {
        Operator::Convolution { window, parameters } | Operator::Depthwise { window, parameters } => {
            match random.between(0, 6) {
                0 => window.size.0 = number as u8,
                1 => window.stride.1 = number as u8,
                2 => window.pad_rows.1 = number as u8,
                3 => window.pad_columns.0 = number as u8,
                4 => parameters.shift = number as u8,
                5 => parameters.bounds.0 = number as i16,
                _ => parameters.offset = number as u32,
            }
        }
        Operator::Dense { parameters } => match random.between(0, 2) {
            0 => parameters.offset = number as u32,
            1 => parameters.bounds.1 = number as i16,
            _ => parameters.shift = number as u8,
        },
        Operator::Pool { window, kind } => match (random.between(0, 4), kind) {
            (0, _) => window.size.1 = number as u8,
            (1, _) => window.stride.0 = number as u8,
            (2, _) => window.pad_rows.0 = number as u8,
            (3, PoolKind::Average { multiplier, .. }) => *multiplier = number as i32,
            (_, kind) => *kind = PoolKind::Max,
        },
        Operator::Gate { gate, multiplier, shift } => match random.between(0, 2) {
            0 => *gate = id,
            1 => *multiplier = number as i32,
            _ => *shift = number as u8,
        },
        Operator::Add { other, multipliers, shift, bounds } => match random.between(0, 3) {
            0 => *other = id,
            1 => multipliers.0 = number as i32,
            2 => bounds.0 = number as i16,
            _ => *shift = number as u8,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Packages that are well-formed but describe other graphs than the weights were made for.
    #[test]
    fn mutated_models_are_refused_or_run_as_the_oracle_says(seed: u64, layers in 1..12_usize, changes in 1..5_u8) {
        let (mut model, labels) = random_model(seed, layers);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        model.pack(&labels);
        let mut random = Random(seed);
        for _ in 0..changes {
            if !model.graph.layers.is_empty() {
                mutate(&mut model, &mut random);
            }
        }
        let fit = random.pick(&[Fit::WholeImage, Fit::InkBox { longer_side: random.clone().word() as u16 }]);
        let mut manifest = model.manifest();
        (manifest.preprocessing.fit, manifest.preprocessing.ink_threshold) = (fit, random.word() as u8);
        if let Ok(bytes) = model.parameters.finish(&manifest, &labels) {
            prop_assert_eq!(exercise(&bytes), Ok(()));
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
        let _ = exercise(&bytes);
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
        mutate(&mut model, &mut Random(*seed));
        model.finish(&LABELS).is_ok()
    };
    let count = (0..1000).filter(accepted).count();
    assert!((50..950).contains(&count), "{count} of 1000 mutations are accepted");
}
