//! Matrix products with `vpmaddwd`: windows widened to words, times octets of channels.

use core::arch::x86_64::*;

use super::super::FLIP;
use super::{OCTET, Requantize, first_lanes, words};
use crate::kernels::to_outputs;
use crate::layout::memory::{LANES, WIDENED_WINDOWS, widened_bytes};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Windows of a tile: with two vectors of sums each, twelve of the sixteen registers.
const TILE: usize = WIDENED_WINDOWS / 2;

/// Writes the window as words to `words`, filled up with zeros to a multiple of 16, and returns `−128 · Σ x`.
#[target_feature(enable = "avx2")]
fn widen(window: &[i8], words: &mut [u8]) -> i32 {
    let factor = _mm256_set1_epi16(FLIP.into());
    let mut sums = _mm256_setzero_si256();
    let (whole, rest) = window.as_chunks::<LANES>();
    let mut last = [0; LANES];
    last.iter_mut().zip(rest).for_each(|(place, &x)| *place = x);
    let last = (!rest.is_empty()).then_some(&last);
    for (x, words) in whole.iter().chain(last).zip(words.as_chunks_mut::<{ 2 * LANES }>().0) {
        // SAFETY: 16 bytes are read from as many, 32 written to as many.
        unsafe {
            let x = _mm256_cvtepi8_epi16(_mm_loadu_si128(x.as_ptr().cast()));
            _mm256_storeu_si256(words.as_mut_ptr().cast(), x);
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x, factor));
        }
    }
    let four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
    let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    _mm_cvtsi128_si32(two).wrapping_add(_mm_extract_epi32::<1>(two)).wrapping_neg()
}

/// Sums of `W` windows of words and the eight channels from `offset` on of a group of `channels`; fewer where
/// `PARTIAL`. Half the sums of a channel are in each of two lanes until the end.
///
/// # Safety
/// `windows` points to `W` windows by [`widen`], one behind the other, and `group` to the group's weights.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn products<const W: usize, const PARTIAL: bool>(
    windows: *const i16,
    taps: usize,
    group: *const i8,
    offset: usize,
    channels: usize,
) -> [__m256i; W] {
    let mut sums = [[_mm256_setzero_si256(); 2]; W];
    let lanes = first_lanes(channels - offset);
    let (low, high) = (_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let pitch = widened_bytes(taps) / 2;
    let mut multiply = |step: usize, weights: [__m128i; 2]| {
        let weights = [_mm256_cvtepu8_epi16(weights[0]), _mm256_cvtepu8_epi16(weights[1])];
        for (window, sums) in sums.iter_mut().enumerate() {
            // SAFETY: within the window, which is filled up to a multiple of 16 words.
            let x = unsafe { windows.add(window * pitch + 4 * step).cast::<i64>().read_unaligned() };
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(weights, _mm256_set1_epi64x(x)));
            }
        }
    };
    for step in 0..taps / 4 {
        // SAFETY: `4 · (step + 1) ≤ taps`; the masks leave out channels beyond the group.
        let weights = unsafe {
            let place = group.add(4 * (step * channels + offset));
            if PARTIAL {
                [_mm_maskload_epi32(place.cast(), low), _mm_maskload_epi32(place.wrapping_add(16).cast(), high)]
            } else {
                [_mm_loadu_si128(place.cast()), _mm_loadu_si128(place.add(16).cast())]
            }
        };
        multiply(step, weights);
    }
    if !taps.is_multiple_of(4) {
        let mut rest = [[0_u8; 4]; OCTET];
        for (channel, rest) in (offset..channels).zip(&mut rest) {
            for (tap, weight) in (taps / 4 * 4..taps).zip(rest) {
                // SAFETY: within the group's `channels · taps` bytes.
                *weight = unsafe { group.add(tap * channels + channel).read() } as u8;
            }
        }
        let [low, high] = [0, 4].map(|first| {
            // SAFETY: four of the eight channels are read.
            unsafe { _mm_loadu_si128(rest.as_ptr().add(first).cast()) }
        });
        multiply(taps / 4, [low, high]);
    }
    sums.map(|[low, high]| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(low, high)))
}

/// What a tile reads and writes.
#[derive(Clone, Copy)]
struct Tile {
    windows: *const i16,
    taps: usize,
    corrections: *const i32,
    group: *const i8,
    /// Channels of the group.
    channels: usize,
    /// The first of the tile's channels in the group.
    offset: usize,
    bias: *const i32,
    multipliers: *const i32,
    outputs: *mut i8,
    /// From the outputs of one window to those of the next.
    pitch: usize,
}

impl Tile {
    /// Computes the outputs of `W` windows and at most eight channels.
    ///
    /// # Safety
    /// The pointers are to as much as `W` windows and the tile's channels have.
    #[target_feature(enable = "avx2")]
    unsafe fn compute<const W: usize, const PARTIAL: bool>(&self, requantize: Requantize) {
        let channels = (self.channels - self.offset).min(OCTET);
        // SAFETY: as the caller says.
        let (sums, bias, multipliers) = unsafe {
            let sums = products::<W, PARTIAL>(self.windows, self.taps, self.group, self.offset, self.channels);
            (sums, words(self.bias, channels), words(self.multipliers, channels))
        };
        let mut outputs = sums;
        for (window, output) in outputs.iter_mut().enumerate() {
            // SAFETY: one correction a window.
            let correction = _mm256_set1_epi32(unsafe { self.corrections.add(window).read() });
            let sum = _mm256_add_epi32(_mm256_add_epi32(*output, correction), bias);
            *output = requantize.apply(sum, multipliers);
        }
        for window in (0..W).step_by(2) {
            let pair = [window, (window + 1).min(W - 1)];
            let places = pair.map(|window| self.outputs.wrapping_add(window * self.pitch));
            // SAFETY: `channels` bytes of each window's outputs.
            unsafe { requantize.store(pair.map(|window| outputs[window]), places, channels) };
        }
    }
}

/// The outputs of windows of `taps` elements, which are widened in `scratch`.
#[target_feature(enable = "avx2")]
pub fn windows(
    windows: &[i8],
    taps: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
    scratch: &mut [u8],
) {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    if windows.len() == taps {
        return one_window(windows, parameters, scratch, to_outputs(rule, multipliers, outputs, |result| result as i8));
    }
    let (channels, window_bytes) = (bias.len(), widened_bytes(taps));
    if taps == 0
        || channels == 0
        || multipliers.len() < channels
        || weights.len() < channels * taps
        || scratch.len() < WIDENED_WINDOWS * window_bytes
    {
        return;
    }
    let requantize = Requantize::new(rule);
    let chunks = windows.chunks(WIDENED_WINDOWS * taps).zip(outputs.chunks_mut(WIDENED_WINDOWS * channels));
    for (windows, outputs) in chunks {
        let count = (windows.len() / taps).min(outputs.len() / channels);
        let mut corrections = [0; WIDENED_WINDOWS];
        let places = corrections.iter_mut().zip(scratch.chunks_exact_mut(window_bytes));
        for (window, (correction, words)) in windows.chunks_exact(taps).zip(places) {
            *correction = widen(window, words);
        }
        for first in (0..channels).step_by(OCTET) {
            let group = first / LANES * LANES;
            let mut window = 0;
            while window < count {
                // Windows that are not a tile are computed once more with those before them.
                let start = if count < TILE { window } else { window.min(count - TILE) };
                // SAFETY: `start + TILE ≤ count`, or one window; `first` is less than the number of channels.
                unsafe {
                    let tile = Tile {
                        windows: scratch.as_ptr().add(start * window_bytes).cast(),
                        taps,
                        corrections: corrections.as_ptr().add(start),
                        group: weights.as_ptr().add(group * taps),
                        channels: (channels - group).min(LANES),
                        offset: first - group,
                        bias: bias.as_ptr().add(first),
                        multipliers: multipliers.as_ptr().add(first),
                        outputs: outputs.as_mut_ptr().add(start * channels + first),
                        pitch: channels,
                    };
                    match (count < TILE, channels - first < OCTET) {
                        (true, _) => tile.compute::<1, true>(requantize),
                        (false, true) => tile.compute::<TILE, true>(requantize),
                        (false, false) => tile.compute::<TILE, false>(requantize),
                    }
                }
                window = start + if count < TILE { 1 } else { TILE };
            }
        }
    }
}

/// The accumulators of one window, which is widened in `scratch`, some at a time with the first one's channel to `emit`.
#[target_feature(enable = "avx2")]
pub fn one_window(
    window: &[i8],
    parameters: &LayerParameters<'_>,
    scratch: &mut [u8],
    mut emit: impl FnMut(usize, &[i32]),
) {
    let LayerParameters { bias, weights, .. } = *parameters;
    let taps = window.len();
    if weights.len() < bias.len() * taps || scratch.len() < widened_bytes(taps) {
        return;
    }
    let correction = widen(window, scratch);
    let mut sums = [0; LANES];
    for (group, bias) in bias.chunks(LANES).enumerate() {
        let (first, octets) = (group * LANES, sums.as_chunks_mut().0.iter_mut().take(bias.len().div_ceil(OCTET)));
        for (octet, place) in octets.enumerate() {
            // SAFETY: the group's weights are there, and the window is in `scratch`.
            unsafe {
                let group = weights.as_ptr().add(first * taps);
                *place = sum_octet(scratch.as_ptr().cast(), taps, group, octet * OCTET, bias.len());
            }
        }
        let sums = sums.get_mut(..bias.len()).unwrap_or_default();
        for (sum, &bias) in sums.iter_mut().zip(bias) {
            *sum = sum.wrapping_add(bias).wrapping_add(correction);
        }
        emit(first, sums);
    }
}

/// Sums of one window and eight channels of a group.
///
/// # Safety
/// As of [`products`].
#[target_feature(enable = "avx2")]
unsafe fn sum_octet(window: *const i16, taps: usize, group: *const i8, offset: usize, channels: usize) -> [i32; OCTET] {
    let mut result = [0; OCTET];
    // SAFETY: as the caller says; eight sums are written to eight places.
    unsafe {
        let [sums] = if channels - offset < OCTET {
            products::<1, true>(window, taps, group, offset, channels)
        } else {
            products::<1, false>(window, taps, group, offset, channels)
        };
        _mm256_storeu_si256(result.as_mut_ptr().cast(), sums);
    }
    result
}
