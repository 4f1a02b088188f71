//! The working memory of the kernels for vectors of bytes, on x86-64 and AArch64.

use super::WeightLayout;
use crate::graph::Window;
use crate::kernels::BLOCK;

/// Channels that the layouts `x86` and `dotprod` hold together.
pub(crate) const LANES: usize = 16;

/// Windows that the kernels of AVX2 widen to 16 bits at a time.
pub(crate) const WIDENED_WINDOWS: usize = 12;

/// Bytes of a window of 16-bit elements, of which a vector holds 16.
pub(crate) const fn widened_bytes(taps: usize) -> usize {
    2 * taps.next_multiple_of(16)
}

/// Bytes of weights of 16 channels of a convolution of one channel, `[column][channel][4]`: the three rows of the window and
/// a zero.
pub(crate) const NARROW_GROUP: usize = 3 * LANES * 4;

/// For a convolution of one channel: three rows, interleaved, which AVX2 widens, and all weights.
pub(super) fn narrow_bytes(layout: WeightLayout, columns: usize, channels: usize) -> usize {
    let column = match layout {
        WeightLayout::X86 => 4 + 8,
        _ => 4,
    };
    columns * column + channels.div_ceil(LANES) * NARROW_GROUP
}

/// Whether there is a kernel for depthwise convolutions of this window: 3×3, at most every other column.
pub(crate) fn has_lines(window: Window) -> bool {
    window.size == (3, 3) && matches!(window.stride.1, 1 | 2)
}

/// How such a kernel lays down the rows that it reads.
pub(crate) struct LineShape {
    /// Most channels at a time.
    pub block: usize,
    /// What their number is rounded up to a multiple of, a power of two.
    pub lanes: usize,
    /// Bytes of a column and channel: four rows.
    pub bytes: usize,
}

impl LineShape {
    pub(crate) const AVX512: Self = Self { block: 4 * LANES, lanes: LANES, bytes: 4 };
    pub(crate) const AVX2: Self = Self { block: 32, lanes: 8, bytes: 8 };
    pub(crate) const DOTPROD: Self = Self { block: 32, lanes: 4, bytes: 4 };
    pub(crate) const NEON: Self = Self { block: 32, lanes: LANES, bytes: 4 };

    /// Bytes of a column of a block of `channels`.
    pub(crate) fn column_bytes(&self, channels: usize) -> usize {
        // Without a division, which would link a panic on boards.
        let stored = (channels.min(self.block) + self.lanes - 1) & !(self.lanes - 1);
        stored * self.bytes
    }
}

/// What the lines start at a multiple of: a vector across two cache lines costs twice.
pub(crate) const CACHE_LINE: usize = 64;

/// The rows that a depthwise convolution keeps, of the channels worked on together.
pub(super) fn ring_bytes(layout: WeightLayout, window: Window, columns: usize, channels: usize) -> usize {
    if !has_lines(window) {
        return usize::from(window.size.0) * columns * channels.min(BLOCK);
    }
    let column = match layout {
        WeightLayout::X86 => LineShape::AVX512.column_bytes(channels).max(LineShape::AVX2.column_bytes(channels)),
        WeightLayout::Dot => LineShape::DOTPROD.column_bytes(channels),
        _ => LineShape::NEON.column_bytes(channels),
    };
    columns * column + CACHE_LINE
}
