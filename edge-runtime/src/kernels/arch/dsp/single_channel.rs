//! 3×3 convolution of one channel, the first layer of most recognisers.
//!
//! Its windows are short and overlap, so that gathering them one by one would cost a third of the layer. Instead the input's
//! rows are widened once into a ring, and a window is nine halfwords of three rows.

use super::product::Product;
use super::widen::pair;
use crate::graph::{Tensor, Window};
use crate::kernels::depthwise::for_each_row;
use crate::kernels::{Place, View};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Taps of the window.
const TAPS: usize = 9;

/// Convolution of a 3×3 window over an input of one channel.
pub fn convolution(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
    scratch: &mut [u8],
) {
    let (left, right) = (usize::from(window.pad_columns.0), usize::from(window.pad_columns.1));
    let columns = WeightLayout::Dsp.plane_columns(usize::from(input.tensor.width) + left + right);
    let row_bytes = columns * size_of::<i16>();
    let (ring, scratch) = scratch.split_at_mut((3 * row_bytes).min(scratch.len()));
    let Some(mut product) = Product::new(TAPS, parameters, rule, scratch) else { return };
    let (channels, stride) = (usize::from(output_shape.channels), usize::from(window.stride.1));
    let zero = input.tensor.zero_point;

    halfwords(ring).fill(zero);
    let copy = |source: Option<&[i8]>, row: &mut [u8]| match source {
        Some(source) => {
            let places = halfwords(row).iter_mut().skip(left);
            places.zip(source).for_each(|(place, &pixel)| *place = pixel.into());
        }
        None => halfwords(row).fill(zero),
    };
    let mut place = Place::Apart { input: input.data, output };
    for_each_row((input.tensor, output_shape), &mut place, window, (ring, row_bytes), copy, |rows, outputs| {
        let lines = [0, 1, 2].map(|row| bytemuck::try_cast_slice::<u8, i16>(rows.row(row)).unwrap_or_default());
        let mut column = 0;
        for outputs in outputs.chunks_mut((2 * channels).max(1)) {
            lay(lines, column, 0, product.tile);
            column += stride;
            if outputs.len() == 2 * channels {
                lay(lines, column, 1, product.tile);
                column += stride;
                product.two(outputs);
            } else {
                product.one(outputs);
            }
        }
    });
}

/// A row of the ring, or all of it, as it is worked on.
fn halfwords(row: &mut [u8]) -> &mut [i16] {
    bytemuck::try_cast_slice_mut(row).unwrap_or_default()
}

/// Lays the window at `column` into the tile as its first or second window: the words of `layout::dsp`.
#[inline(always)]
fn lay(lines: [&[i16]; 3], column: usize, window: usize, tile: &mut [u32]) {
    let at = |line: usize| lines[line].get(column..).and_then(<[i16]>::first_chunk::<3>);
    let tile = tile.get_mut(window..).and_then(<[u32]>::first_chunk_mut::<TAPS>);
    if let (Some(tile), Some(&[a, b, c]), Some(&[d, e, f]), Some(&[g, h, i])) = (tile, at(0), at(1), at(2)) {
        tile[0] = pair(a, c);
        tile[2] = pair(b, d);
        tile[4] = pair(e, g);
        tile[6] = pair(f, h);
        tile[8] = pair(i, 0);
    }
}
