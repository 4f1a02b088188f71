//! Dropout whose masks can be drawn again.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use super::Dropout;
use crate::dataset::rng_for;

/// Stream of random numbers that drops out: the step is added. Distortions use epochs, and orders another stream.
const STREAM: u64 = 1 << 61;

/// What the masks of one step are drawn from. The same key gives the same masks, on whichever device, so a run that
/// goes on after a step drops what it would have dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// Seed of the stage.
    pub seed: u64,
    /// Number of the forward pass: that of the batch, and where gradients are accumulated each has its own.
    pub step: u64,
}

impl DropoutKey {
    /// Zeroes elements of `tensor` `[channels, batch, height, width]` and scales up the others.
    pub(super) fn apply(self, tensor: Tensor<4>, dropout: Dropout) -> Tensor<4> {
        let mask = self.mask(tensor.dims(), dropout);
        let mask = Tensor::from_data(TensorData::new(mask, tensor.dims()), &tensor.device());
        tensor * mask
    }

    /// Zero for an element that is dropped, else what the others are multiplied by.
    fn mask(self, shape: [usize; 4], dropout: Dropout) -> Vec<f32> {
        let mut rng = rng_for(self.seed, STREAM + self.step, dropout.tensor as u64);
        let kept = 1000.0 / (1000.0 - f32::from(dropout.permille));
        let element = |_| if rng.random_range(0..1000_u16) < dropout.permille { 0.0 } else { kept };
        (0..shape.iter().product()).map(element).collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::Device;

    use super::*;
    use crate::model::{Mode, Network, Preset};
    use crate::tensors::{floats, glyph_tensor};

    const SHAPE: [usize; 4] = [512, 64, 1, 1];

    fn mask(seed: u64, step: u64, tensor: usize) -> Vec<f32> {
        DropoutKey { seed, step }.mask(SHAPE, Dropout { tensor, permille: 400 })
    }

    #[test]
    fn the_share_is_dropped_and_the_rest_scaled_up() {
        let mask = mask(1, 2, 3);
        let dropped = mask.iter().filter(|&&value| value == 0.0).count() as f64 / mask.len() as f64;
        // Four standard deviations of 32,768 draws.
        assert!((dropped - 0.4).abs() < 4.0 * (0.4_f64 * 0.6 / 32768.0).sqrt(), "{dropped}");
        assert!(mask.iter().all(|&value| value == 0.0 || value == 1000.0 / 600.0));
    }

    #[test]
    fn a_mask_depends_on_seed_step_and_tensor_alone() {
        assert_eq!(mask(1, 2, 3), mask(1, 2, 3));
        for other in [mask(2, 2, 3), mask(1, 3, 3), mask(1, 2, 4)] {
            assert_ne!(mask(1, 2, 3), other);
        }
    }

    #[test]
    fn training_drops_out_and_evaluation_does_not() {
        let network = Network::new(Preset::ResidualSeparable.architecture(5), &Device::flex()).valid();
        let pixels: Vec<u8> = (0..2 * 32 * 32).map(|at| (at * 7 % 251) as u8).collect();
        let glyphs = || glyph_tensor(&pixels, 32, &Device::flex());
        let training = |seed, step| floats(network.forward_training(glyphs(), Mode::Float, DropoutKey { seed, step }));
        let evaluated = floats(network.forward(glyphs(), Mode::Float));
        assert_eq!(floats(network.forward(glyphs(), Mode::Float)), evaluated);
        assert_ne!(training(1, 1), evaluated);
        assert_eq!(training(1, 1), training(1, 1));
        assert_ne!(training(1, 1), training(1, 2));
        assert_ne!(training(1, 1), training(2, 1));
    }

    #[test]
    fn a_network_without_dropout_trains_as_it_is_evaluated() {
        let network = Network::new(Preset::Nano.architecture(5), &Device::flex()).valid();
        let glyphs = || glyph_tensor(&[90; 24 * 24], 24, &Device::flex());
        let training = network.forward_training(glyphs(), Mode::Float, DropoutKey { seed: 1, step: 1 });
        assert_eq!(floats(training), floats(network.forward(glyphs(), Mode::Float)));
    }
}
