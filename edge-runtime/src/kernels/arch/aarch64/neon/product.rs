//! Matrix products with `smull`: windows and rows of four channels.

use core::arch::aarch64::*;
use core::array;

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

/// Sums of `W` windows, one behind the other, and four channels, a lane each.
///
/// # Safety
/// `windows` points to `W · taps` bytes, `group` to the group's weights.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn products<const W: usize>(windows: *const i8, taps: usize, group: *const i8) -> [int32x4_t; W] {
    let mut sums = [[vdupq_n_s32(0); GROUP]; W];
    for sixteen in 0..taps / 16 {
        // SAFETY: within the group's bytes and the windows, as `16 · (sixteen + 1) ≤ taps`.
        let w: [_; GROUP] = array::from_fn(|row| unsafe { vld1q_s8(group.add(16 * (GROUP * sixteen + row))) });
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

/// What a tile reads and writes: four channels.
#[derive(Clone, Copy)]
struct Tile<'a> {
    windows: *const i8,
    taps: usize,
    corrections: &'a [i32; TILE],
    group: *const i8,
    bias: &'a [i32; GROUP],
    multipliers: &'a [i32; GROUP],
    outputs: *mut i8,
    /// From the outputs of one window to those of the next.
    pitch: usize,
}

impl Tile<'_> {
    /// Computes the outputs of `W` windows and four channels.
    ///
    /// # Safety
    /// The pointers are to as much as `W` windows, at most four, and four channels have.
    #[target_feature(enable = "neon")]
    unsafe fn compute<const W: usize>(&self, requantize: Requantize) {
        // SAFETY: as the caller says; four words are read from as many.
        let (sums, bias, multipliers) = unsafe {
            let sums = products::<W>(self.windows, self.taps, self.group);
            (sums, vld1q_s32(self.bias.as_ptr()), vld1q_s32(self.multipliers.as_ptr()))
        };
        let outputs: [_; W] = array::from_fn(|window| {
            let sum = vaddq_s32(sums[window], vaddq_s32(bias, vdupq_n_s32(self.corrections[window])));
            requantize.apply(sum, multipliers)
        });
        let bytes = vreinterpretq_s32_s8(requantize.pack(array::from_fn(|place| outputs[place % W])));
        let pixels = [
            vgetq_lane_s32::<0>(bytes),
            vgetq_lane_s32::<1>(bytes),
            vgetq_lane_s32::<2>(bytes),
            vgetq_lane_s32::<3>(bytes),
        ];
        for (window, pixel) in pixels.into_iter().enumerate().take(W) {
            // SAFETY: the outputs of four channels.
            unsafe { self.outputs.add(window * self.pitch).cast::<i32>().write_unaligned(pixel) };
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
        let tile_windows = windows.get(start * taps..).unwrap_or_default();
        let mut corrections = [0; TILE];
        corrections
            .iter_mut()
            .zip(tile_windows.chunks_exact(taps))
            .for_each(|(place, window)| *place = correction(window));
        for (group, (bias, multipliers)) in biases.iter().zip(multiplier_fours).enumerate() {
            let first = group * GROUP;
            // SAFETY: `start + TILE ≤ count`, or one window; four channels from `first` on.
            unsafe {
                let tile = Tile {
                    windows: tile_windows.as_ptr(),
                    taps,
                    corrections: &corrections,
                    group: weights.as_ptr().add(first * taps),
                    bias,
                    multipliers,
                    outputs: outputs.as_mut_ptr().add(start * channels + first),
                    pitch: channels,
                };
                if count < TILE { tile.compute::<1>(requantize) } else { tile.compute::<TILE>(requantize) }
            }
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
        let [sums] = products::<1>(window.as_ptr(), window.len(), group);
        let sums = vaddq_s32(vaddq_s32(sums, vld1q_s32(bias.as_ptr())), vdupq_n_s32(correction));
        vst1q_s32(places.as_mut_ptr(), sums);
    }
}
