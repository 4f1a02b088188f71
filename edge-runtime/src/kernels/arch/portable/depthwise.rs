//! Depthwise convolution, straight from the input: pixels outside it are a row of zero points.

use core::array;
use core::ops::Range;

use crate::graph::{Tensor, Window};
use crate::kernels::{BLOCK, View, pieces_mut};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Depthwise convolution with weights `[row][column][channel]`; outside the input everything is its zero
/// point.
pub fn depthwise(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
) {
    let channels = usize::from(output_shape.channels);
    let width = usize::from(output_shape.width);
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let padding = [input.tensor.zero_point as i8; BLOCK];
    let mut accumulators = [0; BLOCK];
    for (block, (bias, multipliers)) in bias.chunks(BLOCK).zip(multipliers.chunks(BLOCK)).enumerate() {
        let range = block * BLOCK..block * BLOCK + bias.len();
        let (Some(padding), Some(accumulators)) = (padding.get(..bias.len()), accumulators.get_mut(..bias.len()))
        else {
            return;
        };
        let taps = Taps::new(input, window, weights, range.clone(), padding);
        for (row, line) in pieces_mut(output, width * channels).enumerate() {
            for (column, pixel) in pieces_mut(line, channels).enumerate() {
                accumulators.copy_from_slice(bias);
                taps.sum((row, column), accumulators);
                let outputs = pixel.get_mut(range.clone()).unwrap_or_default().iter_mut();
                for ((output, &accumulator), &multiplier) in outputs.zip(&*accumulators).zip(multipliers) {
                    *output = rule.apply(accumulator, multiplier) as i8;
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
    /// A pixel outside the input, as long as the block.
    padding: &'a [i8],
    /// The weights of a 3×3 window, by far the most frequent.
    nine: Option<[&'a [i8]; 9]>,
}

impl<'a> Taps<'a> {
    fn new(input: View<'a>, window: Window, weights: &'a [i8], range: Range<usize>, padding: &'a [i8]) -> Self {
        let mut taps = Self { input, window, weights, range, padding, nine: None };
        if window.size == (3, 3) {
            taps.nine = Some(array::from_fn(|tap| taps.weights(tap)));
        }
        taps
    }

    /// Adds the window of the output pixel at `(row, column)` to the accumulators.
    #[inline]
    fn sum(&self, (row, column): (usize, usize), accumulators: &mut [i32]) {
        // Places above and left of the input wrap to numbers beyond any extent.
        let top = (row * usize::from(self.window.stride.0)).wrapping_sub(self.window.pad_rows.0.into());
        let left = (column * usize::from(self.window.stride.1)).wrapping_sub(self.window.pad_columns.0.into());
        if let Some(weights) = self.nine {
            let pixels = array::from_fn(|tap| self.pixel(top.wrapping_add(tap / 3), left.wrapping_add(tap % 3)));
            multiply_accumulate(accumulators, pixels, weights);
            return;
        }
        let columns = usize::from(self.window.size.1);
        for row in 0..usize::from(self.window.size.0) {
            for column in 0..columns {
                let pixel = self.pixel(top.wrapping_add(row), left.wrapping_add(column));
                multiply_accumulate(accumulators, [pixel], [self.weights(row * columns + column)]);
            }
        }
    }

    /// The block's elements of an input pixel.
    #[inline]
    fn pixel(&self, row: usize, column: usize) -> &'a [i8] {
        let Tensor { height, width, channels, .. } = *self.input.tensor;
        if row >= usize::from(height) || column >= usize::from(width) {
            return self.padding;
        }
        let start = (row * usize::from(width) + column) * usize::from(channels);
        self.input.data.get(start + self.range.start..start + self.range.end).unwrap_or(self.padding)
    }

    /// The block's weights of a tap.
    fn weights(&self, tap: usize) -> &'a [i8] {
        let start = tap * usize::from(self.input.tensor.channels);
        self.weights.get(start + self.range.start..start + self.range.end).unwrap_or_default()
    }
}

/// `accumulators[i] += Σ x[k][i] · w[k][i]` over `N` pairs of slices as long as the accumulators.
#[inline]
pub fn multiply_accumulate<const N: usize>(accumulators: &mut [i32], x: [&[i8]; N], w: [&[i8]; N]) {
    // The slices have one length, as the caller promises; said here, no element needs a check of its own.
    let length = (0..N).fold(accumulators.len(), |length, k| length.min(x[k].len()).min(w[k].len()));
    let (x, w) = (x.map(|x| x[..length].as_chunks::<4>()), w.map(|w| w[..length].as_chunks::<4>()));
    let (fours, rest) = accumulators[..length].as_chunks_mut::<4>();
    // In fours, whose sums stay in registers over all pairs.
    for (i, sums) in (0..length / 4).zip(fours) {
        for k in 0..N {
            let (x, w) = (&x[k].0[i], &w[k].0[i]);
            for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(w) {
                *sum += i32::from(x) * i32::from(w);
            }
        }
    }
    for (i, sum) in (0..length % 4).zip(rest) {
        for k in 0..N {
            *sum += i32::from(x[k].1[i]) * i32::from(w[k].1[i]);
        }
    }
}
