//! NEON without dot products: three instructions for 16 products.
//!
//! `smull` multiplies eight bytes to words, a second multiplication adds eight products more, `sadalp` adds the words in
//! pairs to 32-bit sums. But twice −128 · −128 is one too many for a word. So the weights of the second eight are kept
//! complemented, `!w = −w − 1`, and their products subtracted: `x·w + x` instead of `x·w`. With `w + 1` within −127 to 128
//! both products together are within ±32,640. What is too much, the sum of those `x`, depends on the window alone.

mod lines;
mod product;

use super::elements;
use crate::graph::{Tensor, Window};
use crate::kernels::arch::{InstructionSet, vector};
use crate::kernels::{Place, View};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::{Addition, Requantization};

/// Any AArch64 processor that the target allows.
pub struct Neon;

impl InstructionSet for Neon {
    const LAYOUT: WeightLayout = WeightLayout::Neon;

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        _scratch: &mut [u8],
    ) {
        // SAFETY: the target has NEON, here and in all of this set.
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
