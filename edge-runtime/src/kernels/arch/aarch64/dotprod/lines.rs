//! The convolutions whose windows are read from lines, depthwise ones and those of one channel.

use core::arch::aarch64::*;
use core::array;

use super::super::{Requantize, four_words, store};
use super::{Dotprod, sdot};
use crate::kernels::arch::vector::{Lines, Narrow, Weights, Windows, set_bits};
use crate::layout::memory::{LANES, LineShape};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Constants of four channels of a depthwise convolution.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// By column: in each lane the weights of the three rows and a zero.
    weights: [int8x16_t; 3],
    bias: int32x4_t,
    multipliers: int32x4_t,
}

/// Fours of channels of a block.
const QUADS: usize = 8;

/// A lane of the lines holds four rows of one column and channel: `sdot` sums three of them, as the weight of the fourth
/// is zero.
impl Lines for Dotprod {
    const SHAPE: LineShape = LineShape::DOTPROD;
    type Constants = [Lanes; QUADS];

    fn constants(parameters: &LayerParameters<'_>, first: usize, count: usize) -> [Lanes; QUADS] {
        // SAFETY: who calls has asked `is_supported`, here and below.
        unsafe { constants(parameters, first, count) }
    }

    fn blank(lines: &mut [u8], slot: usize, zero: i8) {
        set_bits(lines, 0xff << (8 * slot), u32::from_ne_bytes([zero as u8; 4]));
    }

    fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], (channels, pitch): (usize, usize)) {
        // SAFETY: as above.
        unsafe { push(lines, slot, columns, pixels, channels, pitch) }
    }

    fn emit(windows: Windows<'_>, constants: &[Lanes; QUADS], rule: Requantization, outputs: &mut [i8], pitch: usize) {
        // SAFETY: as above.
        unsafe { emit(windows, constants, rule, outputs, pitch) }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn constants(parameters: &LayerParameters<'_>, first: usize, channels: usize) -> [Lanes; QUADS] {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    array::from_fn(|quad| {
        let count = channels.saturating_sub(4 * quad).min(4);
        let first = first + 4 * quad;
        // SAFETY: four words are read from as many, and 16 bytes.
        unsafe {
            Lanes {
                weights: array::from_fn(|column| {
                    let mut bytes = [[0; 4]; 4];
                    for (channel, bytes) in bytes.iter_mut().enumerate().take(count) {
                        for (row, byte) in bytes.iter_mut().enumerate().take(3) {
                            let place = (3 * row + column) * bias.len() + first + channel;
                            *byte = weights.get(place).copied().unwrap_or_default();
                        }
                    }
                    vld1q_s8(bytes.as_ptr().cast())
                }),
                bias: vld1q_s32(four_words(bias, first, count).as_ptr()),
                multipliers: vld1q_s32(four_words(multipliers, first, count).as_ptr()),
            }
        }
    })
}

#[target_feature(enable = "neon,dotprod")]
fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], channels: usize, pitch: usize) {
    let stored = channels.next_multiple_of(4);
    if columns == 0 || pixels.len() < (columns - 1) * pitch + channels || lines.len() < columns * stored * 4 {
        return;
    }
    // Byte `slot` of each lane takes a byte of the new row; `tbx` leaves the others alone.
    let order = array::from_fn::<u8, 16, _>(|i| if i % 4 == slot % 4 { (i / 4) as u8 } else { 0xFF });
    // SAFETY: 16 bytes are read from as many.
    let order = unsafe { vld1q_u8(order.as_ptr()) };
    let orders: [_; 4] = array::from_fn(|quad| {
        // 0xFF stays beyond the table.
        vqaddq_u8(order, vdupq_n_u8(4 * quad as u8))
    });
    let (mut source, mut target) = (pixels.as_ptr(), lines.as_mut_ptr());
    for _ in 0..columns {
        // SAFETY: `columns` pixels and places are there; no more than the channels are read.
        unsafe {
            // Most blocks are whole.
            if channels == 32 {
                push_vectors::<2>(source, target, orders);
            } else {
                let vectors = channels / LANES;
                for vector in 0..vectors {
                    push_vectors::<1>(source.add(LANES * vector), target.add(4 * LANES * vector), orders);
                }
                for channel in vectors * LANES..channels {
                    target.add(4 * channel + slot % 4).write(source.add(channel).read() as u8);
                }
            }
        }
        (source, target) = (source.wrapping_add(pitch), target.wrapping_add(stored * 4));
    }
}

/// Puts `N` vectors of channels into their lanes.
///
/// # Safety
/// They may be read from `source`, and their lanes written to `target`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn push_vectors<const N: usize>(source: *const i8, target: *mut u8, orders: [uint8x16_t; 4]) {
    for vector in 0..N {
        // SAFETY: as the caller says.
        unsafe {
            let new = vreinterpretq_u8_s8(vld1q_s8(source.add(LANES * vector)));
            let target = target.add(4 * LANES * vector);
            let old: [_; 4] = array::from_fn(|quad| vld1q_u8(target.add(LANES * quad)));
            for (quad, (old, order)) in old.into_iter().zip(orders).enumerate() {
                vst1q_u8(target.add(LANES * quad), vqtbx1q_u8(old, new, order));
            }
        }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn emit(
    Windows { lines, channels, slot, stride }: Windows<'_>,
    constants: &[Lanes; QUADS],
    rule: Requantization,
    outputs: &mut [i8],
    pitch: usize,
) {
    let stored = channels.next_multiple_of(4);
    let turn = array::from_fn::<u8, 16, _>(|i| (i / 4 * 4 + (i + 4 - slot % 4) % 4) as u8);
    // SAFETY: 16 bytes are read from as many.
    let turn = unsafe { vld1q_u8(turn.as_ptr()) };
    for (group, constants) in constants.chunks(4).enumerate() {
        let first = group * LANES;
        let count = channels.saturating_sub(first).min(LANES);
        let (Some(lines), Some(outputs)) = (lines.get(4 * first..), outputs.get_mut(first..)) else { return };
        let row = Row { lines, column: 4 * stored, stride, turn, rule, pitch, count };
        match (count, constants) {
            (LANES, [a, b, c, d]) => row.emit::<4, false>([a, b, c, d], outputs),
            (13.., [a, b, c, d]) => row.emit::<4, true>([a, b, c, d], outputs),
            (9.., [a, b, c, ..]) => row.emit::<3, true>([a, b, c], outputs),
            (5.., [a, b, ..]) => row.emit::<2, true>([a, b], outputs),
            (1.., [a, ..]) => row.emit::<1, true>([a], outputs),
            _ => return,
        }
    }
}

/// A row of outputs of at most 16 channels.
struct Row<'a> {
    /// From the first of the channels on.
    lines: &'a [u8],
    /// Bytes of a column.
    column: usize,
    stride: usize,
    /// How the weights turn.
    turn: uint8x16_t,
    rule: Requantization,
    pitch: usize,
    /// Channels.
    count: usize,
}

impl Row<'_> {
    /// All channels of a pixel at once: weights and constants of 16 take 24 registers, and the pixel is one store.
    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    fn emit<const Q: usize, const PARTIAL: bool>(&self, lanes: [&Lanes; Q], outputs: &mut [i8]) {
        let requantize = Requantize::new(self.rule);
        let weights: [[_; 3]; Q] =
            array::from_fn(|q| array::from_fn(|column| vqtbl1q_s8(lanes[q].weights[column], self.turn)));
        let (bias, multipliers): ([_; Q], [_; Q]) =
            (array::from_fn(|q| lanes[q].bias), array::from_fn(|q| lanes[q].multipliers));
        let count = if PARTIAL { self.count } else { LANES };
        let step = self.stride * self.column;
        let reach = 2 * self.column + 16 * Q;
        if step == 0 || self.pitch == 0 || self.lines.len() < reach || outputs.len() < count {
            return;
        }
        let columns = ((self.lines.len() - reach) / step).min((outputs.len() - count) / self.pitch) + 1;
        let (mut line, mut pixel) = (self.lines.as_ptr(), outputs.as_mut_ptr());
        for _ in 0..columns {
            let x: [[int8x16_t; Q]; 3] = array::from_fn(|tap| {
                // SAFETY: the last window ends within the lines.
                array::from_fn(|q| unsafe { vld1q_s8(line.add(tap * self.column + 16 * q).cast()) })
            });
            let results: [_; Q] = array::from_fn(|q| {
                let [a, b, c] = weights[q];
                requantize.apply(sdot(sdot(sdot(bias[q], x[0][q], a), x[1][q], b), x[2][q], c), multipliers[q])
            });
            let bytes = requantize.pack(array::from_fn(|place| results[place % Q]));
            // SAFETY: the channels of the last pixel end within the outputs.
            unsafe { store(pixel, bytes, count) };
            (line, pixel) = (line.wrapping_add(step), pixel.wrapping_add(self.pitch));
        }
    }
}

impl Narrow for Dotprod {
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
            // SAFETY: who calls has asked `is_supported`.
            unsafe { narrow_group(line, weights, group, parameters, rule, outputs) };
        }
    }
}

/// Computes the channels of a group.
#[target_feature(enable = "neon,dotprod")]
fn narrow_group(
    (line, stride): (&[[u8; 4]], usize),
    weights: &Weights,
    group: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let (first, pitch) = (group * LANES, parameters.bias.len());
    let count = pitch.saturating_sub(first).min(LANES);
    let Some(outputs) = outputs.get_mut(first..) else { return };
    let requantize = Requantize::new(rule);
    // SAFETY: 12 vectors of 16 bytes are read from 192.
    let weights: [[int8x16_t; 4]; 3] = array::from_fn(|column| {
        array::from_fn(|q| unsafe { vld1q_s8(weights.as_ptr().add(64 * column + 16 * q).cast()) })
    });
    let constants = |from: &[i32]| -> [int32x4_t; 4] {
        array::from_fn(|q| {
            let words = four_words(from, first + 4 * q, count.saturating_sub(4 * q));
            // SAFETY: four words are read from as many.
            unsafe { vld1q_s32(words.as_ptr()) }
        })
    };
    let (sums, multipliers) = (constants(parameters.bias), constants(parameters.multipliers));
    if line.len() < 3 || outputs.len() < count || stride == 0 || pitch == 0 {
        return;
    }
    let columns = ((line.len() - 3) / stride).min((outputs.len() - count) / pitch) + 1;
    let (mut window, mut pixel) = (line.as_ptr().cast::<i32>(), outputs.as_mut_ptr());
    for _ in 0..columns {
        let x: [_; 3] = array::from_fn(|i| {
            // SAFETY: the last window ends within the line.
            vreinterpretq_s8_s32(unsafe { vdupq_n_s32(window.add(i).read_unaligned()) })
        });
        let results = array::from_fn(|q| {
            let sum = sdot(sdot(sdot(sums[q], weights[0][q], x[0]), weights[1][q], x[1]), weights[2][q], x[2]);
            requantize.apply(sum, multipliers[q])
        });
        // SAFETY: the channels of the last pixel end within the outputs.
        unsafe { store(pixel, requantize.pack(results), count) };
        (window, pixel) = (window.wrapping_add(stride), pixel.wrapping_add(pitch));
    }
}
