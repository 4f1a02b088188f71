//! Operators that treat each element by itself. Both work in place: the first operand becomes the result.
//!
//! On hosts they are inlined into functions for more instructions than the target has.

use super::{View, pieces_mut};
use crate::quant::{Addition, Requantization};

/// Squeeze-and-excitation gate (Hu et al., 2018): multiplies each channel of `data`, whose zero point is
/// `zero_point`, by its gate.
#[cfg_attr(feature = "std", inline(always))]
pub fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
    let gate_zero_point = i32::from(gate.tensor.zero_point);
    for pixel in pieces_mut(data, gate.data.len()) {
        for (value, &gate) in pixel.iter_mut().zip(gate.data) {
            let product = (i32::from(*value) - zero_point) * (i32::from(gate) - gate_zero_point);
            *value = rule.apply(product, multiplier) as i8;
        }
    }
}

/// Adds `other` to `data`.
#[cfg_attr(feature = "std", inline(always))]
pub fn add(data: &mut [i8], other: &[i8], rule: Addition) {
    for (value, &other) in data.iter_mut().zip(other) {
        *value = rule.apply(*value, other);
    }
}
