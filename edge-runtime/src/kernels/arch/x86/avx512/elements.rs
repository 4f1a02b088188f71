//! The operators without weights: gates and means by hand, since the compiler makes them half as fast, the others in plain
//! Rust, which it vectorises with these instructions.

use core::arch::x86_64::*;
use core::array;

use super::{Requantize, first_lanes};
use crate::kernels::{View, elementwise, pieces_mut};
use crate::layout::memory::LANES;
use crate::quant::{Addition, Requantization};

/// Channels at a time: a vector of bytes.
const BYTES: usize = 4 * LANES;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub fn add(data: &mut [i8], other: &[i8], rule: Addition) {
    elementwise::add(data, other, rule);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
    let requantize = Requantize::new(rule);
    let (multiplier, zero_point) = (_mm512_set1_epi32(multiplier), _mm512_set1_epi32(zero_point));
    let gate_zero_point = _mm512_set1_epi32(gate.tensor.zero_point.into());
    let lower = _mm512_set1_epi32(0xffff);
    let channels = gate.data.len();
    for (block, gates) in gate.data.chunks(BYTES).enumerate() {
        let lanes = Lanes::first(gates.len());
        // Values and gates fit their lower halves; without the upper one of the gates there is one product in a word.
        let gates = lanes.widen(gates).map(|gates| _mm512_and_si512(_mm512_sub_epi32(gates, gate_zero_point), lower));
        for pixel in pieces_mut(data, channels) {
            let pixel = &mut pixel[block * BYTES..][..lanes.count];
            let values = lanes.widen(pixel);
            let results = array::from_fn(|part| {
                let product = _mm512_madd_epi16(_mm512_sub_epi32(values[part], zero_point), gates[part]);
                requantize.apply(product, multiplier)
            });
            store(pixel, requantize.pack(results));
        }
    }
}

/// [`crate::kernels::arch::InstructionSet::add_pixels`]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub fn add_pixels(
    source: &[i8],
    (row_pitch, pitch): (usize, usize),
    (rows, columns): (usize, usize),
    sums: &mut [i32],
) {
    for (block, sums) in sums.chunks_mut(BYTES).enumerate() {
        let lanes = Lanes::first(sums.len());
        let mut vectors = [_mm512_setzero_si512(); 4];
        for row in 0..rows {
            let pixels = source.get(row * row_pitch..).unwrap_or_default();
            for pixel in pixels.chunks(pitch.max(1)).take(columns) {
                let values = lanes.widen(pixel.get(block * BYTES..).unwrap_or_default());
                vectors = array::from_fn(|part| _mm512_add_epi32(vectors[part], values[part]));
            }
        }
        let mut added = [0; BYTES];
        for (place, vector) in added.as_chunks_mut::<LANES>().0.iter_mut().zip(vectors) {
            // SAFETY: sixteen words are written to as many.
            unsafe { _mm512_storeu_epi32(place.as_mut_ptr(), vector) };
        }
        sums.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
    }
}

/// The first bytes of a vector, at most 64.
#[derive(Clone, Copy)]
struct Lanes {
    count: usize,
    /// Of 16 bytes each.
    masks: [u16; 4],
}

impl Lanes {
    fn first(count: usize) -> Self {
        let mask = |part| first_lanes(count.saturating_sub(part * LANES).min(LANES)) as u16;
        Self { count, masks: array::from_fn(mask) }
    }

    /// These bytes as words, and zeros.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn widen(self, bytes: &[i8]) -> [__m512i; 4] {
        let bytes = bytes.get(..self.count).unwrap_or(&[0; BYTES]);
        array::from_fn(|part| {
            // SAFETY: the mask leaves out what is beyond the slice.
            let part = unsafe { _mm_maskz_loadu_epi8(self.masks[part], bytes.as_ptr().wrapping_add(part * LANES)) };
            _mm512_cvtepi8_epi32(part)
        })
    }
}

/// Writes as many of the bytes as there are places, at most 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn store(places: &mut [i8], bytes: __m512i) {
    // SAFETY: the mask leaves out what is beyond the slice.
    unsafe { _mm512_mask_storeu_epi8(places.as_mut_ptr(), first_lanes(places.len()), bytes) }
}
