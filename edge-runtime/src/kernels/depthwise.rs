//! Depthwise convolution: every channel has a filter of its own.

use core::array;
use core::ops::Range;

use super::View;
use super::arch::InstructionSet;
use crate::graph::{Tensor, Window};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Channels whose accumulators are kept on the stack at a time.
pub(super) const BLOCK: usize = 64;

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
    let mut accumulators = [0; BLOCK];
    for start in (0..channels).step_by(BLOCK) {
        let range = start..channels.min(start + BLOCK);
        let taps = Taps::new(input, window, parameters.weights, range.clone());
        let (bias, multipliers) = (&parameters.bias[range.clone()], &parameters.multipliers[range.clone()]);
        let accumulators = &mut accumulators[..bias.len()];
        for (row, line) in output.chunks_exact_mut(width * channels).enumerate() {
            for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                accumulators.copy_from_slice(bias);
                taps.sum::<I>((row, column), accumulators);
                let places = pixel[range.clone()].iter_mut().zip(&*accumulators);
                for ((place, &accumulator), &multiplier) in places.zip(multipliers) {
                    *place = rule.apply(accumulator, multiplier) as i8;
                }
            }
        }
    }
}

/// The taps of a window for a block of channels.
struct Taps<'a> {
    input: View<'a>,
    window: Window,
    weights: &'a [i8],
    /// The block of channels.
    range: Range<usize>,
    /// What lies outside the input.
    padding: [i8; BLOCK],
    /// The weights of a 3×3 window, by far the most frequent.
    nine: Option<[&'a [i8]; 9]>,
}

impl<'a> Taps<'a> {
    fn new(input: View<'a>, window: Window, weights: &'a [i8], range: Range<usize>) -> Self {
        let padding = [input.tensor.zero_point as i8; BLOCK];
        let mut taps = Self { input, window, weights, range, padding, nine: None };
        if window.size == (3, 3) {
            taps.nine = Some(array::from_fn(|tap| taps.weights(tap)));
        }
        taps
    }

    /// Adds the window of the output pixel at `(row, column)` to the accumulators.
    #[inline]
    fn sum<I: InstructionSet>(&self, (row, column): (usize, usize), accumulators: &mut [i32]) {
        // Places above and left of the input wrap to numbers beyond any extent.
        let top = (row * usize::from(self.window.stride.0)).wrapping_sub(self.window.pad_rows.0.into());
        let left = (column * usize::from(self.window.stride.1)).wrapping_sub(self.window.pad_columns.0.into());
        if let Some(weights) = self.nine {
            let pixels = array::from_fn(|tap| self.pixel(top.wrapping_add(tap / 3), left.wrapping_add(tap % 3)));
            I::multiply_accumulate(accumulators, pixels, weights);
            return;
        }
        let columns = usize::from(self.window.size.1);
        for row in 0..usize::from(self.window.size.0) {
            for column in 0..columns {
                let pixel = self.pixel(top.wrapping_add(row), left.wrapping_add(column));
                I::multiply_accumulate(accumulators, [pixel], [self.weights(row * columns + column)]);
            }
        }
    }

    /// The block's elements of an input pixel.
    #[inline]
    fn pixel(&self, y: usize, x: usize) -> &[i8] {
        let Tensor { height, width, channels, .. } = *self.input.tensor;
        if y < usize::from(height) && x < usize::from(width) {
            let start = (y * usize::from(width) + x) * usize::from(channels) + self.range.start;
            &self.input.data[start..start + self.range.len()]
        } else {
            &self.padding[..self.range.len()]
        }
    }

    /// The block's weights of a tap.
    fn weights(&self, tap: usize) -> &'a [i8] {
        let start = tap * usize::from(self.input.tensor.channels);
        &self.weights[start + self.range.start..start + self.range.end]
    }
}
