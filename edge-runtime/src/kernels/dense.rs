//! Fully connected layers.

use super::arch::InstructionSet;
use crate::graph::ElementType;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// `output = requantize(W · x + b)`.
///
/// `x` is the flattened input; `output` holds one element a row, of one byte or, little-endian, of two.
pub fn dense<I: InstructionSet>(
    x: &[i8],
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    element: ElementType,
    output: &mut [u8],
    scratch: &mut [u8],
) {
    match element {
        ElementType::Int8 => I::matrix_product(x, x.len(), parameters, rule, bytemuck::cast_slice_mut(output), scratch),
        ElementType::Int16 => {
            let (pairs, _) = output.as_chunks_mut::<2>();
            I::vector_product(x, parameters, scratch, &mut |first, sums| {
                let (pairs, multipliers) = (pairs.get_mut(first..), parameters.multipliers.get(first..));
                let places = pairs.unwrap_or_default().iter_mut().zip(multipliers.unwrap_or_default());
                for ((place, &multiplier), &sum) in places.zip(sums) {
                    *place = (rule.apply(sum, multiplier) as i16).to_le_bytes();
                }
            });
        }
    }
}
