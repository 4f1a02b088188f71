//! Matrix products with `smull`: windows and rows of four channels.

use core::arch::aarch64::*;
use core::{array, slice};

use super::super::Requantize;
use crate::kernels::{pieces, to_outputs};
use crate::layout::vector::ROWS as GROUP;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Windows of a tile: with four channels, half the registers are sums.
const TILE: usize = 4;

/// A row of weights of its own.
fn dot(x: &[i8], w: &[i8]) -> i32 {
    x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w)).sum()
}

/// `−Σ x` of the taps whose weights are complemented.
#[inline]
#[target_feature(enable = "neon")]
fn correction(window: &[i8]) -> i32 {
    let sums = window.as_chunks::<16>().0.iter().fold(vdupq_n_s32(0), |sums, sixteen| {
        // SAFETY: the last 8 bytes of 16.
        let x = unsafe { vld1_s8(sixteen.as_ptr().add(8)) };
        vaddw_s16(sums, vpaddl_s8(x))
    });
    vaddvq_s32(sums).wrapping_neg()
}

/// Sums of `W` windows, one behind the other, and four channels, a lane each, beginning with the windows' `corrections`.
///
/// # Safety
/// `windows` points to `W · taps` bytes, `group` to the group's weights.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn products<const W: usize>(
    windows: *const i8,
    taps: usize,
    group: *const i8,
    corrections: [i32; W],
) -> [int32x4_t; W] {
    // All lanes of these are added up at the end.
    let mut sums = corrections.map(|correction| [vsetq_lane_s32::<0>(correction, vdupq_n_s32(0)); GROUP]);
    for sixteen in 0..taps / 16 {
        // SAFETY: within the group's bytes and the windows, as `16 · (sixteen + 1) ≤ taps`.
        let w = unsafe { vld1q_s8_x4(group.add(16 * GROUP * sixteen)) };
        let w = [w.0, w.1, w.2, w.3];
        let x: [_; W] = array::from_fn(|window| unsafe { vld1q_s8(windows.add(window * taps + 16 * sixteen)) });
        for (sums, x) in sums.iter_mut().zip(x) {
            for (sum, w) in sums.iter_mut().zip(w) {
                let first = vmull_s8(vget_low_s8(x), vget_low_s8(w));
                *sum = vpadalq_s16(*sum, vmlsl_high_s8(first, x, w));
            }
        }
    }
    let sixteens = taps / 16 * 16;
    let eights = taps / 8 * 8;
    if eights > sixteens {
        // SAFETY: within the group's bytes and the windows, as `eights ≤ taps`.
        let w: [_; GROUP] = array::from_fn(|row| unsafe { vld1_s8(group.add(GROUP * sixteens + 8 * row)) });
        for (window, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { vld1_s8(windows.add(window * taps + sixteens)) };
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = vpadalq_s16(*sum, vmull_s8(x, w));
            }
        }
    }
    let mut sums = sums.map(|[a, b, c, d]| vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
    for tap in eights..taps {
        // SAFETY: within the group's bytes and the windows, here and below.
        let w = unsafe { group.add(GROUP * tap).cast::<i32>().read_unaligned() };
        let w = vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(w))));
        for (window, sum) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { windows.add(window * taps + tap).read() };
            *sum = vmlal_n_s16(*sum, w, x.into());
        }
    }
    sums
}

/// What a tile of windows reads and writes: all groups of four channels.
struct Tile<'a> {
    windows: *const i8,
    taps: usize,
    weights: *const i8,
    bias: &'a [[i32; GROUP]],
    multipliers: &'a [[i32; GROUP]],
    outputs: *mut i8,
    /// From the outputs of one window to those of the next.
    pitch: usize,
}

impl Tile<'_> {
    /// Computes the outputs of `W` windows, at most four.
    ///
    /// # Safety
    /// The pointers are to as much as `W` windows and the groups have.
    #[target_feature(enable = "neon")]
    unsafe fn compute<const W: usize>(&self, requantize: Requantize) {
        let corrections: [_; W] = array::from_fn(|window| {
            // SAFETY: as the caller says.
            correction(unsafe { slice::from_raw_parts(self.windows.add(window * self.taps), self.taps) })
        });
        let mut weights = self.weights;
        let mut pixels: [_; W] = array::from_fn(|window| self.outputs.wrapping_add(window * self.pitch));
        for (bias, multipliers) in self.bias.iter().zip(self.multipliers) {
            // SAFETY: as the caller says; four words are read from as many.
            let (sums, bias, multipliers) = unsafe {
                let sums = products::<W>(self.windows, self.taps, weights, corrections);
                (sums, vld1q_s32(bias.as_ptr()), vld1q_s32(multipliers.as_ptr()))
            };
            let outputs: [_; W] = array::from_fn(|window| requantize.apply(vaddq_s32(sums[window], bias), multipliers));
            let bytes = vreinterpretq_s32_s8(requantize.pack(array::from_fn(|place| outputs[place % W])));
            for (window, pixel) in pixels.iter_mut().enumerate() {
                let place = pixel.cast::<i32>();
                // SAFETY: the outputs of four channels.
                unsafe {
                    match window {
                        0 => vst1q_lane_s32::<0>(place, bytes),
                        1 => vst1q_lane_s32::<1>(place, bytes),
                        2 => vst1q_lane_s32::<2>(place, bytes),
                        _ => vst1q_lane_s32::<3>(place, bytes),
                    }
                }
                *pixel = pixel.wrapping_add(GROUP);
            }
            weights = weights.wrapping_add(GROUP * self.taps);
        }
    }
}

/// The outputs of windows of `taps` elements.
#[target_feature(enable = "neon")]
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
    let (biases, multiplier_fours) = (bias.as_chunks::<GROUP>().0, multipliers.as_chunks::<GROUP>().0);
    let rest = channels / GROUP * GROUP;
    let mut window = 0;
    while window < count {
        // Windows that are not a tile are computed once more with those before them.
        let start = if count < TILE { window } else { window.min(count - TILE) };
        // SAFETY: `start + TILE ≤ count`, or one window.
        unsafe {
            let tile = Tile {
                windows: windows.as_ptr().add(start * taps),
                taps,
                weights: weights.as_ptr(),
                bias: biases,
                multipliers: multiplier_fours,
                outputs: outputs.as_mut_ptr().add(start * channels),
                pitch: channels,
            };
            if count < TILE { tile.compute::<1>(requantize) } else { tile.compute::<TILE>(requantize) }
        }
        window = start + if count < TILE { 1 } else { TILE };
    }
    if rest < channels {
        let rows = weights.get(rest * taps..).unwrap_or_default();
        for (x, outputs) in windows.chunks_exact(taps).zip(outputs.chunks_exact_mut(channels)) {
            let constants = bias.iter().zip(multipliers).skip(rest);
            for ((place, row), (&bias, &multiplier)) in
                outputs.iter_mut().skip(rest).zip(rows.chunks_exact(taps)).zip(constants)
            {
                *place = rule.apply(bias.wrapping_add(dot(x, row)), multiplier) as i8;
            }
        }
    }
}

/// Channels whose sums are on the stack at a time, of one window.
const BLOCK: usize = 4 * GROUP;

/// The accumulators of one window, some at a time with the first one's channel to `emit`.
#[target_feature(enable = "neon")]
pub fn one_window(window: &[i8], parameters: &LayerParameters<'_>, mut emit: impl FnMut(usize, &[i32])) {
    let LayerParameters { bias, weights, .. } = *parameters;
    let taps = window.len();
    let correction = correction(window);
    let mut sums = [0; BLOCK];
    for (block, bias) in bias.chunks(BLOCK).enumerate() {
        let first = block * BLOCK;
        let Some(weights) = weights.get(first * taps..(first + bias.len()) * taps) else { return };
        for (group, (places, bias)) in sums.chunks_mut(GROUP).zip(bias.chunks(GROUP)).enumerate() {
            let weights = weights.get(group * GROUP * taps..).unwrap_or_default();
            if let (Some(places), Some(bias)) = (places.first_chunk_mut::<GROUP>(), bias.first_chunk::<GROUP>()) {
                // SAFETY: the group's weights are there.
                unsafe { sum_group(window, weights.as_ptr(), bias, correction, places) };
            } else {
                for ((place, bias), row) in places.iter_mut().zip(bias).zip(pieces(weights, taps)) {
                    *place = bias.wrapping_add(dot(window, row));
                }
            }
        }
        emit(first, sums.get(..bias.len()).unwrap_or_default());
    }
}

/// Sums of one window and four channels.
///
/// # Safety
/// `group` points to the group's weights.
#[target_feature(enable = "neon")]
unsafe fn sum_group(window: &[i8], group: *const i8, bias: &[i32; GROUP], correction: i32, places: &mut [i32; GROUP]) {
    // SAFETY: as the caller says; four words are read and written.
    unsafe {
        let [sums] = products::<1>(window.as_ptr(), window.len(), group, [correction]);
        vst1q_s32(places.as_mut_ptr(), vaddq_s32(sums, vld1q_s32(bias.as_ptr())));
    }
}
