//! Fully connected layers.

use super::arch::InstructionSet;
use super::to_outputs;
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
            let mut emit = to_outputs(rule, parameters.multipliers, pairs, |result| (result as i16).to_le_bytes());
            I::vector_product(x, parameters, scratch, &mut emit);
        }
    }
}
