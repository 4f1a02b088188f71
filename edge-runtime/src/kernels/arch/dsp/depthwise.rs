//! Depthwise convolution, plane by plane: the safe side of `planes.s`.

use core::arch::global_asm;
use core::ops::Range;

use super::widen::pair;
use super::{INT8, repeated};
use crate::graph::{Tensor, Window};
use crate::kernels::Place;
use crate::kernels::depthwise::{Rows, for_each_row};
use crate::layout::{PLANES, planar_columns, planar_line_bytes};
use crate::package::LayerParameters;
use crate::quant::Requantization;

global_asm!(include_str!("planes.s"), options(raw));

/// A channel of a 3×3 window, as `planes.s` reads it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Filter {
    /// (w0, w1) and (w1, w2) of each row.
    weights: [u32; 6],
    bias: i32,
    multiplier: i32,
}

/// The arguments of `planes.s`.
#[repr(C)]
struct Arguments {
    rows: [*const i16; 3],
    output: *mut i8,
    end: *const i16,
    pitch: usize,
    drop: u32,
    multiplier: i32,
    addend: i32,
    bounds: [u32; 2],
    planes: usize,
    plane_bytes: usize,
    filters: *const Filter,
    narrow: usize,
}

unsafe extern "C" {
    fn fude_dsp_planes_by_one(arguments: *const Arguments);
    fn fude_dsp_planes_by_two(arguments: *const Arguments);
    fn fude_dsp_copy_planes(pixels: *const i8, pitch: usize, row: *mut i16, plane_bytes: usize, pairs: usize);
}

/// A few channels of the layer.
struct Planes<'a> {
    window: Window,
    rule: Requantization,
    parameters: LayerParameters<'a>,
    /// The first of the channels, how many they are, and how many the tensor has.
    first: usize,
    count: usize,
    channels: usize,
    /// 16-bit elements of one channel in a row of the ring.
    columns: usize,
    filters: [Filter; PLANES],
}

/// Depthwise convolution with weights `[row][column][channel]`.
pub fn depthwise(
    shapes: (&Tensor, &Tensor),
    mut place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    let (input, channels) = (shapes.0, usize::from(shapes.0.channels));
    let left = usize::from(window.pad_columns.0);
    let padded = usize::from(input.width) + left + usize::from(window.pad_columns.1);
    let zero = input.zero_point;
    for first in (0..channels).step_by(PLANES) {
        let count = PLANES.min(channels - first);
        let row_bytes = planar_line_bytes(count, padded);
        let columns = planar_columns(padded);
        let mut planes = Planes {
            window,
            rule,
            parameters: *parameters,
            first,
            count,
            channels,
            columns,
            filters: Default::default(),
        };
        planes.read_filters();
        // Rows of the input leave the padding at their ends as it is.
        halfwords(scratch).fill(zero);
        let copy = |source: Option<&[i8]>, row: &mut [u8]| match source {
            Some(source) => planes.copy(source, left, halfwords(row)),
            None => halfwords(row).fill(zero),
        };
        for_each_row(shapes, &mut place, window, (&mut *scratch, row_bytes), copy, |rows, outputs| {
            planes.row(rows, outputs)
        });
    }
}

/// A row of the ring, or all of it, as it is worked on.
pub fn halfwords(row: &mut [u8]) -> &mut [i16] {
    bytemuck::try_cast_slice_mut(row).unwrap_or_default()
}

impl Planes<'_> {
    /// The weight of a tap of a channel.
    fn weight(&self, tap: usize, plane: usize) -> i16 {
        self.parameters.weights.get(tap * self.channels + self.first + plane).copied().unwrap_or_default().into()
    }

    /// Prepares what the assembly wants of 3×3 windows.
    fn read_filters(&mut self) {
        for plane in 0..self.count {
            let mut weights = [0; 6];
            for (row, words) in weights.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let [w0, w1, w2] = [0, 1, 2].map(|column| self.weight(3 * row + column, plane));
                *words = [pair(w0, w1), pair(w1, w2)];
            }
            let (bias, multiplier) = self.rule_of(plane);
            if let Some(filter) = self.filters.get_mut(plane) {
                *filter = Filter { weights, bias, multiplier };
            }
        }
    }

    fn rule_of(&self, plane: usize) -> (i32, i32) {
        let of = |values: &[i32]| values.get(self.first + plane).copied().unwrap_or_default();
        (of(self.parameters.bias), of(self.parameters.multipliers))
    }

    /// Copies these channels of a row of pixels behind `left` columns of padding.
    fn copy(&self, source: &[i8], left: usize, row: &mut [i16]) {
        // Pairs of pixels go to even columns: after an odd number of padding one pixel goes alone, and perhaps the last.
        let pixels = source.len() / self.channels.max(1);
        let alone = (left % 2).min(pixels);
        let in_pairs = self.copy_pairs(source, (alone, pixels - alone), left + alone, row);
        self.copy_each(source, 0..alone, left, row);
        self.copy_each(source, alone + in_pairs..pixels, left, row);
    }

    /// Copies `pixels`, element by element.
    fn copy_each(&self, source: &[i8], pixels: Range<usize>, left: usize, row: &mut [i16]) {
        for pixel in pixels {
            let values = source.get(pixel * self.channels + self.first..).unwrap_or_default();
            let places = row.get_mut(left + pixel..).unwrap_or_default().iter_mut().step_by(self.columns.max(1));
            for (place, &value) in places.zip(values).take(self.count) {
                *place = value.into();
            }
        }
    }

    /// Copies as many pairs as there are among `count` pixels from `first` on to the columns from `column` on; how many
    /// pixels these are.
    fn copy_pairs(&self, source: &[i8], (first, count): (usize, usize), column: usize, row: &mut [i16]) -> usize {
        let pairs = count / 2;
        let source = source.get(first * self.channels + self.first..).unwrap_or_default();
        let fits = self.count == PLANES
            && column % 2 == 0
            && column + 2 * pairs <= self.columns
            && row.len() == PLANES * self.columns
            && row.as_ptr().addr().is_multiple_of(4)
            && source.len() + self.channels >= 2 * pairs * self.channels + PLANES;
        let Some(row) = row.get_mut(column..).filter(|_| fits && pairs > 0) else { return 0 };
        // SAFETY: the code reads a word at each of 2 · pairs places `channels` bytes apart, the last of which `source` has;
        // and writes as many 16-bit elements to each of four planes `columns` elements apart, from an even column that
        // leaves room for them, in words: the row is aligned and `columns` even. It keeps to the procedure call standard.
        unsafe {
            let plane_bytes = self.columns * size_of::<i16>();
            fude_dsp_copy_planes(source.as_ptr(), self.channels, row.as_mut_ptr(), plane_bytes, pairs);
        }
        2 * pairs
    }

    /// One row of outputs.
    fn row(&self, rows: &Rows<'_>, outputs: &mut [i8]) {
        let done = if self.window.size == (3, 3) { self.in_pairs(rows, outputs) } else { 0 };
        for (column, pixel) in outputs.chunks_exact_mut(self.channels.max(1)).enumerate().skip(done) {
            let places = pixel.get_mut(self.first..).unwrap_or_default().iter_mut().take(self.count);
            for (plane, place) in places.enumerate() {
                let (bias, multiplier) = self.rule_of(plane);
                *place = self.rule.apply(bias + self.sum(rows, plane, column), multiplier) as i8;
            }
        }
    }

    /// What no pair is left for, and windows of other sizes.
    fn sum(&self, rows: &Rows<'_>, plane: usize, column: usize) -> i32 {
        let start = plane * self.columns + column * usize::from(self.window.stride.1);
        let width = usize::from(self.window.size.1);
        let mut sum = 0;
        for row in 0..usize::from(self.window.size.0) {
            let line: &[i16] = bytemuck::try_cast_slice(rows.row(row)).unwrap_or_default();
            for (column, &x) in line.get(start..start + width).unwrap_or_default().iter().enumerate() {
                sum += i32::from(x) * i32::from(self.weight(row * width + column, plane));
            }
        }
        sum
    }

    /// The outputs of a 3×3 window, as long as there are two left; how many.
    fn in_pairs(&self, rows: &Rows<'_>, outputs: &mut [i8]) -> usize {
        let code = match self.window.stride.1 {
            1 => fude_dsp_planes_by_one,
            2 => fude_dsp_planes_by_two,
            _ => return 0,
        };
        let stride = usize::from(self.window.stride.1);
        let pairs = outputs.len() / self.channels.max(1) / 2;
        let lines = [0, 1, 2].map(|row| bytemuck::try_cast_slice::<u8, i16>(rows.row(row)).unwrap_or_default());
        // A pair reads two words beyond the first column of its first output, or three.
        let read = 2 * (pairs * stride + 1);
        let fits =
            lines.iter().all(|line| line.len() == self.count * self.columns && line.as_ptr().addr().is_multiple_of(4));
        if pairs == 0 || !fits || read > self.columns || self.columns % 2 != 0 || self.count > PLANES {
            return 0;
        }
        let Some(output) = outputs.get_mut(self.first..) else { return 0 };
        let (min, max) = self.rule.bounds();
        let arguments = Arguments {
            rows: lines.map(<[i16]>::as_ptr),
            output: output.as_mut_ptr(),
            end: lines[0].as_ptr().wrapping_add(2 * pairs * stride),
            pitch: self.channels,
            drop: self.rule.drop().into(),
            multiplier: 0,
            addend: self.rule.addend(),
            bounds: [repeated(min, 16), repeated(max, 16)],
            planes: self.count,
            plane_bytes: self.columns * size_of::<i16>(),
            filters: self.filters.as_ptr(),
            narrow: usize::from((min, max) != INT8),
        };
        // SAFETY: of each of `count` ≤ `PLANES` planes the code reads `read` ≤ `columns` elements of three rows that have
        // count · columns, in words, which are aligned as the number of columns is even; as many filters; and writes
        // 2 · pairs bytes `pitch` apart, of which output, a row without the channels before these, has as many pixels.
        // It keeps to the procedure call standard.
        unsafe { code(&arguments) };
        2 * pairs
    }
}
