//! Depthwise convolution one channel after the other, for instruction sets whose words hold too few channels to take them
//! together: what these sets share.
//!
//! The ring holds rows of a few channels, each channel's elements one after the other with their padding: a plane. A 3×3
//! window is the set's own code; whatever that leaves, and windows of other sizes, is computed here one by one.

use core::ops::Range;

use bytemuck::Pod;

use super::InstructionSet;
use crate::graph::{Tensor, Window};
use crate::kernels::depthwise::{Rows, for_each_row};
use crate::kernels::{Place, pieces_mut};
use crate::layout::PLANES;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// What an instruction set does in its own way.
pub trait PlaneSet: InstructionSet + Sized {
    /// An element in a row of the ring.
    type Element: Pod;
    /// A channel of a 3×3 window, as the set's code reads it.
    type Filter: Copy + Default;

    /// What stands in the ring for an element of the input.
    fn element(x: i8) -> Self::Element;

    /// The element of the input that stands there.
    fn value(element: Self::Element) -> i32;

    /// Prepares the weights of a 3×3 window.
    fn filter(weights: [i8; 9], bias: i32, multiplier: i32) -> Self::Filter;

    /// Copies pixels into a row of [`PLANES`] channels; `source` begins with the first of these. Returns which pixels it has
    /// copied, perhaps none.
    fn copy(planes: &Planes<'_, Self>, source: &[i8], row: &mut [Self::Element]) -> Range<usize>;

    /// Computes outputs of a 3×3 window from the left of a row; returns how many, perhaps none.
    fn compute(planes: &Planes<'_, Self>, rows: [&[Self::Element]; 3], outputs: &mut [i8]) -> usize;
}

/// A few channels of the layer.
pub struct Planes<'a, S: PlaneSet> {
    pub window: Window,
    pub rule: Requantization,
    parameters: LayerParameters<'a>,
    /// The first of the channels, how many they are, at most [`PLANES`], and how many the tensor has.
    pub first: usize,
    pub count: usize,
    pub channels: usize,
    /// Pixels of a row of the input, and of the output.
    pub widths: (usize, usize),
    /// Elements of one channel in a row of the ring, of which the first are padding.
    pub columns: usize,
    pub left: usize,
    /// Those of 3×3 windows.
    pub filters: [S::Filter; PLANES],
}

/// Depthwise convolution with weights `[row][column][channel]`.
pub fn depthwise<S: PlaneSet>(
    shapes: (&Tensor, &Tensor),
    mut place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    let (input, output) = shapes;
    let channels = usize::from(input.channels);
    let widths = (usize::from(input.width), usize::from(output.width));
    let left = usize::from(window.pad_columns.0);
    let columns = S::LAYOUT.plane_columns(widths.0 + left + usize::from(window.pad_columns.1));
    let (parameters, filters) = (*parameters, [S::Filter::default(); PLANES]);
    let zero = S::element(input.zero_point as i8);
    for first in (0..channels).step_by(PLANES) {
        let count = PLANES.min(channels - first);
        let row_bytes = count * columns * size_of::<S::Element>();
        let mut planes =
            Planes::<S> { window, rule, parameters, first, count, channels, widths, columns, left, filters };
        planes.read_filters();
        // Rows of the input leave the padding at their ends as it is.
        elements::<S>(scratch).fill(zero);
        let copy = |source: Option<&[i8]>, row: &mut [u8]| match source {
            Some(source) => planes.copy(source, elements::<S>(row)),
            None => elements::<S>(row).fill(zero),
        };
        for_each_row(shapes, &mut place, window, (&mut *scratch, row_bytes), copy, |rows, outputs| {
            planes.row(rows, outputs)
        });
    }
}

/// A row of the ring, or all of it, as it is worked on.
fn elements<S: PlaneSet>(row: &mut [u8]) -> &mut [S::Element] {
    bytemuck::try_cast_slice_mut(row).unwrap_or_default()
}

impl<S: PlaneSet> Planes<'_, S> {
    /// The weight of a tap of a channel.
    fn weight(&self, tap: usize, plane: usize) -> i8 {
        self.parameters.weights.get(tap * self.channels + self.first + plane).copied().unwrap_or_default()
    }

    /// The bias and the multiplier of a channel.
    fn parameters_of(&self, plane: usize) -> (i32, i32) {
        let of = |values: &[i32]| values.get(self.first + plane).copied().unwrap_or_default();
        (of(self.parameters.bias), of(self.parameters.multipliers))
    }

    /// Prepares what the set's code wants of 3×3 windows.
    fn read_filters(&mut self) {
        for plane in 0..self.count {
            let mut weights = [0; 9];
            for (tap, weight) in weights.iter_mut().enumerate() {
                *weight = self.weight(tap, plane);
            }
            let (bias, multiplier) = self.parameters_of(plane);
            if let Some(filter) = self.filters.get_mut(plane) {
                *filter = S::filter(weights, bias, multiplier);
            }
        }
    }

    /// Copies these channels of a row of pixels.
    fn copy(&self, source: &[i8], row: &mut [S::Element]) {
        let source = source.get(self.first..).unwrap_or_default();
        let done = if self.count == PLANES { S::copy(self, source, row) } else { 0..0 };
        if done.len() < self.widths.0 {
            self.copy_each(source, 0..done.start, row);
            self.copy_each(source, done.end..self.widths.0, row);
        }
    }

    /// Copies `pixels`, element by element.
    // Neither this nor the next belongs among the registers of the loops that they are called from.
    #[inline(never)]
    fn copy_each(&self, source: &[i8], pixels: Range<usize>, row: &mut [S::Element]) {
        for pixel in pixels {
            let values = source.get(pixel * self.channels..).unwrap_or_default();
            let places = row.get_mut(self.left + pixel..).unwrap_or_default().iter_mut().step_by(self.columns.max(1));
            for (place, &value) in places.zip(values).take(self.count) {
                *place = S::element(value);
            }
        }
    }

    /// One row of outputs.
    fn row(&self, rows: &Rows<'_>, outputs: &mut [i8]) {
        let row = |index| bytemuck::try_cast_slice(rows.row(index)).unwrap_or_default();
        let done = if self.window.size == (3, 3) { S::compute(self, [row(0), row(1), row(2)], outputs) } else { 0 };
        if done < self.widths.1 {
            self.compute_each(done, rows, outputs);
        }
    }

    /// Outputs from `first` on, one by one.
    #[inline(never)]
    fn compute_each(&self, first: usize, rows: &Rows<'_>, outputs: &mut [i8]) {
        for (column, pixel) in pieces_mut(outputs, self.channels).enumerate().skip(first) {
            let places = pixel.get_mut(self.first..).unwrap_or_default().iter_mut().take(self.count);
            for (plane, place) in places.enumerate() {
                let (bias, multiplier) = self.parameters_of(plane);
                *place = self.rule.apply(bias + self.sum(rows, plane, column), multiplier) as i8;
            }
        }
    }

    /// The sum of one output.
    #[inline(never)] // as above
    fn sum(&self, rows: &Rows<'_>, plane: usize, column: usize) -> i32 {
        let start = plane * self.columns + column * usize::from(self.window.stride.1);
        let width = usize::from(self.window.size.1);
        let mut sum = 0;
        for index in 0..usize::from(self.window.size.0) {
            let row: &[S::Element] = bytemuck::try_cast_slice(rows.row(index)).unwrap_or_default();
            for (column, &x) in row.get(start..start + width).unwrap_or_default().iter().enumerate() {
                sum += S::value(x) * i32::from(self.weight(index * width + column, plane));
            }
        }
        sum
    }
}
