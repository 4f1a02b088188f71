//! Rounding that training can look through.

use burn::tensor::Tensor;

/// Largest magnitude of a quantised weight: symmetric, so −128 is not used.
pub(super) const WEIGHT_LIMIT: f32 = 127.0;
/// Smallest scale: a channel of zeros must not divide by zero.
pub(super) const SMALLEST_SCALE: f32 = 1e-12;

/// Rounds to the nearest integer; the gradient passes as if nothing had been rounded.
pub fn round_straight_through<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    let rounded = values.clone().round();
    values.clone() + (rounded - values).detach()
}

/// Rounds weights `[out, …]` to 255 steps a channel, symmetric around zero, and scales them back.
pub fn fake_quantize_weights(weight: Tensor<4>) -> Tensor<4> {
    let scale = weight.clone().detach().max_abs_dims(&[1, 2, 3]).div_scalar(WEIGHT_LIMIT).clamp_min(SMALLEST_SCALE);
    round_straight_through(weight / scale.clone()) * scale
}
