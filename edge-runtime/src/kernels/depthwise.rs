//! What depthwise convolutions share that work row by row: a ring of padded input rows.
//!
//! As many rows as the window has are kept, or one more, with the padding's columns left and right, and rows of padding
//! above and below. The kernel that reads them meets no edge. Since they are copies, the output may be written over the
//! input as soon as its rows are in the ring.

use super::Place;
use crate::graph::{Tensor, Window};

impl Place<'_> {
    /// The elements that are read.
    fn input(&self) -> &[i8] {
        match self {
            Self::Apart { input, .. } => input,
            Self::Same(data) => data,
        }
    }

    /// The elements that are written.
    pub(in crate::kernels) fn output(&mut self) -> &mut [i8] {
        match self {
            Self::Apart { output, .. } => output,
            Self::Same(data) => data,
        }
    }
}

/// The rows under a window, from the top.
pub struct Rows<'a> {
    ring: &'a [u8],
    row_bytes: usize,
    /// Where in the ring the topmost lies.
    first: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    /// The row at `index`, counted from the top of the window.
    pub fn row(&self, index: usize) -> &'a [u8] {
        let place = self.first + index;
        let slot = if place < self.count { place } else { place - self.count };
        self.ring.get(slot * self.row_bytes..(slot + 1) * self.row_bytes).unwrap_or_default()
    }
}

/// Goes down the output row by row, with the rows of the window in a ring.
///
/// `copy` lays a row of the input, all its pixels, or padding for `None`, into a row of `ring`, of `row_bytes` bytes.
/// `compute` then gets the rows of the window and all pixels of the output row.
pub fn for_each_row(
    shapes: (&Tensor, &Tensor),
    place: &mut Place<'_>,
    window: Window,
    (ring, row_bytes): (&mut [u8], usize),
    copy: impl Fn(Option<&[i8]>, &mut [u8]),
    mut compute: impl FnMut(&Rows<'_>, &mut [i8]),
) {
    let count = usize::from(window.size.0);
    let copy_to = |ring: &mut [u8], slot, source: Option<&[i8]>| {
        if let Some(target) = ring.get_mut(slot * row_bytes..(slot + 1) * row_bytes) {
            copy(source, target);
        }
    };
    walk(shapes, place, window, (ring, count), copy_to, |ring, first, outputs| {
        compute(&Rows { ring, row_bytes, first, count }, outputs)
    });
}

/// Goes down the output row by row, over a `memory` that holds `slots` rows of the input, at least as many as the window
/// has.
///
/// `copy` lays a row of the input, all its pixels, or padding for `None`, into a slot. `compute` then gets the slot of the
/// window's topmost row, whose others follow it, and all pixels of the output row.
pub fn walk<M: ?Sized>(
    (input, output): (&Tensor, &Tensor),
    place: &mut Place<'_>,
    window: Window,
    (memory, slots): (&mut M, usize),
    copy: impl Fn(&mut M, usize, Option<&[i8]>),
    mut compute: impl FnMut(&M, usize, &mut [i8]),
) {
    let (count, stride) = (usize::from(window.size.0), usize::from(window.stride.0));
    let padding = usize::from(window.pad_rows.0);
    let input_pitch = usize::from(input.width) * usize::from(input.channels);
    let output_pitch = usize::from(output.width) * usize::from(output.channels);
    // Rows are counted from the top of the padding; `slot` is where the next one goes.
    let (mut next, mut slot, mut first) = (0, 0, 0);
    for row in 0..usize::from(output.height) {
        while next < row * stride + count {
            let start = next.wrapping_sub(padding).wrapping_mul(input_pitch);
            let is_inside = next >= padding && next - padding < usize::from(input.height);
            let source = if is_inside { place.input().get(start..start + input_pitch) } else { None };
            copy(memory, slot, source);
            next += 1;
            slot = if slot + 1 == slots { 0 } else { slot + 1 };
        }
        if let Some(outputs) = place.output().get_mut(row * output_pitch..(row + 1) * output_pitch) {
            compute(memory, first, outputs);
        }
        first += stride;
        while first >= slots {
            first -= slots;
        }
    }
}
