//! The convolutions whose windows are read from lines, depthwise ones and those of one channel.

use core::arch::x86_64::*;
use core::array;

use super::{Avx2, OCTET, Requantize, words};
use crate::kernels::arch::vector::{Lines, Narrow, Weights, Windows, set_bits};
use crate::layout::memory::{LANES, LineShape};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Constants of eight channels of a depthwise convolution.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// By column: in each lane the words of the first two rows, then of the third and a zero.
    weights: [[__m256i; 2]; 3],
    bias: __m256i,
    multipliers: __m256i,
}

/// Octets of a block.
const OCTETS: usize = 4;

/// Eight channels of a column take two vectors of pairs of words: slots 0 and 1, slots 2 and 3. `vpmaddwd` sums three
/// of the four, as the weight of the fourth is zero.
impl Lines for Avx2 {
    const SHAPE: LineShape = LineShape::AVX2;
    type Constants = [Lanes; OCTETS];

    fn constants(parameters: &LayerParameters<'_>, first: usize, count: usize) -> [Lanes; OCTETS] {
        // SAFETY: who calls has asked `is_supported`, here and below.
        unsafe { constants(parameters, first, count) }
    }

    fn blank(lines: &mut [u8], slot: usize, zero: i8) {
        let word = u32::from(i16::from(zero) as u16);
        for pairs in lines.as_chunks_mut::<64>().0 {
            if let Some(words) = pairs.as_chunks_mut::<32>().0.get_mut(slot / 2) {
                set_bits(words, 0xffff << (16 * (slot % 2)), word << 16 | word);
            }
        }
    }

    fn push(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], (channels, pitch): (usize, usize)) {
        // SAFETY: as above.
        unsafe {
            if slot.is_multiple_of(2) {
                push::<false>(lines, slot, columns, pixels, channels, pitch);
            } else {
                push::<true>(lines, slot, columns, pixels, channels, pitch);
            }
        }
    }

    fn emit(windows: Windows<'_>, constants: &[Lanes; OCTETS], rule: Requantization, outputs: &mut [i8], pitch: usize) {
        // SAFETY: as above.
        unsafe { emit(windows, constants, rule, outputs, pitch) }
    }
}

#[target_feature(enable = "avx2")]
fn constants(parameters: &LayerParameters<'_>, first: usize, channels: usize) -> [Lanes; OCTETS] {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    array::from_fn(|octet| {
        let first = first + octet * OCTET;
        let count = channels.saturating_sub(octet * OCTET).min(OCTET);
        let constant = |from: &[i32]| {
            let from = from.get(first..first + count).unwrap_or_default();
            // SAFETY: all of the slice is read.
            unsafe { words(from.as_ptr(), from.len()) }
        };
        let row = |row: usize, column: usize| {
            let start = (3 * row + column) * bias.len() + first;
            let mut bytes = [0; OCTET];
            let source = weights.get(start..start + count).unwrap_or_default();
            bytes.iter_mut().zip(source).for_each(|(byte, &weight)| *byte = weight as u8);
            _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(bytes)))
        };
        Lanes {
            weights: array::from_fn(|column| {
                let [first, second, third] = array::from_fn(|index| row(index, column));
                let low = _mm256_set1_epi32(0xFFFF);
                [
                    _mm256_or_si256(_mm256_and_si256(first, low), _mm256_slli_epi32::<16>(second)),
                    _mm256_and_si256(third, low),
                ]
            }),
            bias: constant(bias),
            multipliers: constant(multipliers),
        }
    })
}

#[target_feature(enable = "avx2")]
fn push<const ODD: bool>(lines: &mut [u8], slot: usize, columns: usize, pixels: &[i8], channels: usize, pitch: usize) {
    let stored = channels.next_multiple_of(OCTET);
    if columns == 0 || pixels.len() < (columns - 1) * pitch + channels || lines.len() < columns * stored * 8 {
        return;
    }
    let half = 32 * (slot / 2 % 2);
    for octet in 0..stored / OCTET {
        let count = (channels - octet * OCTET).min(OCTET);
        for column in 0..columns {
            // SAFETY: `columns` pixels and places are there, and `count` channels from `octet` on.
            unsafe {
                let source = pixels.as_ptr().add(column * pitch + octet * OCTET);
                let bytes = if count == OCTET {
                    source.cast::<i64>().read_unaligned()
                } else {
                    (0..count).rev().fold(0, |bytes, i| bytes << 8 | i64::from(source.add(i).read() as u8))
                };
                let place = lines.as_mut_ptr().add((column * stored + octet * OCTET) * 8 + half).cast();
                let (new, old) = (_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes)), _mm256_loadu_si256(place));
                let mixed = if ODD {
                    _mm256_blend_epi16::<0b1010_1010>(old, _mm256_slli_epi32::<16>(new))
                } else {
                    _mm256_blend_epi16::<0b0101_0101>(old, new)
                };
                _mm256_storeu_si256(place, mixed);
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn emit(
    Windows { lines, channels, slot, stride }: Windows<'_>,
    constants: &[Lanes; OCTETS],
    rule: Requantization,
    outputs: &mut [i8],
    pitch: usize,
) {
    let stored = channels.next_multiple_of(OCTET);
    let held = lines.len() / (8 * stored.max(1));
    if held < 3 || stride == 0 {
        return;
    }
    let columns = (held - 3) / stride + 1;
    if outputs.len() < (columns - 1) * pitch + channels {
        return;
    }
    let requantize = Requantize::new(rule);
    for (octet, lanes) in constants.iter().enumerate().take(stored / OCTET) {
        let count = (channels - octet * OCTET).min(OCTET);
        // The weights of slots 0 and 1 and of slots 2 and 3.
        let weights = lanes.weights.map(|[a, b]| {
            let begun = _mm256_slli_epi32::<16>(a);
            let ended = _mm256_or_si256(_mm256_srli_epi32::<16>(a), _mm256_slli_epi32::<16>(b));
            match slot % 4 {
                0 => [a, b],
                1 => [begun, ended],
                2 => [b, a],
                _ => [ended, begun],
            }
        });
        for column in (0..columns).step_by(2) {
            let pair = [column, (column + 1).min(columns - 1)];
            let mut sums = [lanes.bias; 2];
            for (sum, column) in sums.iter_mut().zip(pair) {
                for (tap, weights) in weights.into_iter().enumerate() {
                    for (half, weights) in weights.into_iter().enumerate() {
                        let place = ((column * stride + tap) * stored + octet * OCTET) * 8 + half * 32;
                        // SAFETY: `stride · (columns − 1) + 2 < held` columns are in the lines.
                        let x = unsafe { _mm256_loadu_si256(lines.as_ptr().add(place).cast()) };
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x, weights));
                    }
                }
                *sum = requantize.apply(*sum, lanes.multipliers);
            }
            let places = pair.map(|column| outputs.as_mut_ptr().wrapping_add(column * pitch + octet * OCTET));
            // SAFETY: `columns` pixels are there, and `count` channels from `octet` on.
            unsafe { requantize.store(sums, places, count) };
        }
    }
}

impl Narrow for Avx2 {
    const FLIP: u8 = 0;

    fn row(
        (line, stride): (&[[u8; 4]], usize),
        weights: &[Weights],
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        scratch: &mut [u8],
    ) {
        // The line in words.
        let words = scratch.as_chunks_mut::<8>().0;
        for (words, column) in words.iter_mut().zip(line) {
            let wide = column.map(|x| i16::from(x as i8).to_le_bytes());
            words.as_chunks_mut::<2>().0.iter_mut().zip(wide).for_each(|(place, word)| *place = word);
        }
        let line = (words.get(..line.len()).unwrap_or_default(), stride);
        for octet in 0..parameters.bias.len().div_ceil(OCTET) {
            // SAFETY: who calls has asked `is_supported`.
            unsafe { narrow_octet(line, weights, octet, parameters, rule, outputs) };
        }
    }
}

/// Computes eight channels, those that the last octet has.
#[target_feature(enable = "avx2")]
fn narrow_octet(
    (line, stride): (&[[u8; 8]], usize),
    weights: &[Weights],
    octet: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let LayerParameters { bias, multipliers, .. } = *parameters;
    let (first, pitch) = (octet * OCTET, bias.len());
    let channels = pitch.saturating_sub(first).min(OCTET);
    let Some(weights) = weights.get(first / LANES) else { return };
    if channels == 0 || multipliers.len() < pitch {
        return;
    }
    let half = octet % 2;
    let requantize = Requantize::new(rule);
    // SAFETY: six times 16 bytes of 192; `channels` words from `first` on.
    let (weights, bias, multipliers) = unsafe {
        let vector = |column: usize, quad: usize| {
            _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.as_ptr().add(64 * column + 32 * half + 16 * quad).cast()))
        };
        (
            array::from_fn::<_, 3, _>(|column| [vector(column, 0), vector(column, 1)]),
            words(bias.as_ptr().add(first), channels),
            words(multipliers.as_ptr().add(first), channels),
        )
    };
    let compute = |window: &[[u8; 8]]| {
        let mut sums = [_mm256_setzero_si256(); 2];
        for (&x, weights) in window.iter().zip(weights) {
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_set1_epi64x(i64::from_le_bytes(x)), weights));
            }
        }
        let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(sums[0], sums[1]));
        requantize.apply(_mm256_add_epi32(sums, bias), multipliers)
    };
    let mut windows = line.windows(3).step_by(stride.max(1));
    let mut pixels = outputs.chunks_exact_mut(pitch);
    while let (Some(window), Some(pixel)) = (windows.next(), pixels.next()) {
        let a = compute(window);
        let place = pixel.as_mut_ptr().wrapping_add(first);
        let (b, next) = match (windows.next(), pixels.next()) {
            (Some(window), Some(pixel)) => (compute(window), pixel.as_mut_ptr().wrapping_add(first)),
            _ => (a, place),
        };
        // SAFETY: `first + channels ≤ pitch`, the bytes of a pixel.
        unsafe { requantize.store([a, b], [place, next], channels) };
    }
}
