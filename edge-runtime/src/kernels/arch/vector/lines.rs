//! Depthwise convolutions 3×3, a block of channels after the other, over lines that hold four rows of the input.
//!
//! A column of the lines has for each of its channels the elements of four rows side by side, so that one instruction
//! multiplies and sums three of them, the weight of the fourth being zero. A new row takes the place of the oldest; then
//! the weights turn, and nothing else moves.

use crate::graph::{Tensor, Window};
use crate::kernels::Place;
use crate::kernels::depthwise::walk;
use crate::layout::memory::{CACHE_LINE, LineShape};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Rows that the lines hold.
const SLOTS: usize = 4;

/// What an instruction set does of a depthwise convolution, for one block of channels.
pub trait Lines {
    /// How the lines lie in memory: `[column][channel]`, in each channel as [`Self::push`] puts it.
    const SHAPE: LineShape;
    /// Weights, biases and multipliers of a block as the inner loop wants them.
    type Constants;

    /// The constants of `count` channels from `first` on.
    fn constants(parameters: &LayerParameters<'_>, first: usize, count: usize) -> Self::Constants;

    /// Fills a slot of all columns with `zero`.
    fn blank(lines: &mut [u8], slot: usize, zero: i8);

    /// Puts pixels, of which the first `channels` of each `pitch` elements are the block's, into a slot of `lines`, `columns`
    /// of them.
    fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], channels: (usize, usize));

    /// Computes a row of outputs, of which the first of each `pitch` elements are the block's, from all windows of the
    /// lines.
    fn emit(windows: Windows<'_>, constants: &Self::Constants, rule: Requantization, outputs: &mut [i8], pitch: usize);
}

/// A row of windows.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    /// The lines, all columns of them.
    pub lines: &'a [u8],
    /// Channels of the block.
    pub channels: usize,
    /// The slot of the topmost row of the windows.
    pub slot: usize,
    /// Columns from one window to the next: 1 or 2.
    pub stride: usize,
}

/// Puts the bits of `value` in the place of those of `mask`, in each word.
#[inline(always)]
pub fn set_bits(words: &mut [u8], mask: u32, value: u32) {
    for word in words.as_chunks_mut::<4>().0 {
        *word = (u32::from_le_bytes(*word) & !mask | value & mask).to_le_bytes();
    }
}

/// Depthwise convolution 3×3 with weights `[row][column][channel]`.
pub fn depthwise<L: Lines>(
    shapes: (&Tensor, &Tensor),
    mut place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    let (input, output) = shapes;
    let (pitch, zero) = (usize::from(input.channels), input.zero_point as i8);
    let (stride, left) = (usize::from(window.stride.1), usize::from(window.pad_columns.0));
    // What the windows reach; the lines have no other columns.
    let columns = usize::from(output.width).saturating_sub(1) * stride + 3;
    let inside = usize::from(input.width).min(columns.saturating_sub(left));
    let skipped = scratch.as_ptr().addr().wrapping_neg() % CACHE_LINE;
    let Some(scratch) = scratch.get_mut(skipped..) else { return };
    for first in (0..pitch).step_by(L::SHAPE.block) {
        let channels = (pitch - first).min(L::SHAPE.block);
        let column_bytes = L::SHAPE.column_bytes(channels);
        let Some(lines) = scratch.get_mut(..column_bytes * columns) else { return };
        let constants = L::constants(parameters, first, channels);
        // Rows are written over; what is left and right of the input stays.
        let inside_bytes = left * column_bytes..(left + inside) * column_bytes;
        for slot in 0..SLOTS {
            L::blank(lines.get_mut(..inside_bytes.start).unwrap_or_default(), slot, zero);
            L::blank(lines.get_mut(inside_bytes.end..).unwrap_or_default(), slot, zero);
        }
        let copy = |lines: &mut [u8], slot, source: Option<&[i8]>| match (
            source.and_then(|row| row.get(first..)),
            lines.get_mut(left * column_bytes..),
        ) {
            (Some(pixels), Some(lines)) => L::push(lines, slot, inside, pixels, (channels, pitch)),
            _ => L::blank(lines, slot, zero),
        };
        walk(shapes, &mut place, window, (lines, SLOTS), copy, |lines, slot, outputs| {
            let windows = Windows { lines, channels, slot, stride };
            if let Some(outputs) = outputs.get_mut(first..) {
                L::emit(windows, &constants, rule, outputs, pitch);
            }
        });
    }
}
