//! The DSP extension of Armv7E-M and Armv8-M: two multiplications of 16 bits in one instruction (`smlad`).
//!
//! Inputs are widened to 16 bits once and serve all channels; weights are in the order of `crate::layout`. The inner
//! loops are assembly, because they need every register and the compiler keeps two for itself.
#![allow(unsafe_code)]

mod depthwise;
mod product;
mod single_channel;
mod widen;

use super::{InstructionSet, planes};
use crate::graph::{Tensor, Window};
use crate::kernels::convolution::gathered;
use crate::kernels::{Place, View};
use crate::layout::{WeightLayout, is_single_channel};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Channels that the weights hold together.
const GROUP: usize = 4;

/// Bounds that leave a result its whole byte.
const INT8: (i32, i32) = (-128, 127);

/// Cortex-M4, M7 and M33.
pub struct Dsp;

impl InstructionSet for Dsp {
    const LAYOUT: WeightLayout = WeightLayout::Dsp;

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        scratch: &mut [u8],
    ) {
        product::windows(windows, taps, parameters, rule, outputs, scratch);
    }

    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    ) {
        product::one_window(window, parameters, scratch, emit);
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
            single_channel::convolution(input, window, parameters, rule, output, scratch);
        } else {
            gathered::<Self>(input, window, parameters, rule, output, scratch);
        }
    }

    fn depthwise(
        shapes: (&Tensor, &Tensor),
        place: Place<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        scratch: &mut [u8],
    ) {
        planes::depthwise::<Self>(shapes, place, window, parameters, rule, scratch);
    }
}

/// A byte, or a halfword, in every place of a word.
const fn repeated(value: i32, bits: u32) -> u32 {
    let value = value as u32 & ((1 << bits) - 1);
    if bits == 8 { value * 0x0101_0101 } else { value * 0x0001_0001 }
}
