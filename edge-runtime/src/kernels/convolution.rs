//! Convolution: gather windows, multiply them by the weight matrix, go on.
//!
//! In NHWC a row of a window is contiguous in the input, so gathering is one copy a row. A pointwise convolution needs no
//! gathering: its windows are the pixels themselves, all of them one matrix.

use core::ops::Range;

use super::arch::InstructionSet;
use super::{View, pieces_mut};
use crate::graph::{Tensor, Window};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Convolution of any window; outside the input everything is its zero point.
pub fn gathered<I: InstructionSet>(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
    scratch: &mut [u8],
) {
    let taps = window.area() * usize::from(input.tensor.channels);
    let count = I::gathered_windows(taps);
    let Some((windows, scratch)) = scratch.split_at_mut_checked(I::LAYOUT.gathered_bytes(count, taps)) else { return };
    let (windows, channels) = (bytemuck::cast_slice_mut(windows), usize::from(output_shape.channels));
    let mut gatherer = Gatherer::new(input, window, output_shape.width);
    for outputs in output.chunks_mut((count * channels).max(1)) {
        let count = outputs.len() / channels.max(1);
        let Some(windows) = windows.get_mut(..count * taps) else { return };
        for gathered in pieces_mut(windows, taps) {
            gatherer.gather::<I>(gathered);
        }
        I::matrix_product(windows, taps, parameters, rule, outputs, scratch);
    }
}

/// Goes over the windows of an input in the order of the output's pixels.
struct Gatherer<'a> {
    input: View<'a>,
    window: Window,
    output_width: usize,
    /// The output pixel that comes next.
    row: usize,
    column: usize,
    /// The rows of its window.
    rows: Clip,
    /// Columns of this row of outputs whose windows lie inside the input.
    whole: Range<usize>,
}

/// The part of a window inside the input, along one axis.
struct Clip {
    /// Taps before the input.
    before: usize,
    /// Elements of the input.
    inside: Range<usize>,
}

impl Clip {
    /// The window of output element `index`, of `size` taps, over an input of `extent` elements.
    fn new(index: usize, (size, stride, padding): (u8, u8, u8), extent: u16) -> Self {
        let (start, padding) = (index * usize::from(stride), usize::from(padding));
        let before = padding.saturating_sub(start).min(size.into());
        let extent = usize::from(extent);
        let first = (start + before).saturating_sub(padding).min(extent);
        let end = (start + usize::from(size)).saturating_sub(padding).min(extent).max(first);
        Self { before, inside: first..end }
    }
}

impl<'a> Gatherer<'a> {
    fn new(input: View<'a>, window: Window, output_width: u16) -> Self {
        let output_width = output_width.into();
        let mut gatherer = Self {
            input,
            window,
            output_width,
            row: 0,
            column: 0,
            rows: Clip { before: 0, inside: 0..0 },
            whole: 0..0,
        };
        gatherer.enter_row();
        gatherer
    }

    /// What the windows of a row of outputs have in common.
    fn enter_row(&mut self) {
        let Window { size, stride, pad_rows, pad_columns } = self.window;
        self.rows = Clip::new(self.row, (size.0, stride.0, pad_rows.0), self.input.tensor.height);
        self.whole = 0..0;
        if self.rows.inside.len() == usize::from(size.0) {
            let (padding, stride) = (usize::from(pad_columns.0), usize::from(stride.1).max(1));
            let padded = usize::from(self.input.tensor.width) + padding;
            let fitting = padded.checked_sub(size.1.into()).map_or(0, |room| room / stride + 1);
            self.whole = padding.div_ceil(stride)..fitting;
        }
    }

    /// Copies the next window into `patch`, `[row][column][channel]`.
    #[inline]
    fn gather<I: InstructionSet>(&mut self, patch: &mut [i8]) {
        let Window { size, stride, pad_columns, .. } = self.window;
        let channels = usize::from(self.input.tensor.channels);
        let pitch = usize::from(self.input.tensor.width) * channels;
        let line = usize::from(size.1) * channels;
        if self.whole.contains(&self.column) {
            let left = self.column * usize::from(stride.1) - usize::from(pad_columns.0);
            let source = self.input.data.get(self.rows.inside.start * pitch + left * channels..).unwrap_or_default();
            I::copy_rows(source, patch, (pitch, line), (size.0.into(), line));
        } else {
            let columns = Clip::new(self.column, (size.1, stride.1, pad_columns.0), self.input.tensor.width);
            let corner = self.rows.inside.start * pitch + columns.inside.start * channels;
            let source = self.input.data.get(corner..).unwrap_or_default();
            I::fill(patch, self.input.tensor.zero_point as i8);
            let target = patch.get_mut(self.rows.before * line + columns.before * channels..).unwrap_or_default();
            let inside = (self.rows.inside.len(), columns.inside.len() * channels);
            I::copy_rows(source, target, (pitch, line), inside);
        }
        self.column += 1;
        if self.column >= self.output_width {
            (self.row, self.column) = (self.row + 1, 0);
            self.enter_row();
        }
    }
}

/// Copies `rows` rows of `length` bytes, `pitch` bytes apart, to where they lie `target_pitch` apart.
pub(super) fn copy_rows(
    source: &[i8],
    target: &mut [i8],
    (pitch, target_pitch): (usize, usize),
    (rows, length): (usize, usize),
) {
    for row in 0..rows {
        let (from, to) = (row * pitch, row * target_pitch);
        let (source, target) = (source.get(from..from + length), target.get_mut(to..to + length));
        if let (Some(source), Some(target)) = (source, target) {
            target.copy_from_slice(source);
        }
    }
}
