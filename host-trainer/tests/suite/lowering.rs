//! The integers say what fake quantisation said in training.
//!
//! Every integer layer is computed by the runtime's oracle, which the runtime's own tests hold to its kernels
//! byte for byte, from the very integers that the fake-quantised layer read.

use burn::module::Param;
use burn::tensor::{Device, Tensor, s};
use fude_runtime::graph::{self, ElementType, Operator};
use fude_runtime::kernels::oracle;
use fude_runtime::package::{AlignedBytes, Manifest, Package, Preprocessing};
use fude_trainer::model::{Activation, Architecture, Mode, Network, Operation};
use fude_trainer::quantize::{LowerError, Lowered, RangeSource, lower};
use fude_trainer::tensors::{floats, glyph_tensor};

use crate::networks::{CLASSES, PRESETS, observed_network, random_glyphs};

/// The most that an 8-bit layer may differ by, in steps. Both sides compute the same real number but for the rounding
/// of the bias (half an accumulator step: less than an eighth of an output step, as the rule's scales are below 1/4),
/// of the multipliers (2⁻³⁰ of the largest) and of `f32`. Where that straddles a rounding boundary, or at a tie (up
/// here, to even in training), the integers are neighbours.
const INT8_BOUND: f64 = 1.0;
/// The same for 16-bit logits, whose step the lowering may have coarsened: half a step each for the rounding of
/// training and of lowering, an eighth for the bias, and the roundings of `f32`, which holds 2¹⁴ steps to 2⁻¹⁰.
const INT16_BOUND: f64 = 1.25;
/// The most 8-bit values that may differ at all: those within the errors above of a rounding boundary.
const MOST_DIFFERING: f64 = 0.005;

/// What the comparison of a network came to.
#[derive(Default)]
struct Comparison {
    /// 8-bit elements compared.
    elements: usize,
    /// How many of them differed.
    differing: usize,
    /// The largest difference of each layer, in steps of its output.
    largest: Vec<f64>,
}

/// A fake-quantised tensor as steps of the grid that it was lowered to, NHWC.
fn steps(tensor: Tensor<4>, grid: &graph::Tensor) -> Vec<f64> {
    let step = |value: f32| f64::from(value) / f64::from(grid.scale) + f64::from(grid.zero_point);
    floats(tensor.permute([0, 2, 3, 1])).into_iter().map(step).collect()
}

/// The integers of an 8-bit tensor.
fn integers(steps: &[f64]) -> Vec<i32> {
    let integer = |step: &f64| {
        assert!((step - step.round()).abs() < 0.01 && (-128.1..127.1).contains(step), "{step} is not on the grid");
        step.round() as i32
    };
    steps.iter().map(integer).collect()
}

fn compare(network: &Network, source: RangeSource, glyphs: &[u8]) -> Comparison {
    let side = network.architecture().input.height;
    let Lowered { graph, builder } = lower(network, source).unwrap();
    let preprocessing = Preprocessing::ink_box(side as u16);
    let manifest = Manifest { name: "test".try_into().unwrap(), preprocessing, label_bytes: 1, graph };
    let bytes = builder.finish(&manifest, &vec!["x"; network.architecture().classes()]).unwrap();
    let bytes = AlignedBytes::copy_of(&bytes);
    let package = Package::new_checked(bytes.as_slice()).unwrap();
    let graph = package.graph();

    let mut comparison = Comparison { largest: vec![0.0; graph.layers.len()], ..Comparison::default() };
    for glyph in glyphs.chunks_exact(side * side) {
        let tensors = network.forward_all(glyph_tensor(glyph, side, &Device::flex()), Mode::FakeQuantized(source));
        let trained: Vec<Vec<f64>> =
            tensors.into_iter().zip(&graph.tensors).map(|(tensor, grid)| steps(tensor, grid)).collect();
        for (index, layer) in graph.layers.iter().enumerate() {
            let second = layer.operator.second_input().map_or(vec![], |second| integers(&trained[usize::from(second)]));
            let input = integers(&trained[usize::from(layer.input)]);
            let lowered = oracle::layer(graph, layer, &package.parameters(index), &input, &second);
            let expected = &trained[usize::from(layer.output)];
            assert_eq!(lowered.len(), expected.len());
            let differences = lowered.iter().zip(expected).map(|(&lowered, &step)| (f64::from(lowered) - step).abs());
            if graph.tensors[usize::from(layer.output)].element == ElementType::Int8 {
                comparison.elements += expected.len();
                comparison.differing += differences.clone().filter(|&difference| difference > 0.5).count();
            }
            comparison.largest[index] = differences.fold(comparison.largest[index], f64::max);
        }
    }
    comparison
}

fn assert_lowers_faithfully(network: &Network, source: RangeSource, what: &str) {
    let side = network.architecture().input.height;
    let comparison = compare(network, source, &random_glyphs(side, 3, 5));
    let (logits, layers) = comparison.largest.split_last().unwrap();
    assert!(layers.iter().all(|&difference| difference < INT8_BOUND + 0.01), "{what}: {layers:.2?}");
    assert!(*logits < INT16_BOUND, "{what}: logits differ by {logits:.2}");
    let share = comparison.differing as f64 / comparison.elements as f64;
    assert!(share <= MOST_DIFFERING, "{what}: {share} of the values differ");
}

#[test]
fn every_integer_layer_says_what_fake_quantisation_said() {
    for preset in PRESETS {
        let network = observed_network(preset.architecture(CLASSES), 4);
        assert_lowers_faithfully(&network, RangeSource::Observed, &format!("{preset:?}"));
    }
}

/// Learned ranges may be anything. Here the upper ends have shrunk, so that values saturate, and the lower ones reach
/// below zero, so that a fused ReLU is not the end of the integers' range.
#[test]
fn learned_ranges_are_lowered_as_they_are() {
    let mut network = observed_network(PRESETS[0].architecture(CLASSES), 6);
    for range in &mut network.ranges {
        let learned = range.learned.val();
        let lower = Tensor::from_floats([-0.2, 0.0], &Device::flex()) * learned.clone().narrow(0, 1, 1);
        range.learned = Param::from_tensor(learned * 0.7 + lower);
    }
    assert_lowers_faithfully(&network, RangeSource::Learned, "learned");
}

/// A small network with every kind of node, convolutions with a bias among them.
fn with_biases() -> Architecture {
    let convolution = |channels, size, padding, activation| Operation::Convolution {
        channels,
        size,
        stride: 1,
        padding,
        batch_norm: false,
        activation,
    };
    let mut architecture = Architecture::new(12);
    let stem = architecture.push(0, convolution(8, 3, 1, Activation::Relu));
    let middle = architecture.push(stem, convolution(8, 3, 1, Activation::Relu));
    let linear = architecture.push(middle, convolution(8, 1, 0, Activation::Linear));
    let squeezed = architecture.push(linear, Operation::GlobalAverage);
    let gate = architecture.push(squeezed, convolution(8, 1, 0, Activation::HardSigmoid));
    let gated = architecture.push(linear, Operation::Gate { gate });
    let sum = architecture.push(gated, Operation::Add { other: stem, activation: Activation::Linear });
    let pooled = architecture.push(sum, Operation::GlobalAverage);
    architecture.push(pooled, convolution(CLASSES, 1, 0, Activation::Linear));
    architecture
}

/// Sets the weights of `channel` of layer `layer` to zero and its bias to `bias`.
fn kill_channel(network: &mut Network, layer: usize, channel: usize, bias: f32) {
    let layer = &mut network.layers[layer];
    let weight = layer.weight.val();
    let [_, inputs, rows, columns] = weight.dims();
    let zeros = Tensor::zeros([1, inputs, rows, columns], &Device::flex());
    layer.weight = Param::from_tensor(weight.slice_assign(s![channel..channel + 1], zeros));
    let values = layer.bias.as_ref().unwrap().val();
    let value = Tensor::from_floats([bias], &Device::flex());
    layer.bias = Some(Param::from_tensor(values.slice_assign(s![channel..channel + 1], value)));
}

#[test]
fn linear_layers_with_a_bias_and_negative_values_are_lowered() {
    let network = observed_network(with_biases(), 7);
    assert!(network.ranges[2].grid(RangeSource::Observed).zero_point > -128, "the linear layer has negative values");
    assert_lowers_faithfully(&network, RangeSource::Observed, "with biases");
}

#[test]
fn a_dead_channel_gives_its_bias() {
    for bias in [3.0, -3.0, 1e-4, 0.0] {
        let mut network = observed_network(with_biases(), 8);
        (0..network.layers.len()).for_each(|layer| kill_channel(&mut network, layer, 2, bias));
        let glyphs = glyph_tensor(&random_glyphs(12, 4, 9), 12, &Device::flex());
        for _ in 0..100 {
            network.forward(glyphs.clone(), Mode::FakeQuantized(RangeSource::Observe));
        }
        assert_lowers_faithfully(&network, RangeSource::Observed, &format!("bias {bias}"));
    }
}

/// All weights of a layer zero: its range is a single point, and whatever reads it has nothing to scale.
#[test]
fn a_dead_layer_is_lowered() {
    let mut network = observed_network(with_biases(), 10);
    (0..8).for_each(|channel| kill_channel(&mut network, 0, channel, 0.0));
    let glyphs = glyph_tensor(&random_glyphs(12, 4, 9), 12, &Device::flex());
    for _ in 0..600 {
        network.forward(glyphs.clone(), Mode::FakeQuantized(RangeSource::Observe));
    }
    assert_lowers_faithfully(&network, RangeSource::Observed, "dead layer");
}

#[test]
fn each_node_becomes_the_layer_of_its_number() {
    let network = observed_network(with_biases(), 11);
    let Lowered { graph, .. } = lower(&network, RangeSource::Observed).unwrap();
    let names: Vec<&str> = graph.layers.iter().map(|layer| layer.operator.name()).collect();
    let pool = "average pool";
    assert_eq!(names, ["convolution", "convolution", "pointwise", pool, "dense", "gate", "add", pool, "dense"]);
    // A fused ReLU is a bound at the integer of zero, a linear layer has the whole range.
    let bounds = |index: usize| match graph.layers[index].operator {
        Operator::Convolution { parameters, .. } => parameters.bounds,
        other => panic!("{other:?}"),
    };
    assert_eq!((bounds(0), bounds(2)), ((graph.tensors[1].zero_point, 127), (-128, 127)));
}

#[test]
fn numbers_that_are_not_finite_are_refused_with_their_node() {
    let broken = |value: f32| {
        let mut network = observed_network(with_biases(), 12);
        kill_channel(&mut network, 1, 0, value);
        lower(&network, RangeSource::Observed).err()
    };
    for value in [f32::NAN, f32::INFINITY] {
        assert!(matches!(broken(value), Some(LowerError::NotFinite { node: 1 })));
    }
    let mut network = observed_network(with_biases(), 12);
    network.ranges[5].learned = Param::from_tensor(Tensor::from_floats([0.0, f32::NAN], &Device::flex()));
    assert!(matches!(lower(&network, RangeSource::Learned), Err(LowerError::NotFinite { node: 5 })));
    assert!(lower(&network, RangeSource::Observed).is_ok());
}

#[test]
fn a_network_longer_than_a_package_is_refused() {
    let mut architecture = Architecture::new(1);
    let convolution = Operation::Convolution {
        channels: 1,
        size: 1,
        stride: 1,
        padding: 0,
        batch_norm: false,
        activation: Activation::Relu,
    };
    let last = (0..70).fold(0, |tensor, _| architecture.push(tensor, convolution));
    assert_eq!(last, 70);
    let error = lower(&observed_network(architecture, 13), RangeSource::Observed).err();
    assert!(matches!(error, Some(LowerError::TooManyNodes(70))));
}
