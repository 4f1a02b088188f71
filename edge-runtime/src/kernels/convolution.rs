//! Convolution: gather two windows, multiply the weight matrix with both, go on.
//!
//! In NHWC a row of a window is contiguous in the input, so gathering is one copy a row. A pointwise
//! convolution needs no gathering: its window is the pixel itself. Two pixels at a time halve the loads.

use super::arch::InstructionSet;
use super::dense::for_each_row;
use super::{View, pieces, pieces_mut, places};
use crate::graph::{Tensor, Window};
use crate::limits::MAX_FAN_IN;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Convolution with weights `[out][row][column][in]`; outside the input everything is its zero point.
///
/// `patches` is scratch memory for two windows; a pointwise convolution takes none.
pub fn convolution<I: InstructionSet>(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
    patches: &mut [i8],
) {
    let outputs = pieces_mut(output, output_shape.channels.into());
    if window.is_pointwise() {
        let mut pixels = pieces(input.data, input.tensor.channels.into()).zip(outputs);
        while let Some((pixel, output)) = pixels.next() {
            match pixels.next() {
                Some((second, output2)) => two_pixels::<I>((pixel, second), parameters, rule, (output, output2)),
                None => one_pixel::<I>(pixel, parameters, rule, output),
            }
        }
        return;
    }
    let (first, second) = patches.split_at_mut(patches.len() / 2);
    let mut windows = places(output_shape.width).zip(outputs);
    while let Some((place, output)) = windows.next() {
        gather(input, window, place, first);
        match windows.next() {
            Some((place, output2)) => {
                gather(input, window, place, second);
                two_pixels::<I>((first, second), parameters, rule, (output, output2));
            }
            None => one_pixel::<I>(first, parameters, rule, output),
        }
    }
}

/// The outputs of two windows.
fn two_pixels<I: InstructionSet>(
    (x0, x1): (&[i8], &[i8]),
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (outputs0, outputs1): (&mut [i8], &mut [i8]),
) {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let ((bias, last_bias), (multipliers, last_multiplier)) = (bias.as_chunks::<2>(), multipliers.as_chunks::<2>());
    let (outputs0, last0) = outputs0.as_chunks_mut::<2>();
    let (outputs1, last1) = outputs1.as_chunks_mut::<2>();
    // The clamp changes nothing: from it the compiler sees that two rows are never empty and always split.
    let taps = x0.len().clamp(1, MAX_FAN_IN);
    let mut rows = pieces(weights, 2 * taps);
    let places = outputs0.iter_mut().zip(outputs1);
    for (((places, rows), bias), multipliers) in places.zip(rows.by_ref()).zip(bias).zip(multipliers) {
        let (row0, row1) = rows.split_at(taps);
        let sums = I::dot2x2([x0, x1], [row0, row1]);
        for row in 0..2 {
            places.0[row] = rule.apply(sums[0][row] + bias[row], multipliers[row]) as i8;
            places.1[row] = rule.apply(sums[1][row] + bias[row], multipliers[row]) as i8;
        }
    }
    let last = LayerParameters { bias: last_bias, multipliers: last_multiplier, weights: rows.remainder() };
    one_pixel::<I>(x0, &last, rule, last0);
    one_pixel::<I>(x1, &last, rule, last1);
}

/// The outputs of one window.
fn one_pixel<I: InstructionSet>(x: &[i8], parameters: &LayerParameters<'_>, rule: Requantization, outputs: &mut [i8]) {
    for_each_row::<I, _>(x, parameters, outputs, |place, accumulator, multiplier| {
        *place = rule.apply(accumulator, multiplier) as i8;
    });
}

/// The part of a window inside the input, along one axis.
pub(super) struct Clip {
    /// Taps before the input.
    pub before: usize,
    /// Taps inside the input.
    pub inside: usize,
    /// Where in the input the first of these lies.
    pub first: usize,
}

impl Clip {
    /// The window of output element `index`, of `size` taps, over an input of `extent` elements.
    pub fn new(index: usize, (size, stride, padding): (u8, u8, u8), extent: u16) -> Self {
        let (size, padding, extent) = (usize::from(size), usize::from(padding), usize::from(extent));
        let start = index * usize::from(stride);
        let before = padding.saturating_sub(start).min(size);
        let first = (start + before).saturating_sub(padding).min(extent);
        Self { before, inside: (size - before).min(extent - first), first }
    }

    /// The rows of the window of an output pixel in `row`.
    pub fn rows(window: Window, row: usize, input: &Tensor) -> Self {
        Self::new(row, (window.size.0, window.stride.0, window.pad_rows.0), input.height)
    }

    /// The columns of the window of an output pixel in `column`.
    pub fn columns(window: Window, column: usize, input: &Tensor) -> Self {
        Self::new(column, (window.size.1, window.stride.1, window.pad_columns.0), input.width)
    }
}

/// Copies the window of the output pixel at `(row, column)` into `patch`, `[row][column][channel]`.
fn gather(input: View<'_>, window: Window, (row, column): (usize, usize), patch: &mut [i8]) {
    let channels = usize::from(input.tensor.channels);
    let zero = input.tensor.zero_point as i8;
    let (rows, columns) = (Clip::rows(window, row, input.tensor), Clip::columns(window, column, input.tensor));
    let (start, length) = (columns.before * channels, columns.inside * channels);
    let pitch = usize::from(input.tensor.width) * channels;
    let corner = rows.first * pitch + columns.first * channels;
    let sources = input.data.get(corner..).unwrap_or_default().chunks(pitch.max(1)).take(rows.inside);

    let line = usize::from(window.size.1) * channels;
    if (rows.inside, length) != (usize::from(window.size.0), line) {
        patch.fill(zero);
    }
    for (target, source) in pieces_mut(patch, line).skip(rows.before).zip(sources) {
        if let (Some(target), Some(source)) = (target.get_mut(start..start + length), source.get(..length)) {
            target.copy_from_slice(source);
        }
    }
}
