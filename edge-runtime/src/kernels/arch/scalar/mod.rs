//! Cores without SIMD instructions: Armv6-M (Cortex-M0, M0+) and Armv7-M without the DSP extension (Cortex-M3).
//!
//! They multiply 32 bits by 32 bits, and a product of two bytes needs 16. So operands are packed: two multiplications give
//! three sums, or three give four. The inner loops are assembly, because they need every register and count on the places
//! of the carries; one set of functions for each of the two architectures.
#![allow(unsafe_code)]

mod depthwise;
mod product;

use core::arch::global_asm;

use super::{InstructionSet, planes};
use crate::graph::{Tensor, Window};
use crate::kernels::Place;
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::Requantization;

// What tells the two apart for the compiler: Armv6-M cannot exchange a word of memory atomically.
#[cfg(target_has_atomic = "32")]
global_asm!(
    include_str!("armv7m/product.s"),
    include_str!("armv7m/vector.s"),
    include_str!("armv7m/planes.s"),
    options(raw)
);
#[cfg(not(target_has_atomic = "32"))]
global_asm!(
    include_str!("armv6m/requantise.s"),
    include_str!("armv6m/product.s"),
    include_str!("armv6m/vector.s"),
    include_str!("armv6m/planes.s"),
    options(raw)
);

/// Cortex-M0, M0+ and M3.
pub struct Scalar;

impl InstructionSet for Scalar {
    const LAYOUT: WeightLayout = WeightLayout::Scalar;

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

/// Applies bounds that are narrower than a byte's to results that the assembly has saturated to eight bits.
fn narrow<'a>(results: impl IntoIterator<Item = &'a mut i8>, rule: Requantization) {
    let (min, max) = rule.bounds();
    if (min, max) != (i8::MIN.into(), i8::MAX.into()) {
        for result in results {
            *result = (*result).max(min as i8).min(max as i8);
        }
    }
}
