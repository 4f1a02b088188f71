//! `sdot`: four taps of four channels in one instruction.

mod lines;
mod product;

use core::arch::aarch64::*;
use core::arch::asm;

use super::elements;
use crate::graph::{Tensor, Window};
use crate::kernels::arch::{InstructionSet, vector};
use crate::kernels::{Place, View};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::{Addition, Requantization};

/// Processors with the dot product instructions.
pub struct Dotprod;

impl InstructionSet for Dotprod {
    const LAYOUT: WeightLayout = WeightLayout::Dot;

    #[cfg(feature = "std")]
    fn is_supported() -> bool {
        std::arch::is_aarch64_feature_detected!("dotprod")
    }

    #[cfg(not(feature = "std"))]
    fn is_supported() -> bool {
        cfg!(target_feature = "dotprod")
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

    fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
        // SAFETY: as above.
        unsafe { elements::gate(data, zero_point, gate, multiplier, rule) }
    }

    fn add(data: &mut [i8], other: &[i8], rule: Addition) {
        // SAFETY: as above.
        unsafe { elements::add(data, other, rule) }
    }

    fn add_pixels(source: &[i8], pitches: (usize, usize), size: (usize, usize), sums: &mut [i32]) {
        // SAFETY: as above.
        unsafe { elements::add_pixels(source, pitches, size, sums) }
    }
}

/// Adds to each lane the products of its four bytes of `w` with the bytes of lane `LANE` of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot_lane<const LANE: usize>(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: registers alone; the compiler has no stable intrinsic of it.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{3}]", inlateout(vreg) sum, in(vreg) w, in(vreg) x, const LANE,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// As [`sdot_lane`] with the lane's own four bytes of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: registers alone; the compiler has no stable intrinsic of it.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inlateout(vreg) sum, in(vreg) w, in(vreg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
