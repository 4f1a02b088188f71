//! Quantisation-aware training reaches every parameter.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Gradients, Int, Tensor};
use fude_trainer::model::{Activation, Mode, Network, Preset};
use fude_trainer::quantize::RangeSource;
use fude_trainer::tensors::glyph_tensor;

use crate::networks::{CLASSES, PRESETS, observed_network, random_glyphs};

const BATCHES: u64 = 8;
const BATCH: usize = 2;

/// Sums the magnitudes of every parameter's gradient under the parameter's path.
struct GradientSums<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    sums: &'a mut BTreeMap<String, f32>,
}

impl ModuleVisitor for GradientSums<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        let sum = gradient.map_or(0.0, |gradient| gradient.abs().sum().into_scalar::<f32>());
        *self.sums.entry(self.path.join(".")).or_default() += sum;
    }
}

/// The sum of magnitudes of every parameter's gradient over a few batches, by the parameter's path.
fn gradient_sums(preset: Preset, source: RangeSource) -> BTreeMap<String, f32> {
    let device = Device::flex().autodiff();
    let network = observed_network(preset.architecture(CLASSES), 1).train();
    let mut sums = BTreeMap::new();
    for batch in 0..BATCHES {
        let glyphs = glyph_tensor(&random_glyphs(preset.side(), BATCH, batch), preset.side(), &device);
        let labels: Tensor<1, Int> = Tensor::arange(batch as i64..(batch as usize + BATCH) as i64, &device);
        let labels = labels.remainder_scalar(CLASSES as i64);
        let logits = network.forward(glyphs, Mode::FakeQuantized(source));
        let gradients = CrossEntropyLossConfig::new().init(&device).forward(logits, labels).backward();
        network.visit(&mut GradientSums { gradients: &gradients, path: vec![], sums: &mut sums });
    }
    // Statistics are observed, not trained.
    sums.retain(|path, _| !["running_mean", "running_var", "observed"].iter().any(|name| path.ends_with(name)));
    sums
}

/// Paths of the learned ranges that a pass in `Learned` mode uses: all but those of gates, whose range is given.
fn learned_ranges(network: &Network) -> Vec<String> {
    let nodes = network.architecture().nodes.iter().enumerate();
    let used = nodes.filter(|(_, node)| node.operation.activation() != Activation::HardSigmoid);
    used.map(|(index, _)| format!("ranges.{index}.learned")).collect()
}

fn assert_all_reached(sums: &BTreeMap<String, f32>, expected: impl Fn(&str) -> bool) {
    let silent = |(path, sum): &(&String, &f32)| expected(path) && !(sum.is_finite() && **sum > 0.0);
    let silent: Vec<_> = sums.iter().filter(silent).collect();
    assert!(silent.is_empty(), "no gradient reaches {silent:?}");
}

#[test]
fn every_weight_is_trained_while_ranges_are_observed() {
    for preset in PRESETS {
        let sums = gradient_sums(preset, RangeSource::Observe);
        assert!(sums.contains_key("layers.0.weight") && sums.contains_key("layers.0.norm.gamma"), "{sums:?}");
        assert_all_reached(&sums, |path| path.starts_with("layers."));
        // An observed range moves by observation alone.
        assert!(sums.iter().all(|(path, sum)| path.starts_with("layers.") || *sum == 0.0), "{sums:?}");
    }
}

#[test]
fn every_weight_and_every_range_is_trained_while_ranges_are_learned() {
    for preset in PRESETS {
        let sums = gradient_sums(preset, RangeSource::Learned);
        let ranges = learned_ranges(&Network::new(preset.architecture(CLASSES), &Device::flex()));
        assert!(ranges.iter().all(|range| sums.contains_key(range)), "{sums:?}");
        assert_all_reached(&sums, |path| path.starts_with("layers.") || ranges.iter().any(|range| range == path));
    }
}

#[test]
fn a_convolution_has_batch_normalisation_or_a_bias_but_not_both() {
    for preset in PRESETS {
        let network = Network::new(preset.architecture(CLASSES), &Device::flex());
        for (index, layer) in network.layers.iter().enumerate() {
            assert_ne!(layer.norm.is_some(), layer.bias.is_some(), "layer {index} of {preset:?}");
        }
    }
}
