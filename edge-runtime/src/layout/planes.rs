//! Planes: where a core computes 3×3 windows of one channel at a time, three rows of each channel lie together, column by
//! column, so that a window is twelve bytes in a row.

use crate::graph::{Tensor, Window};

/// Bytes of a column: one for each of three rows in turn, and one unused.
pub(crate) const SLOTS: usize = 4;
/// Columns that are read beyond the last window: its 12 bytes are loaded as 16, and a load is ahead by a window.
const SPARE: usize = 3;
/// Bytes of the largest plane, so that the offsets of eight have 16 bits.
const MAX_PLANE_BYTES: usize = 0x2000;
/// Most planes that are worked on together.
pub(crate) const MAX_PLANES: usize = 64;
/// Bytes that more than eight planes may take. More planes are fewer calls.
const BUDGET: usize = 4096;

/// Whether a depthwise convolution, or any of a single channel, is computed plane by plane.
pub(crate) fn by_planes(window: Window, input: &Tensor) -> bool {
    window.size == (3, 3) && matches!(window.stride.1, 1 | 2) && plane_bytes(window, input) <= MAX_PLANE_BYTES
}

/// Bytes of a plane.
pub(crate) fn plane_bytes(window: Window, input: &Tensor) -> usize {
    (padded_columns(window, input) + SPARE) * SLOTS
}

/// Columns of an input with its padding.
pub(super) fn padded_columns(window: Window, input: &Tensor) -> usize {
    usize::from(input.width) + usize::from(window.pad_columns.0) + usize::from(window.pad_columns.1)
}

/// Channels of a depthwise convolution that are worked on together: by eights, as planes are filled, and in parts that are
/// about equal.
pub(crate) fn at_once(window: Window, input: &Tensor) -> usize {
    let most = (BUDGET / (8 * plane_bytes(window, input)) * 8).clamp(8, MAX_PLANES);
    let channels = usize::from(input.channels);
    let parts = channels.div_ceil(most).max(1);
    channels.div_ceil(parts).next_multiple_of(8).min(channels.next_multiple_of(4))
}

/// Bytes of the planes of a depthwise convolution. Where its channels are no whole number of fours, the outputs of the last
/// take as many as another.
pub(super) fn ring_bytes(window: Window, input: &Tensor) -> usize {
    let others = usize::from(!input.channels.is_multiple_of(4));
    (at_once(window, input) + others) * plane_bytes(window, input)
}

/// Bytes of the plane of a single channel, and for outputs, whose number is not known here.
pub(super) fn single_plane_bytes(window: Window, input: &Tensor) -> usize {
    2 * plane_bytes(window, input)
}
