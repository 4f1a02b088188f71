//! AVX-512 with VNNI: one `vpdpbusd` multiplies four taps of 16 channels.

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

/// Processors with AVX-512 F, BW, VL, DQ and VNNI.
pub struct Avx512;

impl InstructionSet for Avx512 {
    const LAYOUT: WeightLayout = WeightLayout::X86;

    fn is_supported() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vnni")
    }

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        _scratch: &mut [u8],
    ) {
        // SAFETY: who calls has asked `is_supported`, here and in all of this set.
        unsafe { product::windows(windows, taps, parameters, rule, outputs) }
    }

    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        _scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    ) {
        // SAFETY: as above.
        unsafe { product::one_window(window, parameters, emit) }
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
pub(super) struct Requantize {
    addend: __m512i,
    drop: __m512i,
    min: __m512i,
    max: __m512i,
}

impl Requantize {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    pub(in super::super) fn new(rule: Requantization) -> Self {
        let (min, max) = rule.bounds();
        Self {
            addend: _mm512_set1_epi32(rule.addend()),
            drop: _mm512_set1_epi32(rule.drop().into()),
            min: _mm512_set1_epi8(min as i8),
            max: _mm512_set1_epi8(max as i8),
        }
    }

    /// The rule without its bounds, in each four lanes in the order 0, 2, 1, 3. There are products of the even lanes only:
    /// the odd ones are shifted there, and the upper halves of both come together by one shuffle.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    pub(in super::super) fn apply(self, sums: __m512i, multipliers: __m512i) -> __m512i {
        let even = _mm512_mul_epi32(sums, multipliers);
        let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), _mm512_srli_epi64::<32>(multipliers));
        let high = _mm512_shuffle_ps::<0b11_01_11_01>(_mm512_castsi512_ps(even), _mm512_castsi512_ps(odd));
        _mm512_srav_epi32(_mm512_add_epi32(_mm512_castps_si512(high), self.addend), self.drop)
    }

    /// Four vectors of [`Self::apply`] as bytes within the bounds, one behind the other.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    pub(in super::super) fn pack(self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        // Packing works within 128 bits, so that the quarters of the four come out interleaved.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let lanes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
        let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let bytes = _mm512_shuffle_epi8(_mm512_max_epi8(_mm512_min_epi8(bytes, self.max), self.min), lanes);
        _mm512_permutexvar_epi32(order, bytes)
    }
}

/// A mask of the first `count` lanes, of at most 64.
#[inline]
pub(super) fn first_lanes(count: usize) -> u64 {
    if count < 64 { (1 << count) - 1 } else { u64::MAX }
}
