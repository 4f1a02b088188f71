//! The vector extension of Armv8.1-M (MVE, Helium): sixteen multiplications of bytes and their sum in one instruction
//! (`vmladava`).
//!
//! Weights are in the order of `crate::layout`. The inner loops are assembly: the compiler neither keeps eight sums in the
//! even registers, where the instruction wants them, nor loads and multiplies in turns, as the core does both at once.
#![allow(unsafe_code)]

mod depthwise;
mod elements;
mod planes;
mod product;

use super::InstructionSet;
use crate::graph::{Tensor, Window};
use crate::kernels::convolution::gathered;
use crate::kernels::{Place, View};
use crate::layout::WeightLayout;
use crate::layout::planes::by_planes;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Channels that the weights hold together.
const GROUP: usize = 4;

/// Cortex-M55.
pub struct Mve;

impl InstructionSet for Mve {
    const LAYOUT: WeightLayout = WeightLayout::Mve;

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        _scratch: &mut [u8],
    ) {
        product::windows(windows, taps, parameters, rule, outputs);
    }

    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        _scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    ) {
        product::one_window(window, parameters, emit);
    }

    fn depthwise(
        shapes: (&Tensor, &Tensor),
        place: Place<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        scratch: &mut [u8],
    ) {
        if by_planes(window, shapes.0) {
            planes::depthwise(shapes, place, window, parameters, rule, scratch);
        } else {
            depthwise::depthwise(shapes, place, window, parameters, rule, scratch);
        }
    }

    fn convolution(
        input: View<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        output: (&Tensor, &mut [i8]),
        scratch: &mut [u8],
    ) {
        if input.tensor.channels == 1 && by_planes(window, input.tensor) {
            planes::convolution(input, window, parameters, rule, output, scratch);
        } else {
            gathered::<Self>(input, window, parameters, rule, output, scratch);
        }
    }

    fn copy_rows(source: &[i8], target: &mut [i8], pitches: (usize, usize), size: (usize, usize)) {
        elements::copy_rows(source, target, pitches, size);
    }

    fn fill(target: &mut [i8], value: i8) {
        elements::fill(target, value);
    }
}
