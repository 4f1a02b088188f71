//! Matrix products with `sdot`: windows and groups of channels, as many sums as registers.

use core::arch::aarch64::*;
use core::array;

use super::super::{Requantize, four_words, store};
use super::sdot_lane;
use crate::kernels::to_outputs;
use crate::layout::memory::LANES;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Windows of a tile: with 16 channels, half the registers are sums; a step loads four vectors of weights for 16 `sdot`.
const TILE: usize = 4;

/// Sums of `W` windows, one behind the other, and a group of channels in `Q` vectors of four; of the last vector `last`
/// channels exist: 4 but where `PARTIAL`.
///
/// # Safety
/// `windows` points to `W · taps` bytes, `group` to the group's weights.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn products<const W: usize, const Q: usize, const PARTIAL: bool>(
    windows: *const i8,
    taps: usize,
    group: *const i8,
    last: usize,
    bias: [int32x4_t; Q],
) -> [[int32x4_t; Q]; W] {
    let mut sums = [bias; W];
    let channels = if PARTIAL { 4 * (Q - 1) + last } else { 4 * Q };
    let weights = |step: usize| -> [int8x16_t; Q] {
        let place = group.wrapping_add(4 * channels * step);
        // SAFETY: within the group's bytes, as `4 · (step + 1) ≤ taps`; of the last vector `last` words are read.
        array::from_fn(|q| unsafe {
            if PARTIAL && q == Q - 1 {
                let mut words = [0; 4];
                place.add(16 * q).copy_to_nonoverlapping(words.as_mut_ptr().cast::<i8>(), 4 * last);
                vreinterpretq_s8_s32(vld1q_s32(words.as_ptr()))
            } else {
                vld1q_s8(place.add(16 * q))
            }
        })
    };
    macro_rules! step {
        ($lane:literal, $x:expr, $weights:expr) => {
            let weights: [int8x16_t; Q] = $weights;
            for (sums, x) in sums.iter_mut().zip($x) {
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = sdot_lane::<$lane>(*sum, weights, x);
                }
            }
        };
    }
    for sixteen in 0..taps / 16 {
        // SAFETY: within the window, as `16 · (sixteen + 1) ≤ taps`.
        let x: [_; W] = array::from_fn(|window| unsafe { vld1q_s8(windows.add(window * taps + 16 * sixteen)) });
        step!(0, x, weights(4 * sixteen));
        step!(1, x, weights(4 * sixteen + 1));
        step!(2, x, weights(4 * sixteen + 2));
        step!(3, x, weights(4 * sixteen + 3));
    }
    let word = |x: i32| vreinterpretq_s8_s32(vdupq_n_s32(x));
    for four in taps / 16 * 4..taps / 4 {
        let x: [_; W] = array::from_fn(|window| {
            // SAFETY: within the window, as `4 · (four + 1) ≤ taps`.
            word(unsafe { windows.add(window * taps + 4 * four).cast::<i32>().read_unaligned() })
        });
        step!(0, x, weights(four));
    }
    if !taps.is_multiple_of(4) {
        let fours = taps / 4 * 4;
        let mut rest = [[0_i8; 4]; LANES];
        for tap in fours..taps {
            for (channel, rest) in rest.iter_mut().enumerate().take(channels) {
                // SAFETY: within the group's `channels · taps` bytes.
                let weight = unsafe { group.add(tap * channels + channel).read() };
                rest.iter_mut().skip(tap - fours).take(1).for_each(|place| *place = weight);
            }
        }
        // SAFETY: four of the 16 channels are read.
        let rest = array::from_fn(|q| unsafe { vld1q_s8(rest.as_ptr().add(4 * q).cast()) });
        let x: [_; W] = array::from_fn(|window| {
            word((fours..taps).rev().fold(0, |x, tap| {
                // SAFETY: within the window.
                x << 8 | i32::from(unsafe { windows.add(window * taps + tap).read() } as u8)
            }))
        });
        step!(0, x, rest);
    }
    sums
}

/// What a tile reads and writes.
#[derive(Clone, Copy)]
struct Tile<'a> {
    windows: *const i8,
    taps: usize,
    group: *const i8,
    /// Those of the group's channels.
    bias: &'a [i32],
    multipliers: &'a [i32],
    outputs: *mut i8,
    /// From the outputs of one window to those of the next.
    pitch: usize,
}

impl Tile<'_> {
    /// Computes the outputs of `W` windows and a group of `Q` vectors of channels.
    ///
    /// # Safety
    /// The pointers are to as much as `W` windows and the group have, which has as many channels as `bias`.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn compute<const W: usize, const Q: usize, const PARTIAL: bool>(&self, requantize: Requantize) {
        let channels = self.bias.len();
        let constants = |from: &[i32]| -> [int32x4_t; Q] {
            // SAFETY: four words are read from as many; all vectors but a partial one have four.
            array::from_fn(|q| unsafe {
                if PARTIAL && q == Q - 1 {
                    vld1q_s32(four_words(from, 4 * q, channels - 4 * q).as_ptr())
                } else {
                    vld1q_s32(from.as_ptr().add(4 * q))
                }
            })
        };
        let (bias, multipliers) = (constants(self.bias), constants(self.multipliers));
        // SAFETY: as the caller says.
        let sums =
            unsafe { products::<W, Q, PARTIAL>(self.windows, self.taps, self.group, channels - 4 * (Q - 1), bias) };
        for (window, sums) in sums.into_iter().enumerate() {
            let outputs: [_; Q] = array::from_fn(|q| requantize.apply(sums[q], multipliers[q]));
            let bytes = requantize.pack(array::from_fn(|place| outputs[place % Q]));
            // SAFETY: within the window's outputs.
            unsafe { store(self.outputs.add(window * self.pitch), bytes, if PARTIAL { channels } else { 4 * Q }) };
        }
    }

    /// As [`Self::compute`], with as many vectors as the channels take.
    ///
    /// # Safety
    /// As of [`Self::compute`].
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn compute_group<const W: usize>(&self, requantize: Requantize) {
        // SAFETY: as the caller says; there are as many vectors as the channels take.
        unsafe {
            match self.bias.len() {
                16.. => self.compute::<W, 4, false>(requantize),
                13.. => self.compute::<W, 4, true>(requantize),
                12 => self.compute::<W, 3, false>(requantize),
                9.. => self.compute::<W, 3, true>(requantize),
                8 => self.compute::<W, 2, false>(requantize),
                5.. => self.compute::<W, 2, true>(requantize),
                4 => self.compute::<W, 1, false>(requantize),
                _ => self.compute::<W, 1, true>(requantize),
            }
        }
    }
}

/// The outputs of windows of `taps` elements.
#[target_feature(enable = "neon,dotprod")]
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
    let count = (windows.len() / taps).min(outputs.len() / channels);
    let mut window = 0;
    while window < count {
        // Windows that are not a tile are computed once more with those before them.
        let start = if count < TILE { window } else { window.min(count - TILE) };
        for (group, (bias, multipliers)) in bias.chunks(LANES).zip(multipliers.chunks(LANES)).enumerate() {
            let first = group * LANES;
            // SAFETY: `start + TILE ≤ count`, or one window; `first` is less than the number of channels.
            unsafe {
                let tile = Tile {
                    windows: windows.as_ptr().add(start * taps),
                    taps,
                    group: weights.as_ptr().add(first * taps),
                    bias,
                    multipliers,
                    outputs: outputs.as_mut_ptr().add(start * channels + first),
                    pitch: channels,
                };
                if count < TILE { tile.compute_group::<1>(requantize) } else { tile.compute_group::<TILE>(requantize) }
            }
        }
        window = start + if count < TILE { 1 } else { TILE };
    }
}

/// The accumulators of one window, some at a time with the first one's channel to `emit`.
#[target_feature(enable = "neon,dotprod")]
pub fn one_window(window: &[i8], parameters: &LayerParameters<'_>, mut emit: impl FnMut(usize, &[i32])) {
    let LayerParameters { bias, weights, .. } = *parameters;
    let taps = window.len();
    if weights.len() < bias.len() * taps {
        return;
    }
    let mut sums = [0; LANES];
    for (group, bias) in bias.chunks(LANES).enumerate() {
        let first = group * LANES;
        // SAFETY: the group's weights are there.
        unsafe { sum_group(window, weights.as_ptr().add(first * taps), bias, &mut sums) };
        emit(first, sums.get(..bias.len()).unwrap_or_default());
    }
}

/// Sums of one window and a group, which has as many channels as `bias`.
///
/// # Safety
/// `group` points to the group's weights.
#[target_feature(enable = "neon,dotprod")]
unsafe fn sum_group(window: &[i8], group: *const i8, bias: &[i32], sums: &mut [i32; LANES]) {
    // SAFETY: as the caller says; there are as many vectors as the channels take.
    unsafe {
        match bias.len() {
            16.. => sum_vectors::<4, false>(window, group, bias, sums),
            13.. => sum_vectors::<4, true>(window, group, bias, sums),
            9.. => sum_vectors::<3, true>(window, group, bias, sums),
            5.. => sum_vectors::<2, true>(window, group, bias, sums),
            1.. => sum_vectors::<1, true>(window, group, bias, sums),
            0 => {}
        }
    }
}

/// As [`sum_group`], of channels that take `Q` vectors.
///
/// # Safety
/// As of [`sum_group`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn sum_vectors<const Q: usize, const PARTIAL: bool>(
    window: &[i8],
    group: *const i8,
    bias: &[i32],
    sums: &mut [i32; LANES],
) {
    let channels = bias.len();
    // SAFETY: as the caller says; words are read from and written to places of four.
    unsafe {
        let bias = array::from_fn(|q| vld1q_s32(four_words(bias, 4 * q, channels - 4 * q).as_ptr()));
        let last = channels - 4 * (Q - 1);
        let [vectors] = products::<1, Q, PARTIAL>(window.as_ptr(), window.len(), group, last, bias);
        for (place, vector) in sums.as_chunks_mut::<4>().0.iter_mut().zip(vectors) {
            vst1q_s32(place.as_mut_ptr(), vector);
        }
    }
}
