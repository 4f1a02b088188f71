//! AMX: a tile of 16 windows and 16 channels adds 64 taps by one `tdpbssd`. What is no matrix product is left to AVX-512.

mod product;
mod tiles;

use crate::graph::{Tensor, Window};
use crate::kernels::arch::InstructionSet;
use crate::kernels::convolution::gathered;
use crate::kernels::{Place, View};
use crate::layout::{WeightLayout, is_single_channel};
use crate::package::LayerParameters;
use crate::quant::{Addition, Requantization};

use super::Avx512;

/// Processors with AMX for bytes and all of [`Avx512`], where Linux lets the process use them.
pub struct Amx;

impl InstructionSet for Amx {
    const LAYOUT: WeightLayout = WeightLayout::X86;

    fn is_supported() -> bool {
        Avx512::is_supported() && tiles::are_permitted()
    }

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        scratch: &mut [u8],
    ) {
        // SAFETY: who calls has asked `is_supported`.
        if !unsafe { product::windows(windows, taps, parameters, rule, outputs) } {
            Avx512::matrix_product(windows, taps, parameters, rule, outputs, scratch);
        }
    }

    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    ) {
        Avx512::vector_product(window, parameters, scratch, emit);
    }

    fn depthwise(
        shapes: (&Tensor, &Tensor),
        place: Place<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        scratch: &mut [u8],
    ) {
        Avx512::depthwise(shapes, place, window, parameters, rule, scratch);
    }

    fn convolution(
        input: View<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        output: (&Tensor, &mut [i8]),
        scratch: &mut [u8],
    ) {
        if is_single_channel(window, input.tensor) {
            Avx512::convolution(input, window, parameters, rule, output, scratch);
        } else {
            gathered::<Self>(input, window, parameters, rule, output, scratch);
        }
    }

    fn gathered_windows(taps: usize) -> usize {
        // Where AVX2 widens windows, as many again have room; the more, the less often weights are copied.
        2 * Self::LAYOUT.windows(taps)
    }

    fn add_pixels(source: &[i8], pitches: (usize, usize), size: (usize, usize), sums: &mut [i32]) {
        Avx512::add_pixels(source, pitches, size, sums);
    }

    fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
        Avx512::gate(data, zero_point, gate, multiplier, rule);
    }

    fn add(data: &mut [i8], other: &[i8], rule: Addition) {
        Avx512::add(data, other, rule);
    }
}
