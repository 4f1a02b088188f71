//! Depthwise convolution of any window, over a ring of rows of pixels; weights `[row][column][channel]`.

use core::ops::Range;

use super::elements::{add_products, copy_rows, fill, narrow, requantize};
use crate::graph::{Tensor, Window};
use crate::kernels::depthwise::{Rows, for_each_row};
use crate::kernels::{BLOCK, Place, pieces_mut};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// In place where both tensors have one shape.
#[inline(never)] // with a block of sums on the stack, which `planes` has not
pub fn depthwise(
    shapes: (&Tensor, &Tensor),
    mut place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    let Tensor { width, channels, zero_point, .. } = *shapes.0;
    let (channels, before) = (usize::from(channels), usize::from(window.pad_columns.0));
    let row_bytes = (usize::from(width) + before + usize::from(window.pad_columns.1)) * channels;
    let copy = |source: Option<&[i8]>, row: &mut [u8]| {
        let row = bytemuck::cast_slice_mut(row);
        fill(row, zero_point as i8);
        if let (Some(source), Some(pixels)) = (source, row.get_mut(before * channels..)) {
            copy_rows(source, pixels, (0, 0), (1, source.len()));
        }
    };
    for_each_row(shapes, &mut place, window, (scratch, row_bytes), copy, |rows, outputs| {
        for (column, pixel) in pieces_mut(outputs, channels).enumerate() {
            let left = column * usize::from(window.stride.1) * channels;
            for (block, outputs) in pixel.chunks_mut(BLOCK).enumerate() {
                let range = block * BLOCK..block * BLOCK + outputs.len();
                let (bias, multipliers) =
                    (parameters.bias.get(range.clone()), parameters.multipliers.get(range.clone()));
                let (mut sums, Some(bias), Some(multipliers)) = ([0; BLOCK], bias, multipliers) else { return };
                let Some(sums) = sums.get_mut(..bias.len()) else { return };
                sums.copy_from_slice(bias);
                add_window(sums, rows, window, (left, channels, range), parameters.weights);
                requantize(sums, multipliers, rule, outputs);
            }
        }
    });
    narrow(place.output(), rule);
}

/// Adds the products of the `channels` in `range` to their sums, for the window that begins at `left` in each of its rows.
fn add_window(
    sums: &mut [i32],
    rows: &Rows<'_>,
    window: Window,
    (left, channels, range): (usize, usize, Range<usize>),
    weights: &[i8],
) {
    let columns = usize::from(window.size.1);
    for row in 0..usize::from(window.size.0) {
        let line: &[i8] = bytemuck::cast_slice(rows.row(row));
        for column in 0..columns {
            let (pixel, tap) = (left + column * channels, (row * columns + column) * channels);
            let pixel = line.get(pixel + range.start..pixel + range.end).unwrap_or_default();
            let weights = weights.get(tap + range.start..tap + range.end).unwrap_or_default();
            add_products(sums, pixel, weights);
        }
    }
}
