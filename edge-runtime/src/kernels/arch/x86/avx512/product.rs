//! Matrix products with `vpdpbusd`: windows and groups of channels, as many sums as registers.

use core::arch::x86_64::*;
use core::array;

use super::super::FLIP;
use super::{Requantize, first_lanes};
use crate::kernels::to_outputs;
use crate::layout::memory::LANES;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Windows whose corrections are kept on the stack; divisible by the windows of every tile.
const CHUNK: usize = 48;

/// `−128 · Σ x` of four windows of `taps` taps.
///
/// # Safety
/// Each pointer is to `taps` readable bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn corrections(windows: [*const i8; 4], taps: usize) -> [i32; 4] {
    let mut sums = [_mm512_setzero_si512(); 4];
    let factor = _mm512_set1_epi8(FLIP as i8);
    for at in (0..taps).step_by(64) {
        let mask = first_lanes(taps - at);
        for (window, sum) in windows.iter().zip(&mut sums) {
            // SAFETY: the mask leaves no byte beyond the window's taps.
            let x = unsafe { _mm512_maskz_loadu_epi8(mask, window.add(at)) };
            *sum = _mm512_dpbusd_epi32(*sum, factor, x);
        }
    }
    // The lanes of all four are added up in one tree.
    let pair = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (low, high) = (pair(sums[0], sums[1]), pair(sums[2], sums[3]));
    let four = _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
    let two = _mm256_add_epi32(_mm512_castsi512_si256(four), _mm512_extracti64x4_epi64::<1>(four));
    let one = _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two));
    let mut result = [0; 4];
    // SAFETY: 16 bytes are written to as many.
    unsafe { _mm_storeu_si128(result.as_mut_ptr().cast(), _mm_sub_epi32(_mm_setzero_si128(), one)) };
    result
}

/// Sums of `W` windows, one behind the other, and `G` groups of channels, of which the last has `last` channels: 16
/// but where `PARTIAL`. All stay in registers; a step loads `G` vectors of weights and broadcasts four taps of each
/// window.
///
/// # Safety
/// `windows` points to `W · taps` bytes, `weights` to those of the groups.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn products<const W: usize, const G: usize, const PARTIAL: bool>(
    windows: *const i8,
    taps: usize,
    weights: *const i8,
    last: usize,
    bias: [__m512i; G],
) -> [[__m512i; G]; W] {
    let mut sums = [bias; W];
    let lanes = first_lanes(last) as u16;
    let size = |group| if PARTIAL && group == G - 1 { last } else { LANES };
    for step in 0..taps / 4 {
        let weights: [_; G] = array::from_fn(|group| {
            // SAFETY: within the group's `size · taps` bytes, as `4 · (step + 1) ≤ taps`; the mask leaves out lanes beyond.
            unsafe {
                let place = weights.add(group * LANES * taps + step * 4 * size(group)).cast();
                if size(group) < LANES { _mm512_maskz_loadu_epi32(lanes, place) } else { _mm512_loadu_epi32(place) }
            }
        });
        for (window, sums) in sums.iter_mut().enumerate() {
            // SAFETY: within the window, as `4 · (step + 1) ≤ taps`.
            let x = unsafe { windows.add(window * taps + 4 * step).cast::<i32>().read_unaligned() };
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_dpbusd_epi32(*sum, weights, _mm512_set1_epi32(x));
            }
        }
    }
    if !taps.is_multiple_of(4) {
        let fours = taps / 4 * 4;
        let mut rest = [_mm512_setzero_si512(); G];
        for tap in fours..taps {
            let shift = _mm_cvtsi32_si128(8 * (tap - fours) as i32);
            for (group, rest) in rest.iter_mut().enumerate() {
                // SAFETY: within the group's bytes; the mask leaves out lanes beyond.
                let bytes = unsafe {
                    let place = weights.add(group * LANES * taps + tap * size(group));
                    _mm_maskz_loadu_epi8(if size(group) < LANES { lanes } else { u16::MAX }, place)
                };
                *rest = _mm512_or_si512(*rest, _mm512_sll_epi32(_mm512_cvtepu8_epi32(bytes), shift));
            }
        }
        for (window, sums) in sums.iter_mut().enumerate() {
            let x = (fours..taps).rev().fold(0, |x, tap| {
                // SAFETY: within the window.
                x << 8 | i32::from(unsafe { windows.add(window * taps + tap).read() } as u8)
            });
            for (sum, rest) in sums.iter_mut().zip(rest) {
                *sum = _mm512_dpbusd_epi32(*sum, rest, _mm512_set1_epi32(x));
            }
        }
    }
    sums
}

/// What a tile of windows and groups of channels reads and writes.
#[derive(Clone, Copy)]
struct Tile {
    windows: *const i8,
    taps: usize,
    corrections: *const i32,
    weights: *const i8,
    bias: *const i32,
    multipliers: *const i32,
    /// Channels of the last group.
    last: usize,
    outputs: *mut i8,
    /// From the outputs of one window to those of the next.
    pitch: usize,
}

impl Tile {
    /// Computes the outputs of `W` windows and `G` groups.
    ///
    /// # Safety
    /// The pointers are to as much as `W` windows and `G` groups, the last of `last` channels, have.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn compute<const W: usize, const G: usize, const PARTIAL: bool>(&self, requantize: Requantize) {
        let channels = (G - 1) * LANES + if PARTIAL { self.last } else { LANES };
        let mask = |group| first_lanes(channels - group * LANES) as u16;
        // SAFETY: the mask leaves out what is beyond the pass's channels.
        let constants = |from: *const i32| -> [__m512i; G] {
            array::from_fn(|group| unsafe { _mm512_maskz_loadu_epi32(mask(group), from.add(group * LANES)) })
        };
        let bias = constants(self.bias);
        // SAFETY: as the caller says.
        let sums = unsafe { products::<W, G, PARTIAL>(self.windows, self.taps, self.weights, self.last, bias) };
        let multipliers = constants(self.multipliers);
        for (window, sums) in sums.into_iter().enumerate() {
            // SAFETY: one correction a window.
            let correction = _mm512_set1_epi32(unsafe { self.corrections.add(window).read() });
            let outputs: [_; G] =
                array::from_fn(|group| requantize.apply(_mm512_add_epi32(sums[group], correction), multipliers[group]));
            let bytes = requantize.pack(array::from_fn(|place| outputs[place % G]));
            // SAFETY: `channels` bytes are written, within the window's outputs.
            unsafe { _mm512_mask_storeu_epi8(self.outputs.add(window * self.pitch), first_lanes(channels), bytes) };
        }
    }

    /// Computes the outputs of `count` windows and `G` groups, `W` windows at a time.
    ///
    /// # Safety
    /// The pointers are to as much as `count` windows and `G` groups, the last of `last` channels, have.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn sweep<const W: usize, const G: usize>(&self, count: usize, requantize: Requantize) {
        let mut window = 0;
        while window < count {
            // Windows that are not a tile are computed once more with those before them.
            let first = if count < W { window } else { window.min(count - W) };
            // SAFETY: `first + W ≤ count`, or one window.
            unsafe {
                let tile = Self {
                    windows: self.windows.add(first * self.taps),
                    corrections: self.corrections.add(first),
                    outputs: self.outputs.add(first * self.pitch),
                    ..*self
                };
                match (count < W, self.last < LANES) {
                    (true, _) => tile.compute::<1, G, true>(requantize),
                    (false, true) => tile.compute::<W, G, true>(requantize),
                    (false, false) => tile.compute::<W, G, false>(requantize),
                }
            }
            window = first + if count < W { 1 } else { W };
        }
    }
}

/// The outputs of windows of `taps` elements.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub fn windows(
    windows: &[i8],
    taps: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    if windows.len() == taps {
        return one_window(windows, parameters, to_outputs(rule, multipliers, outputs, |result| result as i8));
    }
    let channels = bias.len();
    if taps == 0 || channels == 0 || multipliers.len() < channels || weights.len() < channels * taps {
        return;
    }
    let requantize = Requantize::new(rule);
    let groups = channels.div_ceil(LANES);
    let passes = groups.div_ceil(4);
    for (windows, outputs) in windows.chunks((CHUNK * taps).max(1)).zip(outputs.chunks_mut((CHUNK * channels).max(1))) {
        let count = (windows.len() / taps).min(outputs.len() / channels);
        if count == 0 {
            return;
        }
        let mut sums = [0; CHUNK];
        for (four, sums) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate().take(count.div_ceil(4)) {
            let window = |i: usize| windows.as_ptr().wrapping_add((4 * four + i).min(count - 1) * taps);
            // SAFETY: each points to one of `count` windows.
            *sums = unsafe { corrections(array::from_fn(window), taps) };
        }
        for pass in 0..passes {
            // As even as can be: four and one would leave the one with too few sums to hide their latency.
            let (group, end) = (groups * pass / passes, groups * (pass + 1) / passes);
            let first = group * LANES;
            // SAFETY: `first` is less than the number of channels, and `count` windows and their outputs are there.
            unsafe {
                let tile = Tile {
                    windows: windows.as_ptr(),
                    taps,
                    corrections: sums.as_ptr(),
                    weights: weights.as_ptr().add(first * taps),
                    bias: bias.as_ptr().add(first),
                    multipliers: multipliers.as_ptr().add(first),
                    last: (channels - (end - 1) * LANES).min(LANES),
                    outputs: outputs.as_mut_ptr().add(first),
                    pitch: channels,
                };
                match end - group {
                    1 => tile.sweep::<8, 1>(count, requantize),
                    2 => tile.sweep::<8, 2>(count, requantize),
                    3 => tile.sweep::<8, 3>(count, requantize),
                    _ => tile.sweep::<6, 4>(count, requantize),
                }
            }
        }
    }
}

/// Channels whose sums are on the stack at a time, of one window.
const BLOCK: usize = 4 * LANES;

/// The accumulators of one window, some at a time with the first one's channel to `emit`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub fn one_window(window: &[i8], parameters: &LayerParameters<'_>, mut emit: impl FnMut(usize, &[i32])) {
    let LayerParameters { bias, weights, .. } = *parameters;
    let taps = window.len();
    if weights.len() < bias.len() * taps {
        return;
    }
    // SAFETY: all four pointers are to the window.
    let [correction, ..] = unsafe { corrections([window.as_ptr(); 4], taps) };
    let mut sums = [0; BLOCK];
    for (block, bias) in bias.chunks(BLOCK).enumerate() {
        let first = block * BLOCK;
        // SAFETY: the weights of channels `first..first + bias.len()` are there.
        unsafe { sum_block(window, weights.as_ptr().add(first * taps), bias.len(), &mut sums) };
        let sums = sums.get_mut(..bias.len()).unwrap_or_default();
        for (sum, &bias) in sums.iter_mut().zip(bias) {
            *sum = sum.wrapping_add(bias).wrapping_add(correction);
        }
        emit(first, sums);
    }
}

/// Sums of one window, without bias and correction. The weights are read once and in their order, which is the fastest
/// that the caches deliver; four sums of a group hide the latency of each.
///
/// # Safety
/// `weights` points to those of `channels` channels, the first of which begins a group.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn sum_block(window: &[i8], weights: *const i8, channels: usize, sums: &mut [i32; BLOCK]) {
    let taps = window.len();
    let (sixteens, rest) = window.as_chunks::<16>();
    for (first, place) in (0..channels).step_by(LANES).zip(sums.as_chunks_mut::<LANES>().0) {
        // SAFETY: a group begins at `first`; in a whole one each four taps have 64 bytes. 16 sums are written to as many.
        unsafe {
            let group = weights.add(first * taps);
            let [[sum]] = if channels - first >= LANES {
                let sum = sum_sixteens(sixteens, group);
                products::<1, 1, false>(rest.as_ptr(), rest.len(), group.add(sixteens.len() * 16 * LANES), LANES, [sum])
            } else {
                products::<1, 1, true>(window.as_ptr(), taps, group, channels - first, [_mm512_setzero_si512()])
            };
            _mm512_storeu_epi32(place.as_mut_ptr(), sum);
        }
    }
}

/// Sums of a whole group over each 16 taps. Vectors that lie across two cache lines, as all do where the weights begin
/// inside one, would take the second level of the cache half as long again: they are put together from whole lines.
///
/// # Safety
/// `weights` points to those of 16 channels and all taps.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn sum_sixteens(window: &[[i8; 16]], weights: *const i8) -> __m512i {
    let mut parts = [_mm512_setzero_si512(); 4];
    let mut add = |x: &[i8; 16], weights: [__m512i; 4]| {
        for ((part, weights), x) in parts.iter_mut().zip(weights).zip(x.as_chunks::<4>().0) {
            let x = _mm512_set1_epi32(i32::from_le_bytes(x.map(|x| x as u8)));
            *part = _mm512_dpbusd_epi32(*part, weights, x);
        }
    };
    // SAFETY: 16 taps have four vectors, wherever they begin.
    let across = |sixteen: usize| unsafe {
        array::from_fn(|vector| _mm512_loadu_epi8(weights.add((4 * sixteen + vector) * 64)))
    };
    let past = weights.addr() % 64;
    match window {
        [first, middle @ .., last] if past != 0 && past.is_multiple_of(4) => {
            add(first, across(0));
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(past as i32 / 4));
            // SAFETY: the cache lines in which the vectors of these taps begin and end; the first and the last of the group,
            // of which others have a part, are not among them.
            unsafe {
                let mut line = weights.sub(past).add(4 * 64);
                let mut before = _mm512_load_si512(line.cast());
                for x in middle {
                    let vectors = array::from_fn(|_| {
                        line = line.add(64);
                        let after = _mm512_load_si512(line.cast());
                        let vector = _mm512_permutex2var_epi32(before, lanes, after);
                        before = after;
                        vector
                    });
                    add(x, vectors);
                }
            }
            add(last, across(window.len() - 1));
        }
        _ => window.iter().enumerate().for_each(|(sixteen, x)| add(x, across(sixteen))),
    }
    let [a, b, c, d] = parts;
    _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d))
}
