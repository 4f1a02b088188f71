//! Batch normalisation folded into the weights computes what it computed as a step of its own.

use burn::module::Module;
use burn::tensor::Device;
use fude_trainer::model::{Mode, Preset};
use fude_trainer::tensors::{floats, glyph_tensor};

use crate::networks::{CLASSES, PRESETS, random_glyphs, random_network};

/// Largest difference of a tensor's values over the tensor's largest magnitude: some hundred roundings of 2⁻²⁴.
const TOLERANCE: f32 = 1e-5;

#[test]
fn folded_equals_float_in_every_tensor() {
    for preset in PRESETS {
        let network = random_network(preset.architecture(CLASSES), 2);
        let glyphs = glyph_tensor(&random_glyphs(preset.side(), 2, 3), preset.side(), &Device::flex());
        let float = network.forward_all(glyphs.clone(), Mode::Float);
        let folded = network.forward_all(glyphs, Mode::Folded);
        assert_eq!(float.len(), network.architecture().nodes.len() + 1);
        for (index, (float, folded)) in float.into_iter().zip(folded).enumerate() {
            let (float, folded) = (floats(float), floats(folded));
            let largest = float.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(largest > 0.0, "tensor {index} of {preset:?} is all zero: it compares nothing");
            let difference = float.iter().zip(&folded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference <= TOLERANCE * largest, "tensor {index} of {preset:?}: {difference} of {largest}");
        }
    }
}

/// Close to single precision, but not the same; and every weight still learns.
#[test]
fn bfloat16_rounds_operands_and_nothing_else() {
    for preset in [Preset::Nano, Preset::ResidualSeparable, Preset::Residual] {
        let network = random_network(preset.architecture(CLASSES), 3);
        let glyphs = || glyph_tensor(&random_glyphs(preset.side(), 4, 5), preset.side(), &Device::flex());
        let [exact, rounded] = [Mode::Float, Mode::Bfloat16].map(|mode| floats(network.forward(glyphs(), mode)));
        let largest = exact.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
        let apart = exact.iter().zip(&rounded).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
        // Eight bits of mantissa, over some ten layers.
        assert!(apart > 0.0 && apart < 0.05 * largest, "{preset:?}: {apart} of {largest}");

        let device = Device::flex().autodiff();
        let network = network.train();
        let glyphs = glyph_tensor(&random_glyphs(preset.side(), 4, 5), preset.side(), &device);
        let gradients = network.forward(glyphs, Mode::Bfloat16).powi_scalar(2).sum().backward();
        for (index, layer) in network.layers.iter().enumerate() {
            let gradient = floats(layer.weight.val().grad(&gradients).expect("a gradient"));
            assert!(gradient.iter().any(|&value| value != 0.0), "{preset:?}: layer {index} does not learn");
        }
    }
}
