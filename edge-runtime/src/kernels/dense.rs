//! Fully connected layers, and the product of a weight matrix with one vector that convolutions share for a single window.

use super::arch::InstructionSet;
use super::pieces;
use crate::graph::ElementType;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// `output = requantize(W · x + b)` with weights `[out][in]`.
///
/// `x` is the flattened input; `output` holds one element a row, of one byte or, little-endian, of two.
pub fn dense<I: InstructionSet>(
    x: &[i8],
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    element: ElementType,
    output: &mut [u8],
) {
    match element {
        ElementType::Int8 => {
            for_each_row::<I, _>(x, parameters, output, |place, accumulator, multiplier| {
                *place = rule.apply(accumulator, multiplier) as u8;
            });
        }
        ElementType::Int16 => {
            let (pairs, _) = output.as_chunks_mut::<2>();
            for_each_row::<I, _>(x, parameters, pairs, |place, accumulator, multiplier| {
                *place = (rule.apply(accumulator, multiplier) as i16).to_le_bytes();
            });
        }
    }
}

/// Computes `W · x + b` row by row and hands each accumulator with its multiplier and place to `emit`.
#[inline]
pub(super) fn for_each_row<I: InstructionSet, T>(
    x: &[i8],
    parameters: &LayerParameters<'_>,
    places: &mut [T],
    mut emit: impl FnMut(&mut T, i32, i32),
) {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let rows = pieces(weights, x.len());
    for (((place, &bias), &multiplier), row) in places.iter_mut().zip(bias).zip(multipliers).zip(rows) {
        emit(place, I::dot(x, row) + bias, multiplier);
    }
}
