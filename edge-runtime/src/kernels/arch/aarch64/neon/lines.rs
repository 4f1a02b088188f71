//! The convolutions whose windows are read from lines, depthwise ones and those of one channel: `smull` and `smlal`, 16
//! channels at a time.

use core::arch::aarch64::*;
use core::arch::asm;
use core::array;

use super::super::{Requantize, four_words, store};
use super::Neon;
use crate::kernels::arch::vector::{Lines, Narrow, Weights, Windows};
use crate::layout::memory::{LANES, LineShape};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Vectors of channels of a block.
const VECTORS: usize = 2;
/// Bytes of 16 channels of a column: four rows.
const COLUMN: usize = 4 * LANES;

/// Nine vectors, by column and row.
type Nine = [[int8x16_t; 3]; 3];

/// Constants of 16 channels.
#[derive(Clone, Copy)]
pub struct Lanes {
    weights: Nine,
    bias: [int32x4_t; 4],
    multipliers: [int32x4_t; 4],
    /// Whether two weights that are multiplied together are both −128: then alone can two products exceed a word.
    has_least_pair: bool,
}

impl Lanes {
    /// Those of `count` channels from `first` on, with their weights.
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(parameters: &LayerParameters<'_>, first: usize, count: usize, weights: Nine) -> Self {
        let quarters = |from: &[i32]| {
            [0, 4, 8, 12].map(|quarter| {
                let words = four_words(from, first + quarter, count.saturating_sub(quarter).min(4));
                // SAFETY: four words are read from as many.
                unsafe { vld1q_s32(words.as_ptr()) }
            })
        };
        let least = vdupq_n_s8(i8::MIN);
        let both = |[v, w]: [int8x16_t; 2]| vandq_u8(vceqq_s8(v, least), vceqq_s8(w, least));
        let [a, b, c, d] = pairs(&weights);
        let least_pairs = vorrq_u8(vorrq_u8(both(a), both(b)), vorrq_u8(both(c), both(d)));
        Self {
            weights,
            bias: quarters(parameters.bias),
            multipliers: quarters(parameters.multipliers),
            has_least_pair: vmaxvq_u8(least_pairs) != 0,
        }
    }

    /// The outputs of a window. `CAREFUL` where there [is a least pair](Self::has_least_pair).
    #[inline]
    #[target_feature(enable = "neon")]
    fn outputs<const CAREFUL: bool>(&self, window: &Nine, requantize: Requantize) -> int8x16_t {
        let mut sums = self.bias;
        for (x, w) in pairs(window).into_iter().zip(pairs(&self.weights)) {
            sums = if CAREFUL {
                multiply_add(multiply_add(sums, x[0], w[0]), x[1], w[1])
            } else {
                multiply_add_pair(sums, x, w)
            };
        }
        let [a, b, c, d] = multiply_add(sums, window[2][2], self.weights[2][2]);
        let [ma, mb, mc, md] = self.multipliers;
        let apply = |sums, multipliers| requantize.apply(sums, multipliers);
        requantize.pack([apply(a, ma), apply(b, mb), apply(c, mc), apply(d, md)])
    }
}

/// Those that are multiplied together; the last is left over.
#[inline]
fn pairs([a, b, c]: &Nine) -> [[int8x16_t; 2]; 4] {
    [[a[0], a[1]], [b[0], b[1]], [c[0], c[1]], [a[2], b[2]]]
}

/// 16 channels of a column take four vectors, one a slot.
impl Lines for Neon {
    const SHAPE: LineShape = LineShape::NEON;
    type Constants = [Lanes; VECTORS];

    fn constants(parameters: &LayerParameters<'_>, first: usize, count: usize) -> [Lanes; VECTORS] {
        // SAFETY: the target has NEON, here and below.
        unsafe { constants(parameters, first, count) }
    }

    fn blank(lines: &mut [u8], slot: usize, zero: i8) {
        for column in lines.as_chunks_mut::<COLUMN>().0 {
            if let Some(place) = column.as_chunks_mut::<LANES>().0.get_mut(slot) {
                *place = [zero as u8; LANES];
            }
        }
    }

    fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], (channels, pitch): (usize, usize)) {
        // SAFETY: as above.
        unsafe { push(lines, slot, columns, pixels, channels, pitch) }
    }

    fn emit(
        windows: Windows<'_>,
        constants: &[Lanes; VECTORS],
        rule: Requantization,
        outputs: &mut [i8],
        pitch: usize,
    ) {
        for (vector, lanes) in constants.iter().enumerate().take(windows.channels.div_ceil(LANES)) {
            let Some(outputs) = outputs.get_mut(vector * LANES..) else { return };
            // SAFETY: as above.
            unsafe {
                match (windows.stride, lanes.has_least_pair) {
                    (_, true) => emit::<2, true>(windows, vector, lanes, rule, outputs, pitch),
                    (1, false) => emit::<1, false>(windows, vector, lanes, rule, outputs, pitch),
                    (_, false) => emit::<2, false>(windows, vector, lanes, rule, outputs, pitch),
                }
            }
        }
    }
}

/// `count` of 16 bytes, and zeros.
#[inline]
fn sixteen_bytes(from: &[i8], count: usize) -> [i8; LANES] {
    match from.first_chunk() {
        Some(bytes) if count >= LANES => *bytes,
        _ => {
            let mut bytes = [0; LANES];
            bytes.iter_mut().zip(from.iter().take(count)).for_each(|(byte, &value)| *byte = value);
            bytes
        }
    }
}

#[target_feature(enable = "neon")]
fn constants(parameters: &LayerParameters<'_>, first: usize, channels: usize) -> [Lanes; VECTORS] {
    array::from_fn(|vector| {
        let first = first + vector * LANES;
        let count = channels.saturating_sub(vector * LANES).min(LANES);
        let weights = array::from_fn(|column| {
            array::from_fn(|row| {
                let start = (3 * row + column) * parameters.bias.len() + first;
                let from = parameters.weights.get(start..).unwrap_or_default();
                // SAFETY: 16 bytes are read from as many.
                unsafe { vld1q_s8(sixteen_bytes(from, count).as_ptr()) }
            })
        });
        Lanes::new(parameters, first, count, weights)
    })
}

#[target_feature(enable = "neon")]
fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], channels: usize, pitch: usize) {
    let stored = channels.next_multiple_of(LANES);
    if columns == 0 || pixels.len() < (columns - 1) * pitch + channels || lines.len() < columns * stored * 4 {
        return;
    }
    let (mut pixel, mut line) = (pixels.as_ptr(), lines.as_mut_ptr().wrapping_add(LANES * (slot % 4)));
    for _ in 0..columns {
        // SAFETY: `columns` pixels and places are there.
        unsafe {
            // Most blocks are whole.
            if channels == VECTORS * LANES {
                let (a, b) = (vld1q_s8(pixel), vld1q_s8(pixel.add(LANES)));
                vst1q_s8(line.cast(), a);
                vst1q_s8(line.add(COLUMN).cast(), b);
            } else {
                for first in (0..channels).step_by(LANES) {
                    let place = line.add(4 * first).cast();
                    pixel.add(first).copy_to_nonoverlapping(place, LANES.min(channels - first));
                }
            }
        }
        (pixel, line) = (pixel.wrapping_add(pitch), line.wrapping_add(4 * stored));
    }
}

/// Sums of 16 channels.
type Sums = [int32x4_t; 4];

/// Adds 16 words.
#[inline]
#[target_feature(enable = "neon")]
fn add_words([a, b, c, d]: Sums, [low, high]: [int16x8_t; 2]) -> Sums {
    [vaddw_s16(a, vget_low_s16(low)), vaddw_high_s16(b, low), vaddw_s16(c, vget_low_s16(high)), vaddw_high_s16(d, high)]
}

/// Adds the products of 16 bytes.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_add(sums: Sums, x: int8x16_t, w: int8x16_t) -> Sums {
    let (low, high): (int16x8_t, int16x8_t);
    // SAFETY: registers alone.
    unsafe {
        asm!("smull {0:v}.8h, {2:v}.8b, {3:v}.8b", "smull2 {1:v}.8h, {2:v}.16b, {3:v}.16b",
            out(vreg) low, lateout(vreg) high, in(vreg) x, in(vreg) w, options(pure, nomem, nostack, preserves_flags));
    }
    add_words(sums, [low, high])
}

/// Adds the products of twice 16 bytes, the two of a lane first. The compiler would keep the upper halves of the weights in
/// registers of their own and then has to move those of `x` down each time.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_add_pair(sums: Sums, [x, y]: [int8x16_t; 2], [v, w]: [int8x16_t; 2]) -> Sums {
    let (low, high): (int16x8_t, int16x8_t);
    // SAFETY: registers alone.
    unsafe {
        asm!("smull {0:v}.8h, {2:v}.8b, {4:v}.8b", "smull2 {1:v}.8h, {2:v}.16b, {4:v}.16b",
            "smlal {0:v}.8h, {3:v}.8b, {5:v}.8b", "smlal2 {1:v}.8h, {3:v}.16b, {5:v}.16b",
            out(vreg) low, out(vreg) high, in(vreg) x, in(vreg) y, in(vreg) v, in(vreg) w,
            options(pure, nomem, nostack, preserves_flags));
    }
    add_words(sums, [low, high])
}

/// What the loop over a row reads and writes.
struct Row<'a> {
    lanes: &'a Lanes,
    requantize: Requantize,
    /// Where the three rows lie in a column.
    offsets: [usize; 3],
    /// Bytes of a column.
    column: usize,
    pitch: usize,
    /// Channels, at most 16.
    count: usize,
}

impl Row<'_> {
    /// Computes `N` pixels, which share columns where they are side by side.
    ///
    /// # Safety
    /// Their windows may be read from `window` on, and their channels written from `pixel` on.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn emit<const N: usize, const CAREFUL: bool>(&self, window: *const u8, pixel: *mut i8) {
        // One column more for each pixel more.
        let x: [[int8x16_t; 3]; 4] = array::from_fn(|column| {
            let column = column.min(N + 1);
            // SAFETY: as the caller says.
            self.offsets.map(|offset| unsafe { vld1q_s8(window.add(column * self.column + offset).cast()) })
        });
        for place in 0..N {
            let bytes = self.lanes.outputs::<CAREFUL>(&[x[place], x[place + 1], x[place + 2]], self.requantize);
            // SAFETY: as the caller says.
            unsafe { store(pixel.add(place * self.pitch), bytes, self.count) };
        }
    }
}

/// Computes a row of outputs of a vector of channels.
#[inline(never)]
#[target_feature(enable = "neon")]
fn emit<const STRIDE: usize, const CAREFUL: bool>(
    Windows { lines, channels, slot, stride }: Windows<'_>,
    vector: usize,
    lanes: &Lanes,
    rule: Requantization,
    outputs: &mut [i8],
    pitch: usize,
) {
    let (column, count) = (4 * channels.next_multiple_of(LANES), channels.saturating_sub(vector * LANES).min(LANES));
    let Some(lines) = lines.get(COLUMN * vector..) else { return };
    let (step, reach) = (stride * column, 2 * column + COLUMN);
    if step == 0 || pitch == 0 || lines.len() < reach || outputs.len() < count {
        return;
    }
    let columns = ((lines.len() - reach) / step).min((outputs.len() - count) / pitch) + 1;
    let offsets = array::from_fn(|row| LANES * ((slot + row) % 4));
    let row = Row { lanes, requantize: Requantize::new(rule), offsets, column, pitch, count };
    let (mut window, mut pixel) = (lines.as_ptr(), outputs.as_mut_ptr());
    let together = if STRIDE == 1 { columns / 2 } else { 0 };
    // SAFETY: `columns` windows end within the lines, and the channels of as many pixels within the outputs.
    unsafe {
        for _ in 0..together {
            row.emit::<2, CAREFUL>(window, pixel);
            (window, pixel) = (window.wrapping_add(2 * step), pixel.wrapping_add(2 * pitch));
        }
        for _ in 2 * together..columns {
            row.emit::<1, CAREFUL>(window, pixel);
            (window, pixel) = (window.wrapping_add(step), pixel.wrapping_add(pitch));
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
        for (group, weights) in weights.iter().enumerate() {
            // SAFETY: the target has NEON.
            unsafe { narrow_group(line, weights, group, parameters, rule, outputs) };
        }
    }
}

/// Computes the channels of a group.
#[target_feature(enable = "neon")]
fn narrow_group(
    line: (&[[u8; 4]], usize),
    weights: &Weights,
    group: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let (first, channels) = (group * LANES, parameters.bias.len());
    let count = channels.saturating_sub(first).min(LANES);
    let Some(outputs) = outputs.get_mut(first..) else { return };
    let weights = array::from_fn(|column| {
        // SAFETY: 64 bytes are read from the 64 of a column.
        let rows = unsafe { vld4q_s8(weights.as_ptr().add(COLUMN * column).cast()) };
        [rows.0, rows.1, rows.2]
    });
    let lanes = Lanes::new(parameters, first, count, weights);
    if lanes.has_least_pair {
        narrow_row::<true>(line, &lanes, rule, outputs, (channels, count));
    } else {
        narrow_row::<false>(line, &lanes, rule, outputs, (channels, count));
    }
}

/// Computes a row of outputs, of which the first `count` of each `pitch` elements are the group's.
#[target_feature(enable = "neon")]
fn narrow_row<const CAREFUL: bool>(
    (line, stride): (&[[u8; 4]], usize),
    lanes: &Lanes,
    rule: Requantization,
    outputs: &mut [i8],
    (pitch, count): (usize, usize),
) {
    if line.len() < 3 || outputs.len() < count || stride == 0 || pitch == 0 {
        return;
    }
    let requantize = Requantize::new(rule);
    let columns = ((line.len() - 3) / stride).min((outputs.len() - count) / pitch) + 1;
    let (mut window, mut pixel) = (line.as_ptr().cast::<i8>(), outputs.as_mut_ptr());
    for _ in 0..columns {
        // SAFETY: the last window, of 12 bytes, ends within the line.
        let x = array::from_fn(|column| array::from_fn(|row| unsafe { vld1q_dup_s8(window.add(4 * column + row)) }));
        // SAFETY: the channels of the last pixel end within the outputs.
        unsafe { store(pixel, lanes.outputs::<CAREFUL>(&x, requantize), count) };
        (window, pixel) = (window.wrapping_add(4 * stride), pixel.wrapping_add(pitch));
    }
}
