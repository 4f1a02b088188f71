//! What is done element by element, 16 at a time: gates, additions, and the sums of average pools.

use core::arch::aarch64::*;

use super::Requantize;
use crate::kernels::{View, elementwise, pieces_mut, pool};
use crate::quant::{Addition, Requantization};

/// Elements of a vector.
const LANES: usize = 16;

/// [`crate::kernels::arch::InstructionSet::gate`]: a vector of channels of all pixels, then the next.
#[target_feature(enable = "neon")]
pub fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
    let (requantize, multipliers) = (Requantize::new(rule), vdupq_n_s32(multiplier));
    let (zero, gate_zero) = (vdupq_n_s8(zero_point as i8), vdupq_n_s8(gate.tensor.zero_point as i8));
    let (channels, gate_zero_point) = (gate.data.len(), i32::from(gate.tensor.zero_point));
    let (gates, rest) = gate.data.as_chunks::<LANES>();
    for (vector, gates) in gates.iter().enumerate() {
        // SAFETY: 16 bytes are read from as many.
        let g = unsafe { vld1q_s8(gates.as_ptr()) };
        let (g0, g1) = (vsubl_s8(vget_low_s8(g), vget_low_s8(gate_zero)), vsubl_high_s8(g, gate_zero));
        for pixel in pieces_mut(data, channels) {
            let Some(place) = pixel.get_mut(vector * LANES..).and_then(|pixel| pixel.first_chunk_mut::<LANES>()) else {
                continue;
            };
            // SAFETY: 16 bytes are read from as many.
            let x = unsafe { vld1q_s8(place.as_ptr()) };
            let (x0, x1) = (vsubl_s8(vget_low_s8(x), vget_low_s8(zero)), vsubl_high_s8(x, zero));
            let products = [
                vmull_s16(vget_low_s16(x0), vget_low_s16(g0)),
                vmull_high_s16(x0, g0),
                vmull_s16(vget_low_s16(x1), vget_low_s16(g1)),
                vmull_high_s16(x1, g1),
            ];
            let [a, b, c, d] = products;
            let results = [
                requantize.apply(a, multipliers),
                requantize.apply(b, multipliers),
                requantize.apply(c, multipliers),
                requantize.apply(d, multipliers),
            ];
            // SAFETY: 16 bytes are written to as many.
            unsafe { vst1q_s8(place.as_mut_ptr(), requantize.pack(results)) };
        }
    }
    if !rest.is_empty() {
        for pixel in pieces_mut(data, channels) {
            for (value, &gate) in pixel.iter_mut().skip(channels - rest.len()).zip(rest) {
                let product = (i32::from(*value) - zero_point) * (i32::from(gate) - gate_zero_point);
                *value = rule.apply(product, multiplier) as i8;
            }
        }
    }
}

/// [`crate::kernels::arch::InstructionSet::add`]. The zero point is added to words, which by then may have saturated: so
/// would the result.
#[target_feature(enable = "neon")]
pub fn add(data: &mut [i8], other: &[i8], rule: Addition) {
    let [za, zb] = rule.input_zero_points;
    let [ma, mb] = rule.multipliers;
    let constant = vdupq_n_s32((1 << (rule.shift - 1)) - za * ma - zb * mb);
    let (ma, mb) = (vdupq_n_s32(ma), vdupq_n_s32(mb));
    let (drop, zero) = (vdupq_n_s32(-i32::from(rule.shift)), vdupq_n_s16(rule.zero_point as i16));
    let (min, max) = (vdupq_n_s8(rule.min as i8), vdupq_n_s8(rule.max as i8));
    let (places, rest) = data.as_chunks_mut::<LANES>();
    let (others, other_rest) = other.as_chunks::<LANES>();
    for (place, other) in places.iter_mut().zip(others) {
        // SAFETY: 16 bytes are read from as many.
        let (a, b) = unsafe { (vld1q_s8(place.as_ptr()), vld1q_s8(other.as_ptr())) };
        let four = |a, b| vshlq_s32(vmlaq_s32(vmlaq_s32(constant, a, ma), b, mb), drop);
        let eight = |a, b| {
            let low = four(vmovl_s16(vget_low_s16(a)), vmovl_s16(vget_low_s16(b)));
            let high = four(vmovl_high_s16(a), vmovl_high_s16(b));
            vqaddq_s16(vqmovn_high_s32(vqmovn_s32(low), high), zero)
        };
        let low = eight(vmovl_s8(vget_low_s8(a)), vmovl_s8(vget_low_s8(b)));
        let high = eight(vmovl_high_s8(a), vmovl_high_s8(b));
        let bytes = vmaxq_s8(vminq_s8(vqmovn_high_s16(vqmovn_s16(low), high), max), min);
        // SAFETY: 16 bytes are written to as many.
        unsafe { vst1q_s8(place.as_mut_ptr(), bytes) };
    }
    elementwise::add(rest, other_rest, rule);
}

/// Pixels whose bytes a word can sum.
const PIXELS: usize = 256;

/// [`crate::kernels::arch::InstructionSet::add_pixels`].
#[target_feature(enable = "neon")]
pub fn add_pixels(
    source: &[i8],
    (row_pitch, pitch): (usize, usize),
    (rows, columns): (usize, usize),
    sums: &mut [i32],
) {
    let count = sums.len();
    let reach = rows.saturating_sub(1) * row_pitch + columns.saturating_sub(1) * pitch + count;
    if source.len() < reach {
        return;
    }
    let (vectors, rest) = sums.as_chunks_mut::<LANES>();
    for (vector, sums) in vectors.iter_mut().enumerate() {
        for row in 0..rows {
            for first in (0..columns).step_by(PIXELS) {
                let mut pixel = source.as_ptr().wrapping_add(row * row_pitch + first * pitch + vector * LANES);
                let mut words = [vdupq_n_s16(0); 2];
                for _ in first..columns.min(first + PIXELS) {
                    // SAFETY: 16 channels of a pixel within `reach`.
                    let x = unsafe { vld1q_s8(pixel) };
                    words = [vaddw_s8(words[0], vget_low_s8(x)), vaddw_high_s8(words[1], x)];
                    pixel = pixel.wrapping_add(pitch);
                }
                for (eight, words) in sums.as_chunks_mut::<8>().0.iter_mut().zip(words) {
                    // SAFETY: eight sums are read and written.
                    unsafe {
                        let place = eight.as_mut_ptr();
                        vst1q_s32(place, vaddw_s16(vld1q_s32(place), vget_low_s16(words)));
                        vst1q_s32(place.add(4), vaddw_high_s16(vld1q_s32(place.add(4)), words));
                    }
                }
            }
        }
    }
    let source = source.get(count - rest.len()..).unwrap_or_default();
    pool::add_pixels(source, (row_pitch, pitch), (rows, columns), rest);
}
