//! Weights rounded to the grid of the device, which training looks through.

use burn::tensor::Tensor;

use crate::operators::round_straight_through;

/// Largest magnitude of a quantised weight: symmetric, so −128 is not used.
pub(super) const WEIGHT_LIMIT: f32 = 127.0;
/// Smallest scale: a channel of zeros must not divide by zero.
pub(super) const SMALLEST_SCALE: f32 = 1e-12;

/// Rounds weights `[out, …]` to 255 steps a channel, symmetric around zero, and scales them back.
pub fn fake_quantize_weights(weight: Tensor<4>) -> Tensor<4> {
    let scale = weight.clone().detach().max_abs_dims(&[1, 2, 3]).div_scalar(WEIGHT_LIMIT).clamp_min(SMALLEST_SCALE);
    round_straight_through(weight / scale.clone()) * scale
}
