//! Every kernel against the oracle, byte for byte, on random shapes and numbers at and away from the edges.

use fude_runtime::graph::{ElementType, Layer, Operator, Parameters, Tensor, Window};
use fude_runtime::kernels;
use fude_runtime::kernels::arch;
use fude_runtime::layout::WeightLayout;
use fude_runtime::limits::{MAX_FAN_IN, MAX_TOP_K};
use fude_runtime::package::{AlignedBytes, LayerParameters};
use fude_runtime::quant::MIN_SHIFT;
use fude_runtime::trial::{Kernel, SHAPES, Trial, TrialBuilder};
use proptest::prelude::*;

use crate::models::{INT8, to_bytes};

const MAX_BIAS: i32 = (1 << 30) - 1;

/// The layouts that this machine has kernels for.
pub fn layouts() -> impl Iterator<Item = WeightLayout> {
    WeightLayout::ALL.into_iter().filter(|&layout| arch::runs(layout))
}

/// The output of a trial by the kernels of `layout`. All memory is garbage before.
fn output_of(trial: &TrialBuilder, layout: WeightLayout) -> Vec<u8> {
    let bytes = AlignedBytes::copy_of(&trial.write(layout).expect("weights that the layout holds"));
    let (trial, rest) = Trial::read(bytes.as_slice()).expect("written by the writer");
    assert!(rest.is_empty());
    let mut arena = AlignedBytes::copy_of(&vec![0x5a; trial.arena_bytes()]);
    trial.prepare(arena.as_mut_slice()).expect("the arena is large enough");
    trial.run(arena.as_mut_slice()).expect("it runs").to_vec()
}

/// `FUDE_TRIALS` of each kernel, else a tenth of what `make bench-boards` gives to boards.
#[test]
fn kernels_equal_the_oracle() {
    let asked = std::env::var("FUDE_TRIALS").ok().and_then(|count| count.parse().ok());
    for layout in layouts() {
        for kernel in Kernel::ALL {
            for seed in 0..asked.unwrap_or(1000) {
                let trial = kernel.draw(seed, layout);
                assert_eq!(output_of(&trial, layout), trial.expected(), "{kernel:?}, seed {seed}, {}", layout.name());
            }
        }
    }
}

#[test]
fn the_preferred_kernels_are_there() {
    assert!(arch::runs(arch::preferred()));
    // As every host has the portable ones, a better layout comes from its processor.
    assert!(arch::runs(WeightLayout::Portable));
}

#[test]
fn the_shapes_are_what_they_say() {
    for shape in SHAPES {
        let trial = shape.trial(1);
        assert_eq!(trial.graph().total_cost().macs, shape.macs, "{}", shape.name);
        let expected = trial.expected();
        for layout in layouts() {
            assert!(output_of(&trial, layout) == expected, "{}, {}", shape.name, layout.name());
        }
        let outputs: std::collections::BTreeSet<u8> = expected.into_iter().collect();
        assert!(outputs.len() > 200, "{}: {} values only", shape.name, outputs.len());
    }
}

/// Every layout is a bijection that keeps the length.
#[test]
fn layouts_can_be_undone() {
    for layout in WeightLayout::ALL {
        for kernel in Kernel::ALL {
            for seed in 0..300 {
                let trial = kernel.draw(seed, layout);
                let (graph, layer) = (trial.graph(), &trial.graph().layers[0]);
                let Some(sizes) = graph.parameter_sizes(layer) else { continue };
                let weights: Vec<i8> =
                    (0..sizes.weights).map(|place| ((place * 89 + 7) % 255) as u8 as i8).map(|w| w.max(-127)).collect();
                let arranged = layout.arrange(graph, layer, &weights).expect("no weight of −128");
                assert_eq!(arranged.len(), weights.len());
                assert_eq!(
                    layout.to_portable(graph, layer, &arranged),
                    weights,
                    "{kernel:?}, seed {seed}, {}",
                    layout.name()
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(600))]

    #[test]
    fn top_k(scores in prop::collection::vec(prop_oneof![any::<i16>(), -2..=2_i16, Just(i16::MIN)], 0..60), k in 0..20_usize, wide: bool) {
        let element = if wide { ElementType::Int16 } else { ElementType::Int8 };
        let scores: Vec<i32> = scores.iter().map(|&score| if wide { score.into() } else { (score as i8).into() }).collect();
        let answers = kernels::top_k(&to_bytes(&scores, element), element, k);
        let mut classes: Vec<usize> = (0..scores.len()).collect();
        classes.sort_by_key(|&class| -scores[class]); // stable: the lower index first among equals
        classes.truncate(k.min(MAX_TOP_K));
        let found: Vec<usize> = answers.iter().map(|answer| usize::from(answer.class)).collect();
        prop_assert_eq!(found, classes);
        prop_assert!(answers.iter().all(|answer| i32::from(answer.score) == scores[usize::from(answer.class)]));
    }
}

/// A layer from `from` to `to` with the same number everywhere.
fn constant(
    operator: Operator,
    from: Tensor,
    to: Tensor,
    input: i8,
    weight: i8,
    (bias, multiplier): (i32, i32),
) -> TrialBuilder {
    let mut trial = TrialBuilder::new();
    let (input, output) = (trial.input(from, vec![input; from.elements()]), trial.tensor(to));
    let layer = Layer { operator, input, output };
    let sizes = trial.graph().parameter_sizes(&layer).expect("a layer with weights");
    let (bias, multipliers) = (vec![bias; sizes.channels], vec![multiplier; sizes.channels]);
    trial.layer(
        layer,
        &LayerParameters { bias: &bias, multipliers: &multipliers, weights: &vec![weight; sizes.weights] },
    );
    trial
}

fn tensor((height, width, channels): (u16, u16, u16), zero_point: i16) -> Tensor {
    Tensor { height, width, channels, element: ElementType::Int8, zero_point, scale: 1.0, offset: 0 }
}

/// The longest sum of the largest products on top of the largest bias: one below the end of an `i32`.
#[test]
fn accumulators_reach_the_ends_of_32_bits() {
    for layout in layouts() {
        let smallest = if layout.holds_minus_128() { -128 } else { -127 };
        for (weight, bias, multiplier) in
            [(smallest, MAX_BIAS, i32::MAX), (127, -MAX_BIAS, i32::MAX), (smallest, -5, 1 << 20)]
        {
            let wide = Parameters { offset: 0, shift: 45, bounds: (i16::MIN, i16::MAX) };
            let dense = Operator::Dense { parameters: wide };
            let from = tensor((64, 64, (MAX_FAN_IN / 4096) as u16), -128);
            let to = Tensor { element: ElementType::Int16, ..tensor((1, 1, 7), 0) };
            let trial = constant(dense, from, to, -128, weight, (bias, multiplier));
            assert_eq!(output_of(&trial, layout), trial.expected());

            let window = Window { size: (4, 4), stride: (1, 1), pad_rows: (3, 0), pad_columns: (0, 3) };
            let narrow = Parameters { bounds: INT8, ..wide };
            let convolution = Operator::Convolution { window, parameters: narrow };
            let from = tensor((4, 4, (MAX_FAN_IN / 16) as u16), -128);
            let trial = constant(convolution, from, tensor((4, 4, 5), 0), -128, weight, (bias, multiplier));
            assert_eq!(output_of(&trial, layout), trial.expected());
        }
    }
}

/// Results at both ends are not an accident of the cases above: saturate on purpose.
#[test]
fn results_saturate_at_both_ends() {
    for layout in layouts() {
        for (bounds, expected) in [(INT8, [127, -128]), ((-3, 90), [90, -3])] {
            for (weight, expected) in [127, -127].into_iter().zip(expected) {
                let operator = Operator::Convolution {
                    window: Window::square(1, 1, 0),
                    parameters: Parameters { offset: 0, shift: MIN_SHIFT, bounds },
                };
                let trial = constant(operator, tensor((1, 3, 3), 0), tensor((1, 3, 5), 0), 127, weight, (0, i32::MAX));
                assert_eq!(output_of(&trial, layout), [expected as i8 as u8; 15]);
            }
        }
    }
}
