//! Depthwise convolution of any window, in plain Rust, over a ring of rows of a block of channels.

use crate::graph::{Tensor, Window};
use crate::kernels::arch::portable::depthwise::multiply_accumulate;
use crate::kernels::depthwise::{Rows, for_each_row};
use crate::kernels::{BLOCK, Place, pieces, pieces_mut};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// A block of channels.
struct Block<'a> {
    window: Window,
    rule: Requantization,
    parameters: LayerParameters<'a>,
    /// The first of the channels, how many they are, and how many the tensor has.
    first: usize,
    count: usize,
    channels: usize,
}

/// Depthwise convolution with weights `[row][column][channel]`.
pub fn depthwise(
    shapes: (&Tensor, &Tensor),
    mut place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    let (input, channels) = (shapes.0, usize::from(shapes.0.channels));
    let left = usize::from(window.pad_columns.0);
    let columns = left + usize::from(input.width) + usize::from(window.pad_columns.1);
    let zero = input.zero_point as u8;
    for first in (0..channels).step_by(BLOCK) {
        let count = BLOCK.min(channels - first);
        let block = Block { window, rule, parameters: *parameters, first, count, channels };
        let copy = |source: Option<&[i8]>, row: &mut [u8]| {
            row.fill(zero);
            let pixels = pieces(source.unwrap_or_default(), channels);
            for (place, pixel) in pieces_mut(row, count).skip(left).zip(pixels) {
                place.iter_mut().zip(block.part(pixel)).for_each(|(byte, &element)| *byte = element as u8);
            }
        };
        for_each_row(shapes, &mut place, window, (&mut *scratch, columns * count), copy, |rows, outputs| {
            block.row(rows, outputs)
        });
    }
}

impl Block<'_> {
    /// The block's channels of something that has one for each.
    fn part<'p, T>(&self, all: &'p [T]) -> &'p [T] {
        all.get(self.first..self.first + self.count).unwrap_or_default()
    }

    /// One row of outputs.
    fn row(&self, rows: &Rows<'_>, outputs: &mut [i8]) {
        let (bias, multipliers) = (self.part(self.parameters.bias), self.part(self.parameters.multipliers));
        let mut accumulators = [0; BLOCK];
        let Some(accumulators) = accumulators.get_mut(..bias.len()) else { return };
        for (column, pixel) in pieces_mut(outputs, self.channels).enumerate() {
            accumulators.copy_from_slice(bias);
            self.sum(rows, column * usize::from(self.window.stride.1), accumulators);
            let outputs = pixel.get_mut(self.first..).unwrap_or_default().iter_mut();
            for ((output, &accumulator), &multiplier) in outputs.zip(&*accumulators).zip(multipliers) {
                *output = self.rule.apply(accumulator, multiplier) as i8;
            }
        }
    }

    /// Adds the window that begins at a column of the rows.
    fn sum(&self, rows: &Rows<'_>, column: usize, accumulators: &mut [i32]) {
        let (height, width) = (usize::from(self.window.size.0), usize::from(self.window.size.1));
        let mut weights = pieces(self.parameters.weights, self.channels);
        for row in 0..height {
            let pixels = pieces(rows.row(row), self.count).skip(column);
            // The weights' next row is theirs for the next row of pixels.
            for (pixel, weights) in pixels.zip(weights.by_ref().take(width)) {
                multiply_accumulate(accumulators, [bytemuck::cast_slice(pixel)], [self.part(weights)]);
            }
        }
    }
}
