//! The recogniser as a whole: answers that can be computed by hand, and the runtime against the oracle.

use fude_runtime::ink::Image;
use fude_runtime::kernels::Answer;
use fude_runtime::package::{AlignedBytes, Package, SectionKind, repack};
use fude_runtime::recognizer::{Recognizer, RecognizerError};
use proptest::prelude::*;

use crate::kernels::layouts;
use crate::models::{
    LABELS, Random, Recorder, every_operator, halves, oracle_layers, random_model, reseal, runtime_layers, section,
};

#[test]
fn recognises_by_hand() {
    let bytes = AlignedBytes::copy_of(&halves());
    let package = Package::new_checked(bytes.as_slice()).expect("a sound package");
    assert_eq!(package.labels().collect::<Vec<_>>(), ["左", "右"]);
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena).expect("the arena is large enough");

    // Means of the halves: (4·200 + 4·10)/8 = 105 and (7·0 + 255)/8 = 31.875, which rounds to 32.
    let pixels = [200, 10, 0, 0, 200, 10, 0, 255, 200, 10, 0, 0, 200, 10, 0, 0];
    let image = Image::new(4, 4, &pixels).expect("16 pixels");
    let mut recorder = Recorder::default();
    let answers = recognizer.recognize_observed(&image, 5, &mut recorder).expect("it runs");
    assert_eq!(answers.as_slice(), [Answer { class: 0, score: 105 - 128 }, Answer { class: 1, score: 32 - 128 }]);
    assert_eq!(recorder.started, [0]);
    assert_eq!(recorder.outputs, [recognizer.logits()]);

    let mirrored: Vec<u8> = pixels.chunks_exact(4).flat_map(|line| line.iter().rev().copied()).collect();
    let image = Image::new(4, 4, &mirrored).expect("16 pixels");
    let answers = recognizer.recognize(&image, 1).expect("it runs");
    assert_eq!(answers.as_slice(), [Answer { class: 1, score: 105 - 128 }]);
    assert!(recognizer.recognize(&image, 0).expect("it runs").is_empty());
}

#[test]
fn the_observer_sees_every_layer() {
    let bytes = AlignedBytes::copy_of(&every_operator().pack(&LABELS));
    let package = Package::new_checked(bytes.as_slice()).expect("a sound package");
    let layers = package.graph().layers.len();
    let mut arena = vec![0; package.arena_bytes()];
    let input: Vec<u8> = package.golden().next().expect("two golden vectors").input.to_vec();
    let expected = oracle_layers(&package, &input);
    let mut recognizer = Recognizer::new(&package, &mut arena).expect("the arena is large enough");
    let mut recorder = Recorder::default();
    recognizer.infer(&input, &mut recorder).expect("it runs");
    assert_eq!(recorder.started, (0..layers).collect::<Vec<_>>());
    assert_eq!(recorder.outputs, expected);
}

#[test]
fn the_self_test_notices_a_wrong_golden_output() {
    let mut bytes = every_operator().pack(&LABELS);
    let self_test = |bytes: &[u8]| {
        let bytes = AlignedBytes::copy_of(bytes);
        let package = Package::new_checked(bytes.as_slice()).expect("a sound package");
        let mut arena = vec![0; package.arena_bytes()];
        Recognizer::new(&package, &mut arena).expect("the arena is large enough").self_test()
    };
    assert_eq!(self_test(&bytes), Ok(2));
    let last = section(&bytes, SectionKind::Golden).end - 1;
    bytes[last] ^= 1;
    reseal(&mut bytes);
    assert_eq!(self_test(&bytes), Err(RecognizerError::SelfTest { vector: 1 }));
}

#[test]
fn memory_and_inputs_of_the_wrong_size_are_refused() {
    let bytes = AlignedBytes::copy_of(&halves());
    let package = Package::new_checked(bytes.as_slice()).expect("a sound package");
    let needed = package.arena_bytes();
    let mut arena = vec![0; needed];
    let short = Recognizer::new(&package, &mut arena[1..]).map(|_| ());
    assert_eq!(short, Err(RecognizerError::Arena { needed: needed as u32, given: needed as u32 - 1 }));
    let mut recognizer = Recognizer::new(&package, &mut arena).expect("just large enough");
    for given in [0, 15, 17] {
        let refused = recognizer.infer(&vec![0; given], &mut Recorder::default()).map(<[u8]>::to_vec);
        assert_eq!(refused, Err(RecognizerError::InputLength { needed: 16, given: given as u32 }));
    }
}

proptest! {
    #![proptest_config(crate::cases(400))]

    /// Whatever the graph: every layer writes the oracle's bytes, so no tensor was overwritten too early.
    #[test]
    fn random_models_run_as_the_oracle_says(seed: u64, layers in 1..20_usize) {
        let (mut model, labels) = random_model(seed, layers);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let (height, width, _) = model.shape(0);
        let mut random = Random::new(seed);
        let inputs: Vec<Vec<u8>> =
            (0..2).map(|_| (0..height * width).map(|_| random.word() as u8).collect()).collect();
        let portable = model.pack_with_golden(&labels, &inputs);
        for layout in layouts() {
            let bytes = AlignedBytes::copy_of(&repack(&portable, layout).expect("weights that the layout holds"));
            let package = Package::new_checked(bytes.as_slice()).expect("written by the writer");
            for input in &inputs {
                prop_assert_eq!(runtime_layers(&package, input), oracle_layers(&package, input));
            }
            prop_assert!(package.labels().eq(labels.iter().copied()));
            let mut arena = vec![0xa5; package.arena_bytes()];
            prop_assert_eq!(Recognizer::new(&package, &mut arena).expect("large enough").self_test(), Ok(2));
        }
    }
}
