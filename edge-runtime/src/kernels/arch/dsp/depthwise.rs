//! Depthwise convolution, plane by plane: the safe side of `planes.s`.

use core::arch::global_asm;
use core::ops::Range;

use super::widen::pair;
use super::{Dsp, INT8, repeated};
use crate::kernels::arch::planes::{PlaneSet, Planes};
use crate::layout::PLANES;

global_asm!(include_str!("planes.s"), options(raw));

/// A channel of a 3×3 window, as `planes.s` reads it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Filter {
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

impl PlaneSet for Dsp {
    type Element = i16;
    type Filter = Filter;

    fn element(x: i8) -> i16 {
        x.into()
    }

    fn value(element: i16) -> i32 {
        element.into()
    }

    fn filter(taps: [i8; 9], bias: i32, multiplier: i32) -> Filter {
        let mut weights = [0; 6];
        for (words, &row) in weights.as_chunks_mut::<2>().0.iter_mut().zip(taps.as_chunks::<3>().0) {
            let [w0, w1, w2] = row.map(i16::from);
            *words = [pair(w0, w1), pair(w1, w2)];
        }
        Filter { weights, bias, multiplier }
    }

    /// In pairs.
    fn copy(planes: &Planes<'_, Self>, source: &[i8], row: &mut [i16]) -> Range<usize> {
        let (columns, channels, pairs) = (planes.columns, planes.channels, planes.widths.0 / 2);
        let fits = pairs > 0
            && planes.left + 2 * pairs <= columns
            && row.len() == PLANES * columns
            && source.len() + channels >= 2 * pairs * channels + PLANES;
        let Some(row) = row.get_mut(planes.left..).filter(|_| fits) else { return 0..0 };
        // SAFETY: the code reads a word at each of 2 · pairs places `channels` bytes apart, the last of which `source` has;
        // and writes as many 16-bit elements to each of four planes `columns` elements apart, from a column that leaves
        // room for them. Words lie at any address, which these cores allow. It keeps to the procedure call standard.
        unsafe {
            let plane_bytes = columns * size_of::<i16>();
            fude_dsp_copy_planes(source.as_ptr(), channels, row.as_mut_ptr(), plane_bytes, pairs);
        }
        0..2 * pairs
    }

    /// As long as there are two left.
    fn compute(planes: &Planes<'_, Self>, rows: [&[i16]; 3], outputs: &mut [i8]) -> usize {
        let code = match planes.window.stride.1 {
            1 => fude_dsp_planes_by_one,
            2 => fude_dsp_planes_by_two,
            _ => return 0,
        };
        let (columns, stride) = (planes.columns, usize::from(planes.window.stride.1));
        let pairs = planes.widths.1 / 2;
        // A pair reads two words beyond the first column of its first output, or three.
        let read = 2 * (pairs * stride + 1);
        let fits = pairs > 0
            && read <= columns
            && columns % 2 == 0
            && rows.iter().all(|row| row.len() == planes.count * columns && row.as_ptr().addr().is_multiple_of(4))
            && outputs.len() == planes.widths.1 * planes.channels
            && (1..=PLANES).contains(&planes.count)
            && planes.first + planes.count <= planes.channels;
        if !fits {
            return 0;
        }
        let (min, max) = planes.rule.bounds();
        let arguments = Arguments {
            rows: rows.map(<[i16]>::as_ptr),
            output: outputs.as_mut_ptr().wrapping_add(planes.first),
            end: rows[0].as_ptr().wrapping_add(2 * pairs * stride),
            pitch: planes.channels,
            drop: planes.rule.drop().into(),
            multiplier: 0,
            addend: planes.rule.addend(),
            bounds: [repeated(min, 16), repeated(max, 16)],
            planes: planes.count,
            plane_bytes: columns * size_of::<i16>(),
            filters: planes.filters.as_ptr(),
            narrow: usize::from((min, max) != INT8),
        };
        // SAFETY: of each of `count` ≤ `PLANES` planes the code reads `read` ≤ `columns` elements of three rows that have
        // count · columns, in words, which are aligned as the number of columns is even; as many filters; and writes
        // as many channels of 2 · pairs pixels of the output, which has `widths.1` of them. It keeps to the procedure call
        // standard.
        unsafe { code(&arguments) };
        2 * pairs
    }
}
