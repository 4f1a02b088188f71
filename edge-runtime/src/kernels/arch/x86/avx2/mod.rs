//! AVX2: `vpmaddwd` multiplies 16 words and adds them in pairs, four taps of four channels at a time.
//!
//! `vpmaddubsw` would take bytes, twice as many, but saturates: 2 · 255 · 128 is no `i16`.

mod elements;
mod lines;
mod product;

use core::arch::x86_64::*;
use std::is_x86_feature_detected;

use crate::graph::{Tensor, Window};
use crate::kernels::arch::{InstructionSet, vector};
use crate::kernels::{Place, View};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::{Addition, Requantization};

/// Channels of a vector of sums.
const OCTET: usize = 8;

/// Processors with AVX2.
pub struct Avx2;

impl InstructionSet for Avx2 {
    const LAYOUT: WeightLayout = WeightLayout::X86;

    fn is_supported() -> bool {
        is_x86_feature_detected!("avx2")
    }

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        scratch: &mut [u8],
    ) {
        // SAFETY: who calls has asked `is_supported`, here and in all of this set.
        unsafe { product::windows(windows, taps, parameters, rule, outputs, scratch) }
    }

    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    ) {
        // SAFETY: as above.
        unsafe { product::one_window(window, parameters, scratch, emit) }
    }

    fn depthwise(
        shapes: (&Tensor, &Tensor),
        place: Place<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        scratch: &mut [u8],
    ) {
        vector::depthwise::<Self>(shapes, place, window, parameters, rule, scratch);
    }

    fn convolution(
        input: View<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        output: (&Tensor, &mut [i8]),
        scratch: &mut [u8],
    ) {
        vector::convolution::<Self>(input, window, parameters, rule, output, scratch);
    }

    fn add_pixels(source: &[i8], pitches: (usize, usize), size: (usize, usize), sums: &mut [i32]) {
        // SAFETY: as above.
        unsafe { elements::add_pixels(source, pitches, size, sums) }
    }

    fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
        // SAFETY: as above.
        unsafe { elements::gate(data, zero_point, gate, multiplier, rule) }
    }

    fn add(data: &mut [i8], other: &[i8], rule: Addition) {
        // SAFETY: as above.
        unsafe { elements::add(data, other, rule) }
    }
}

/// The requantisation rule in registers.
#[derive(Clone, Copy)]
struct Requantize {
    addend: __m256i,
    drop: __m256i,
    min: __m128i,
    max: __m128i,
}

impl Requantize {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(rule: Requantization) -> Self {
        let (min, max) = rule.bounds();
        Self {
            addend: _mm256_set1_epi32(rule.addend()),
            drop: _mm256_set1_epi32(rule.drop().into()),
            min: _mm_set1_epi8(min as i8),
            max: _mm_set1_epi8(max as i8),
        }
    }

    /// The rule without its bounds. There are products of the even lanes only: the odd ones are shifted there.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn apply(self, sums: __m256i, multipliers: __m256i) -> __m256i {
        let even = _mm256_mul_epi32(sums, multipliers);
        let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(sums), _mm256_srli_epi64::<32>(multipliers));
        let high = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
        _mm256_srav_epi32(_mm256_add_epi32(high, self.addend), self.drop)
    }

    /// Writes `channels` bytes, at most eight, of each of two vectors.
    ///
    /// # Safety
    /// They may be written behind both pointers.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store(self, [a, b]: [__m256i; 2], places: [*mut i8; 2], channels: usize) {
        let words = _mm256_packs_epi32(a, b);
        let bytes = _mm256_packs_epi16(words, words);
        let bytes = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
        let bytes = _mm_max_epi8(_mm_min_epi8(bytes, self.max), self.min);
        let pair = [_mm_cvtsi128_si64(bytes), _mm_extract_epi64::<1>(bytes)];
        for (value, place) in pair.into_iter().zip(places) {
            // SAFETY: of the value's eight bytes, `channels` are written.
            unsafe {
                if channels >= OCTET {
                    place.cast::<i64>().write_unaligned(value);
                } else {
                    for (channel, byte) in value.to_le_bytes().into_iter().enumerate().take(channels) {
                        place.add(channel).write(byte as i8);
                    }
                }
            }
        }
    }
}

/// A mask of the first `count` lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn first_lanes(count: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(OCTET) as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}

/// `count` words from `from` on, at most eight, and zeros.
///
/// # Safety
/// The words are there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn words(from: *const i32, count: usize) -> __m256i {
    // SAFETY: the mask leaves out what is beyond.
    unsafe { _mm256_maskload_epi32(from, first_lanes(count)) }
}
