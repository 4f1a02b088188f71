//! The convolutions whose windows are read from lines, depthwise ones and those of one channel: `smlal`, eight channels at
//! a time, in words.

use core::arch::aarch64::*;
use core::arch::asm;
use core::array;

use super::super::{Requantize, four_words};
use super::Neon;
use crate::kernels::arch::vector::{Lines, Narrow, Weights, Windows};
use crate::layout::memory::{LANES, LineShape};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Channels of a vector of words.
const OCTET: usize = 8;
/// Octets of a block.
const OCTETS: usize = 4;

/// Constants of eight channels.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// By row and column.
    weights: [[int16x8_t; 3]; 3],
    bias: [int32x4_t; 2],
    multipliers: [int32x4_t; 2],
}

/// Eight channels of a column take four vectors of words, one a slot: widened once, they are multiplied nine times.
impl Lines for Neon {
    const SHAPE: LineShape = LineShape::NEON;
    type Constants = [Lanes; OCTETS];

    fn constants(parameters: &LayerParameters<'_>, first: usize, count: usize) -> [Lanes; OCTETS] {
        // SAFETY: the target has NEON, here and below.
        unsafe { constants(parameters, first, count) }
    }

    fn blank(lines: &mut [u8], slot: usize, zero: i8) {
        let words = array::from_fn(|place| i16::from(zero).to_le_bytes()[place % 2]);
        for octet in lines.as_chunks_mut::<64>().0 {
            if let Some(place) = octet.as_chunks_mut::<16>().0.get_mut(slot) {
                *place = words;
            }
        }
    }

    fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], (channels, pitch): (usize, usize)) {
        // SAFETY: as above.
        unsafe { push(lines, slot, columns, pixels, channels, pitch) }
    }

    fn emit(windows: Windows<'_>, constants: &[Lanes; OCTETS], rule: Requantization, outputs: &mut [i8], pitch: usize) {
        for (octet, lanes) in constants.iter().enumerate().take(windows.channels.div_ceil(OCTET)) {
            let Some(outputs) = outputs.get_mut(octet * OCTET..) else { return };
            // SAFETY: as above.
            unsafe {
                if windows.stride == 1 {
                    emit::<1>(windows, octet, lanes, rule, outputs, pitch);
                } else {
                    emit::<2>(windows, octet, lanes, rule, outputs, pitch);
                }
            }
        }
    }
}

/// `count` of eight bytes, and zeros.
#[inline]
#[target_feature(enable = "neon")]
fn eight_bytes(from: &[i8], count: usize) -> int8x8_t {
    let mut bytes = [0; OCTET];
    bytes.iter_mut().zip(from.iter().take(count)).for_each(|(byte, &value)| *byte = value);
    // SAFETY: eight bytes are read from as many.
    unsafe { vld1_s8(bytes.as_ptr()) }
}

#[target_feature(enable = "neon")]
fn constants(parameters: &LayerParameters<'_>, first: usize, channels: usize) -> [Lanes; OCTETS] {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    array::from_fn(|octet| {
        let first = first + octet * OCTET;
        let count = channels.saturating_sub(octet * OCTET).min(OCTET);
        let halves = |from: &[i32]| {
            [0, 4].map(|half| {
                let words = four_words(from, first + half, count.saturating_sub(half).min(4));
                // SAFETY: four words are read from as many.
                unsafe { vld1q_s32(words.as_ptr()) }
            })
        };
        Lanes {
            weights: array::from_fn(|row| {
                array::from_fn(|column| {
                    let from = weights.get((3 * row + column) * bias.len() + first..).unwrap_or_default();
                    vmovl_s8(eight_bytes(from, count))
                })
            }),
            bias: halves(bias),
            multipliers: halves(multipliers),
        }
    })
}

#[target_feature(enable = "neon")]
fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], channels: usize, pitch: usize) {
    let stored = channels.next_multiple_of(OCTET);
    if columns == 0 || pixels.len() < (columns - 1) * pitch + channels || lines.len() < columns * stored * 8 {
        return;
    }
    let (mut pixel, mut line) = (pixels.as_ptr(), lines.as_mut_ptr().wrapping_add(16 * (slot % 4)));
    for _ in 0..columns {
        // SAFETY: `columns` pixels and places are there.
        unsafe {
            for octet in 0..channels / OCTET {
                vst1q_s16(line.add(64 * octet).cast(), vmovl_s8(vld1_s8(pixel.add(OCTET * octet))));
            }
            for channel in channels / OCTET * OCTET..channels {
                line.add(64 * (channel / OCTET))
                    .cast::<i16>()
                    .add(channel % OCTET)
                    .write_unaligned(pixel.add(channel).read().into());
            }
        }
        (pixel, line) = (pixel.wrapping_add(pitch), line.wrapping_add(8 * stored));
    }
}

/// Adds the products of eight words, for two pixels. The compiler would keep the upper halves of the weights in registers
/// of their own and then has to move those of `x` down each time. All in one piece, so that it does not put additions to
/// the same sums side by side: a core that runs instructions in their order would wait for each.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_add([a, b]: &mut [[int32x4_t; 2]; 2], [x, y]: [int16x8_t; 2], w: int16x8_t) {
    // SAFETY: registers alone.
    unsafe {
        asm!("smlal {0:v}.4s, {4:v}.4h, {6:v}.4h", "smlal {1:v}.4s, {5:v}.4h, {6:v}.4h",
            "smlal2 {2:v}.4s, {4:v}.8h, {6:v}.8h", "smlal2 {3:v}.4s, {5:v}.8h, {6:v}.8h",
            inout(vreg) a[0], inout(vreg) b[0], inout(vreg) a[1], inlateout(vreg) b[1],
            in(vreg) x, in(vreg) y, in(vreg) w, options(pure, nomem, nostack, preserves_flags));
    }
}

/// Adds the products of eight words with one. The compiler sees that the products are words, and would multiply and add
/// apart.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_add_lane<const LANE: usize>(sums: &mut [int32x4_t; 2], x: int16x8_t, w: int16x8_t) {
    // SAFETY: registers alone.
    unsafe {
        asm!("smlal {0:v}.4s, {2:v}.4h, {3:v}.h[{4}]", "smlal2 {1:v}.4s, {2:v}.8h, {3:v}.h[{4}]",
            inout(vreg) sums[0], inlateout(vreg) sums[1], in(vreg) w, in(vreg_low16) x, const LANE,
            options(pure, nomem, nostack, preserves_flags));
    }
}

/// What the loop over a row reads and writes.
struct Row<'a> {
    lanes: &'a Lanes,
    requantize: Requantize,
    /// Where the three rows lie in a column's eight channels.
    offsets: [usize; 3],
    /// Bytes of a column.
    column: usize,
    pitch: usize,
    /// Channels, at most eight.
    count: usize,
}

impl Row<'_> {
    /// Computes `N` pixels, one or two: side by side they share columns.
    ///
    /// # Safety
    /// Their windows may be read from `window` on, and their channels written from `pixel` on.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn emit<const N: usize, const STRIDE: usize>(&self, window: *const u8, pixel: *mut i8) {
        let Lanes { weights, bias, multipliers } = *self.lanes;
        let mut sums = [bias; 2];
        for (weights, offset) in weights.iter().zip(self.offsets) {
            // SAFETY: as the caller says; `tap < 3 + (N − 1) · STRIDE` columns are read.
            let load = |tap: usize| unsafe { vld1q_s16(window.add(tap * self.column + offset).cast()) };
            let first: [_; 3] = array::from_fn(load);
            for (tap, &w) in weights.iter().enumerate() {
                let second = match (N - 1) * STRIDE + tap {
                    shared @ 0..3 => first[shared],
                    apart => load(apart),
                };
                multiply_add(&mut sums, [first[tap], second], w);
            }
        }
        let sums =
            sums.map(|[a, b]| [self.requantize.apply(a, multipliers[0]), self.requantize.apply(b, multipliers[1])]);
        let [a, b] = sums;
        let bytes = vreinterpretq_s64_s8(self.requantize.pack([a[0], a[1], b[0], b[1]]));
        // SAFETY: as the caller says.
        unsafe {
            write(pixel, vgetq_lane_s64::<0>(bytes), self.count);
            if N == 2 {
                write(pixel.add(self.pitch), vgetq_lane_s64::<1>(bytes), self.count);
            }
        }
    }
}

/// Computes a row of an octet's outputs.
#[inline(never)]
#[target_feature(enable = "neon")]
fn emit<const STRIDE: usize>(
    Windows { lines, channels, slot, .. }: Windows<'_>,
    octet: usize,
    lanes: &Lanes,
    rule: Requantization,
    outputs: &mut [i8],
    pitch: usize,
) {
    let (column, count) = (8 * channels.next_multiple_of(OCTET), channels.saturating_sub(octet * OCTET).min(OCTET));
    let Some(lines) = lines.get(64 * octet..) else { return };
    let (step, reach) = (STRIDE * column, 2 * column + 64);
    if step == 0 || pitch == 0 || lines.len() < reach || outputs.len() < count {
        return;
    }
    let columns = ((lines.len() - reach) / step).min((outputs.len() - count) / pitch) + 1;
    let offsets = array::from_fn(|row| 16 * ((slot + row) % 4));
    let row = Row { lanes, requantize: Requantize::new(rule), offsets, column, pitch, count };
    let (mut window, mut pixel) = (lines.as_ptr(), outputs.as_mut_ptr());
    // SAFETY: `columns` windows end within the lines, and the channels of as many pixels within the outputs.
    unsafe {
        for _ in 0..columns / 2 {
            row.emit::<2, STRIDE>(window, pixel);
            (window, pixel) = (window.wrapping_add(2 * step), pixel.wrapping_add(2 * pitch));
        }
        if columns % 2 == 1 {
            row.emit::<1, STRIDE>(window, pixel);
        }
    }
}

/// Writes the first `count` of eight channels.
///
/// # Safety
/// They may be written behind `pixel`.
#[inline]
unsafe fn write(pixel: *mut i8, channels: i64, count: usize) {
    // SAFETY: as the caller says.
    unsafe {
        if count == OCTET {
            pixel.cast::<i64>().write_unaligned(channels);
        } else {
            let bytes = channels.to_le_bytes();
            bytes.as_ptr().cast::<i8>().copy_to_nonoverlapping(pixel, count.min(OCTET));
        }
    }
}

impl Narrow for Neon {
    const FLIP: u8 = 0;

    fn row(
        line: (&[[u8; 4]], usize),
        weights: &[Weights],
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        _scratch: &mut [u8],
    ) {
        for octet in 0..parameters.bias.len().div_ceil(OCTET) {
            // SAFETY: the target has NEON.
            unsafe { narrow_octet(line, weights, octet, parameters, rule, outputs) };
        }
    }
}

/// Computes eight channels, those that the last octet has. `smlal` takes a tap of a window as one lane.
#[target_feature(enable = "neon")]
fn narrow_octet(
    (line, stride): (&[[u8; 4]], usize),
    weights: &[Weights],
    octet: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let (first, half, pitch) = (octet * OCTET, octet % 2, parameters.bias.len().max(1));
    let count = pitch.saturating_sub(first).min(OCTET);
    let (Some(weights), Some(outputs)) = (weights.get(first / LANES), outputs.get_mut(first..)) else { return };
    let requantize = Requantize::new(rule);
    let weights: [[int16x8_t; 3]; 3] = array::from_fn(|column| {
        // SAFETY: 32 bytes are read from the 64 of a column.
        let rows = unsafe { vld4_s8(weights.as_ptr().cast::<i8>().add(64 * column + 32 * half)) };
        [vmovl_s8(rows.0), vmovl_s8(rows.1), vmovl_s8(rows.2)]
    });
    let halves = |from: &[i32]| {
        [0, 4].map(|half| {
            let words = four_words(from, first + half, count.saturating_sub(half).min(4));
            // SAFETY: four words are read from as many.
            unsafe { vld1q_s32(words.as_ptr()) }
        })
    };
    let (bias, multipliers) = (halves(parameters.bias), halves(parameters.multipliers));
    if line.len() < 3 || outputs.len() < count || count == 0 || stride == 0 {
        return;
    }
    let columns = ((line.len() - 3) / stride).min((outputs.len() - count) / pitch) + 1;
    let (mut window, mut pixel) = (line.as_ptr().cast::<i8>(), outputs.as_mut_ptr());
    for _ in 0..columns {
        // SAFETY: the last window, of 12 bytes, ends within the line.
        let (ab, c) = unsafe { (vld1_s8(window), vdup_n_s32(window.add(8).cast::<i32>().read_unaligned())) };
        let (ab, c) = (vmovl_s8(ab), vmovl_s8(vreinterpret_s8_s32(c)));
        let mut sums = bias;
        macro_rules! tap {
            ($x:expr, $lane:literal, $w:expr) => {
                multiply_add_lane::<$lane>(&mut sums, $x, $w);
            };
        }
        tap!(ab, 0, weights[0][0]);
        tap!(ab, 1, weights[0][1]);
        tap!(ab, 2, weights[0][2]);
        tap!(ab, 4, weights[1][0]);
        tap!(ab, 5, weights[1][1]);
        tap!(ab, 6, weights[1][2]);
        tap!(c, 0, weights[2][0]);
        tap!(c, 1, weights[2][1]);
        tap!(c, 2, weights[2][2]);
        let [a, b] = [requantize.apply(sums[0], multipliers[0]), requantize.apply(sums[1], multipliers[1])];
        let bytes = vreinterpretq_s64_s8(requantize.pack([a, b, a, b]));
        // SAFETY: the channels of the last pixel end within the outputs.
        unsafe { write(pixel, vgetq_lane_s64::<0>(bytes), count) };
        (window, pixel) = (window.wrapping_add(4 * stride), pixel.wrapping_add(pitch));
    }
}
