//! Fully connected layers, and the product of a weight matrix with one vector that convolutions share.

use super::arch::InstructionSet;
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
    let fan_in = x.len();
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let (bias4, bias1) = bias.as_chunks::<4>();
    let (multipliers4, multipliers1) = multipliers.as_chunks::<4>();
    let (places4, places1) = places.as_chunks_mut::<4>();
    let (weights4, weights1) = weights.split_at(4 * fan_in * places4.len());

    let blocks = places4.iter_mut().zip(bias4).zip(multipliers4).zip(weights4.chunks_exact(4 * fan_in));
    for (((places, bias), multipliers), rows) in blocks {
        let (ab, cd) = rows.split_at(2 * fan_in);
        let ((a, b), (c, d)) = (ab.split_at(fan_in), cd.split_at(fan_in));
        let sums = I::dot4(x, [a, b, c, d]);
        for (((place, &sum), &bias), &multiplier) in places.iter_mut().zip(&sums).zip(bias).zip(multipliers) {
            emit(place, sum + bias, multiplier);
        }
    }
    let rows = places1.iter_mut().zip(bias1).zip(multipliers1).zip(weights1.chunks_exact(fan_in));
    for (((place, &bias), &multiplier), row) in rows {
        emit(place, I::dot(x, row) + bias, multiplier);
    }
}
