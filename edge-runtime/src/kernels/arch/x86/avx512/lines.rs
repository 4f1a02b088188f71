//! The convolutions whose windows are read from lines, depthwise ones and those of one channel.

use core::arch::x86_64::*;
use core::array;

use super::super::FLIP;
use super::{Avx512, Requantize, first_lanes};
use crate::kernels::arch::vector::{Lines, Narrow, Weights, Windows, set_bits};
use crate::layout::memory::{LANES, LineShape};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Constants of 16 channels of a depthwise convolution.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// By column: in each lane the weights of the three rows and a zero.
    weights: [__m512i; 3],
    bias: __m512i,
    multipliers: __m512i,
}

/// A lane of the lines holds four rows of one column and channel, as `u8` 128 too large: `vpdpbusd` sums three of them, as
/// the weight of the fourth is zero. A new row replaces the oldest by a masked store.
impl Lines for Avx512 {
    const SHAPE: LineShape = LineShape::AVX512;
    type Constants = [Lanes; 4];

    fn constants(parameters: &LayerParameters<'_>, first: usize, count: usize) -> [Lanes; 4] {
        // SAFETY: who calls has asked `is_supported`, here and below.
        unsafe { constants(parameters, first, count) }
    }

    fn blank(lines: &mut [u8], slot: usize, zero: i8) {
        // SAFETY: as above.
        unsafe { blank(lines, slot, zero) }
    }

    fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], (channels, pitch): (usize, usize)) {
        // SAFETY: as above.
        unsafe { push(lines, slot, columns, pixels, channels, pitch) }
    }

    fn emit(windows: Windows<'_>, constants: &[Lanes; 4], rule: Requantization, outputs: &mut [i8], pitch: usize) {
        // SAFETY: as above.
        unsafe {
            if windows.stride == 1 {
                emit::<1>(windows, constants, rule, outputs, pitch);
            } else {
                emit::<2>(windows, constants, rule, outputs, pitch);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn constants(parameters: &LayerParameters<'_>, first: usize, channels: usize) -> [Lanes; 4] {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    array::from_fn(|group| {
        let first = first + group * LANES;
        let count = channels.saturating_sub(group * LANES).min(LANES);
        let mut lanes = Lanes {
            weights: [_mm512_setzero_si512(); 3],
            bias: words(bias, first, count),
            multipliers: words(multipliers, first, count),
        };
        for (column, lane) in lanes.weights.iter_mut().enumerate() {
            for row in 0..3 {
                let start = (3 * row + column) * bias.len() + first;
                let mut bytes = [0; LANES];
                let source = weights.get(start..start + count).unwrap_or_default();
                bytes.iter_mut().zip(source).for_each(|(byte, &weight)| *byte = weight as u8);
                // SAFETY: 16 bytes are read from as many.
                let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
                let shift = _mm_cvtsi32_si128(8 * row as i32);
                *lane = _mm512_or_si512(*lane, _mm512_sll_epi32(_mm512_cvtepu8_epi32(bytes), shift));
            }
            // What the flipped sign bits of the lines add.
            let surplus = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(FLIP as i8), *lane);
            lanes.bias = _mm512_sub_epi32(lanes.bias, surplus);
        }
        lanes
    })
}

/// Plain Rust, vectorised with these instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn blank(lines: &mut [u8], slot: usize, zero: i8) {
    let byte = zero as u8 ^ FLIP;
    set_bits(lines, 0xff << (8 * slot), u32::from_ne_bytes([byte; 4]));
}

/// `count` words from `first` on, and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn words(from: &[i32], first: usize, count: usize) -> __m512i {
    let words = from.get(first..first + count).unwrap_or_default();
    // SAFETY: the mask leaves no word beyond the slice.
    unsafe { _mm512_maskz_loadu_epi32(first_lanes(words.len().min(LANES)) as u16, words.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], channels: usize, pitch: usize) {
    let stored = channels.next_multiple_of(LANES);
    if columns == 0 || pixels.len() < (columns - 1) * pitch + channels || lines.len() < columns * stored * 4 {
        return;
    }
    let mask = 0x1111_1111_1111_1111 << (slot % 4);
    let flip = _mm512_set1_epi8(FLIP as i8);
    // Byte `4 · lane` of a broadcast of 16 bytes becomes byte `lane`, and so do its three neighbours.
    let spread = _mm512_mullo_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_set1_epi32(0x0101_0101),
    );
    for group in 0..stored / LANES {
        let lanes = first_lanes((channels - group * LANES).min(LANES)) as u16;
        let mut source = pixels.as_ptr().wrapping_add(group * LANES);
        let mut target = lines.as_mut_ptr().wrapping_add(group * LANES * 4);
        for _ in 0..columns {
            // SAFETY: `columns` pixels and places are there; the mask leaves out channels beyond.
            unsafe {
                let bytes = if lanes == u16::MAX {
                    _mm_loadu_si128(source.cast())
                } else {
                    _mm_maskz_loadu_epi8(lanes, source)
                };
                let bytes = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), spread);
                _mm512_mask_storeu_epi8(target.cast(), mask, _mm512_xor_si512(bytes, flip));
            }
            source = source.wrapping_add(pitch);
            target = target.wrapping_add(stored * 4);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn emit<const STRIDE: usize>(
    Windows { lines, channels, slot, .. }: Windows<'_>,
    constants: &[Lanes; 4],
    rule: Requantization,
    outputs: &mut [i8],
    pitch: usize,
) {
    let stored = channels.next_multiple_of(LANES);
    let held = lines.len() / (4 * stored.max(1));
    if held < 3 {
        return;
    }
    let columns = (held - 3) / STRIDE + 1;
    if outputs.len() < (columns - 1) * pitch + channels {
        return;
    }
    let requantize = Requantize::new(rule);
    let turn = _mm512_set1_epi32(8 * (slot % 4) as i32);
    for (group, lanes) in constants.iter().enumerate().take(stored / LANES) {
        let mask = first_lanes((channels - group * LANES).min(LANES)) as u16;
        let weights = lanes.weights.map(|weights| _mm512_rolv_epi32(weights, turn));
        let (first, outputs) =
            (lines.as_ptr().wrapping_add(group * LANES * 4), outputs.as_mut_ptr().wrapping_add(group * LANES));
        let mut column = 0;
        while column < columns {
            // The last columns are computed once more with those before them; of fewer than four, each four times.
            let start = if columns < 4 { column } else { column.min(columns - 4) };
            let side = if columns < 4 { 0 } else { 1 };
            let place = |i: usize| start + side * i;
            let mut sums = [lanes.bias; 4];
            for (i, sum) in sums.iter_mut().enumerate() {
                for (tap, weights) in weights.into_iter().enumerate() {
                    // SAFETY: `STRIDE · (columns − 1) + 2 < held` columns are in the lines.
                    let x = unsafe { _mm512_loadu_epi32(first.add((place(i) * STRIDE + tap) * stored * 4).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, x, weights);
                }
                *sum = requantize.apply(*sum, lanes.multipliers);
            }
            let bytes = requantize.pack(sums);
            // SAFETY: each place is one of `columns`; the mask leaves out channels beyond.
            unsafe {
                _mm_mask_storeu_epi8(outputs.add(place(0) * pitch), mask, _mm512_extracti32x4_epi32::<0>(bytes));
                _mm_mask_storeu_epi8(outputs.add(place(1) * pitch), mask, _mm512_extracti32x4_epi32::<1>(bytes));
                _mm_mask_storeu_epi8(outputs.add(place(2) * pitch), mask, _mm512_extracti32x4_epi32::<2>(bytes));
                _mm_mask_storeu_epi8(outputs.add(place(3) * pitch), mask, _mm512_extracti32x4_epi32::<3>(bytes));
            }
            column = if columns < 4 { column + 1 } else { start + 4 };
        }
    }
}

impl Narrow for Avx512 {
    const FLIP: u8 = FLIP;

    fn row(
        line: (&[[u8; 4]], usize),
        weights: &[Weights],
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        _scratch: &mut [u8],
    ) {
        for (pass, weights) in weights.chunks(2).enumerate() {
            let first = 2 * pass * LANES;
            // SAFETY: who calls has asked `is_supported`.
            unsafe {
                match weights {
                    [a, b] => narrow_pass(line, [a, b], first, parameters, rule, outputs),
                    [a] => narrow_pass(line, [a], first, parameters, rule, outputs),
                    _ => {}
                }
            }
        }
    }
}

/// Computes `G` groups of channels from `first` on.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn narrow_pass<const G: usize>(
    (line, stride): (&[[u8; 4]], usize),
    weights: [&Weights; G],
    first: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let pitch = parameters.bias.len();
    let channels = pitch.saturating_sub(first).min(G * LANES);
    let requantize = Requantize::new(rule);
    let weights = weights.map(|group| {
        // SAFETY: three vectors of 64 bytes are read from 192.
        array::from_fn::<_, 3, _>(|column| unsafe { _mm512_loadu_epi8(group.as_ptr().add(64 * column).cast()) })
    });
    let constants = |from: &[i32]| -> [__m512i; G] {
        array::from_fn(|group| words(from, first + group * LANES, channels.saturating_sub(group * LANES).min(LANES)))
    };
    let (mut bias, multipliers) = (constants(parameters.bias), constants(parameters.multipliers));
    for (bias, weights) in bias.iter_mut().zip(weights) {
        for weights in weights {
            // What the flipped sign bits of the line add.
            let surplus = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(FLIP as i8), weights);
            *bias = _mm512_sub_epi32(*bias, surplus);
        }
    }
    let windows = line.windows(3).step_by(stride.max(1));
    for (window, outputs) in windows.zip(outputs.chunks_exact_mut(pitch.max(1))) {
        let Some(place) = outputs.get_mut(first..first + channels) else { return };
        let mut results = bias;
        for (group, sum) in results.iter_mut().enumerate() {
            for (&x, weights) in window.iter().zip(weights[group]) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi32(i32::from_le_bytes(x)), weights);
            }
            *sum = requantize.apply(*sum, multipliers[group]);
        }
        let bytes = requantize.pack(array::from_fn(|place| results[place % G]));
        // SAFETY: `channels` bytes are written to as many.
        unsafe { _mm512_mask_storeu_epi8(place.as_mut_ptr(), first_lanes(channels), bytes) };
    }
}
