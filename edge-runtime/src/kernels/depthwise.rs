//! Depthwise convolution: every channel has a filter of its own.

use super::View;
use super::arch::InstructionSet;
use crate::graph::{Tensor, Window};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Channels whose accumulators are kept on the stack at a time.
pub(super) const BLOCK: usize = 32;

/// Depthwise convolution with weights `[row][column][channel]`; outside the input everything is its zero
/// point.
pub fn depthwise<I: InstructionSet>(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
) {
    let channels = usize::from(output_shape.channels);
    let width = usize::from(output_shape.width);
    for (index, outputs) in output.chunks_exact_mut(channels).enumerate() {
        let (row, column) = (index / width, index % width);
        for (block, outputs) in outputs.chunks_mut(BLOCK).enumerate() {
            let first = block * BLOCK;
            let range = first..first + outputs.len();
            let mut accumulators = [0; BLOCK];
            let accumulators = &mut accumulators[..outputs.len()];
            accumulators.copy_from_slice(&parameters.bias[range.clone()]);
            sum_window::<I>(input, window, (row, column), first, parameters.weights, accumulators);
            let multipliers = &parameters.multipliers[range];
            for ((place, &accumulator), &multiplier) in outputs.iter_mut().zip(&*accumulators).zip(multipliers) {
                *place = rule.apply(accumulator, multiplier) as i8;
            }
        }
    }
}

/// Adds the window of the output pixel at `(row, column)` to the accumulators of the channels from `first`.
fn sum_window<I: InstructionSet>(
    input: View<'_>,
    window: Window,
    (row, column): (usize, usize),
    first: usize,
    weights: &[i8],
    accumulators: &mut [i32],
) {
    let channels = usize::from(input.tensor.channels);
    let (height, width) = (usize::from(input.tensor.height), usize::from(input.tensor.width));
    let zero_point = i32::from(input.tensor.zero_point);
    let top = row * usize::from(window.stride.0);
    let left = column * usize::from(window.stride.1);

    let columns = usize::from(window.size.1);
    for (tap, filter) in weights.chunks_exact(channels).enumerate() {
        let filter = &filter[first..first + accumulators.len()];
        let y = (top + tap / columns).checked_sub(usize::from(window.pad_rows.0)).filter(|&y| y < height);
        let x = (left + tap % columns).checked_sub(usize::from(window.pad_columns.0)).filter(|&x| x < width);
        if let (Some(y), Some(x)) = (y, x) {
            let pixel = (y * width + x) * channels + first;
            I::multiply_accumulate(accumulators, &input.data[pixel..pixel + accumulators.len()], filter);
        } else {
            for (accumulator, &weight) in accumulators.iter_mut().zip(filter) {
                *accumulator += zero_point * i32::from(weight);
            }
        }
    }
}
