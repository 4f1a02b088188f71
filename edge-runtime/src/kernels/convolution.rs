//! Convolution: gather one window, multiply the weight matrix with it, go on.
//!
//! In NHWC a row of a window is contiguous in the input, so gathering is one copy a row. A pointwise
//! convolution needs no gathering: its window is the pixel itself.

use super::View;
use super::arch::InstructionSet;
use super::dense::for_each_row;
use crate::graph::{Tensor, Window};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Convolution with weights `[out][row][column][in]`; outside the input everything is its zero point.
///
/// `patch` is scratch memory for one window; a pointwise convolution takes none.
pub fn convolution<I: InstructionSet>(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
    patch: &mut [i8],
) {
    let channels = usize::from(output_shape.channels);
    let emit = |place: &mut i8, accumulator, multiplier| *place = rule.apply(accumulator, multiplier) as i8;
    if window.is_pointwise() {
        let pixels = input.data.chunks_exact(usize::from(input.tensor.channels));
        for (pixel, outputs) in pixels.zip(output.chunks_exact_mut(channels)) {
            for_each_row::<I, _>(pixel, parameters, outputs, emit);
        }
        return;
    }
    let width = usize::from(output_shape.width);
    for (index, outputs) in output.chunks_exact_mut(channels).enumerate() {
        gather(input, window, index / width, index % width, patch);
        for_each_row::<I, _>(patch, parameters, outputs, emit);
    }
}

/// Copies the window of the output pixel at (`row`, `column`) into `patch`, `[row][column][channel]`.
fn gather(input: View<'_>, window: Window, row: usize, column: usize, patch: &mut [i8]) {
    let channels = usize::from(input.tensor.channels);
    let (height, width) = (usize::from(input.tensor.height), usize::from(input.tensor.width));
    let columns = usize::from(window.size.1);
    let zero = input.tensor.zero_point as i8;

    // Columns of the window left of the input, and those that lie inside it.
    let (start, padding) = (column * usize::from(window.stride.1), usize::from(window.pad_columns.0));
    let left = padding.saturating_sub(start).min(columns);
    let first = (start + left).saturating_sub(padding).min(width);
    let inside = (columns - left).min(width - first);

    let top = row * usize::from(window.stride.0);
    for (offset, target) in patch.chunks_exact_mut(columns * channels).enumerate() {
        let source = (top + offset).checked_sub(usize::from(window.pad_rows.0)).filter(|&y| y < height);
        let Some(y) = source else {
            target.fill(zero);
            continue;
        };
        let (before, rest) = target.split_at_mut(left * channels);
        let (middle, after) = rest.split_at_mut(inside * channels);
        let pixels = (y * width + first) * channels;
        before.fill(zero);
        middle.copy_from_slice(&input.data[pixels..pixels + inside * channels]);
        after.fill(zero);
    }
}
