//! Depthwise convolution, plane by plane: the safe side of `planes.s`.

use core::ops::Range;

use super::{Scalar, narrow};
use crate::kernels::arch::planes::{PlaneSet, Planes};
use crate::layout::PLANES;

/// Outputs that `planes.s` computes together.
const STEP: usize = 4;

/// A channel of a 3×3 window, as `planes.s` reads it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Filter {
    /// What sums start with.
    start: i32,
    multiplier: i32,
    weights: [i32; 9],
}

/// The arguments of `planes.s`.
#[repr(C)]
struct Arguments {
    filters: *const Filter,
    /// The start and the multiplier of a channel, which the code fills in.
    reserved: [u32; 2],
    addend: i32,
    drop: u32,
    pitch: usize,
    rows: [*const u8; 3],
    output: *mut i8,
    end: *const u8,
    planes: usize,
    plane_bytes: usize,
}

unsafe extern "C" {
    fn fude_scalar_planes_by_one(arguments: *const Arguments);
    fn fude_scalar_planes_by_two(arguments: *const Arguments);
    fn fude_scalar_copy_planes(pixels: *const i8, row: *mut u8, count: usize, pitch: usize, plane_bytes: usize);
}

/// Elements in the ring are 128 too large: unsigned bytes have the shorter loads.
impl PlaneSet for Scalar {
    type Element = u8;
    type Filter = Filter;

    fn element(x: i8) -> u8 {
        x as u8 ^ 128
    }

    fn value(element: u8) -> i32 {
        i32::from(element) - 128
    }

    fn filter(weights: [i8; 9], bias: i32, multiplier: i32) -> Filter {
        let weights = weights.map(i32::from);
        Filter { weights, start: bias - 128 * weights.iter().sum::<i32>(), multiplier }
    }

    fn copy(planes: &Planes<'_, Self>, source: &[i8], row: &mut [u8]) -> Range<usize> {
        let (columns, channels, pixels) = (planes.columns, planes.channels, planes.widths.0);
        let fits = pixels > 0
            && planes.left + pixels <= columns
            && row.len() == PLANES * columns
            && source.len() + channels >= pixels * channels + PLANES;
        let Some(row) = row.get_mut(planes.left..).filter(|_| fits) else { return 0..0 };
        // SAFETY: the code reads four bytes at each of `pixels` places `channels` bytes apart, the last of which `source`
        // has; and writes as many bytes to each of four planes `columns` bytes apart, from a column that leaves room for
        // them. It keeps to the procedure call standard.
        unsafe { fude_scalar_copy_planes(source.as_ptr(), row.as_mut_ptr(), pixels, channels, columns) };
        0..pixels
    }

    /// All outputs of a row that has four or more.
    fn compute(planes: &Planes<'_, Self>, rows: [&[u8]; 3], outputs: &mut [i8]) -> usize {
        let code = match planes.window.stride.1 {
            1 => fude_scalar_planes_by_one,
            2 => fude_scalar_planes_by_two,
            _ => return 0,
        };
        let (columns, channels, width) = (planes.columns, planes.channels, planes.widths.1);
        let stride = usize::from(planes.window.stride.1);
        let fits = width >= STEP
            && (width - 1) * stride + 3 <= columns
            && rows.iter().all(|row| row.len() == planes.count * columns)
            && outputs.len() == width * channels
            && (1..=PLANES).contains(&planes.count)
            && planes.first + planes.count <= channels;
        if !fits {
            return 0;
        }
        let run = |from: usize, count: usize, outputs: &mut [i8]| {
            let rows = rows.map(|row| row.as_ptr().wrapping_add(from * stride));
            let arguments = Arguments {
                filters: planes.filters.as_ptr(),
                reserved: [0; 2],
                addend: planes.rule.addend(),
                drop: planes.rule.drop().into(),
                pitch: channels,
                rows,
                output: outputs.as_mut_ptr().wrapping_add(from * channels + planes.first),
                end: rows[0].wrapping_add(count * stride),
                planes: planes.count,
                plane_bytes: columns,
            };
            // SAFETY: `count` is a multiple of `STEP`, and neither it nor the number of planes is 0. Of each plane the code
            // reads (count − 1) · stride + 3 elements of three rows from the one of `from` on, which are there, since
            // from + count ≤ width and `columns` elements serve `width`; its filter; and it writes as many channels of
            // `count` pixels of the output, which has `width` of them. It keeps to the procedure call standard.
            unsafe { code(&arguments) };
        };
        let whole = width / STEP * STEP;
        run(0, whole, outputs);
        if whole < width {
            // Some of the last outputs come a second time: their elements are in the ring still.
            run(width - STEP, STEP, outputs);
        }
        let pixels = outputs.chunks_mut(channels.max(1));
        narrow(pixels.flat_map(|pixel| pixel.iter_mut().skip(planes.first).take(planes.count)), planes.rule);
        width
    }
}
