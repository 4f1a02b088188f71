//! Instruction sets: a folder each behind [`InstructionSet`], and which of them this build has.
//!
//! A board's build has the kernels of its core alone, chosen by target and feature when it is compiled. A host's has those
//! of its architecture and the portable ones; which of them it runs, the processor says.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod aarch64;
#[cfg(feature = "dsp")]
mod dsp;
#[cfg(feature = "mve")]
mod mve;
#[cfg(any(feature = "dsp", feature = "scalar"))]
mod planes;
#[cfg(not(any(feature = "dsp", feature = "mve", feature = "scalar")))]
mod portable;
#[cfg(feature = "scalar")]
mod scalar;
#[cfg(any(all(target_arch = "x86_64", feature = "std"), all(target_arch = "aarch64", target_feature = "neon")))]
mod vector;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod x86;

use super::convolution::{self, gathered};
use super::{Place, Step, View, elementwise, layer, pool};
use crate::graph::{Tensor, Window};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::{Addition, Requantization};

/// The kernels that an instruction set does in its own way. All are exact, so every implementation gives the same bytes.
///
/// Weights are in the order of [`Self::LAYOUT`]; `scratch` has at least [`WeightLayout::scratch_bytes`] bytes at a multiple
/// of [`WeightLayout::scratch_alignment`]. Where a slice is too short all the same, outputs are left out.
///
/// Nothing but [`Self::is_supported`] may be called where that is not so.
pub trait InstructionSet {
    /// The order of the weights.
    const LAYOUT: WeightLayout;

    /// Whether the processor has the instructions; where there is no operating system to ask, whether every processor of
    /// the target has.
    fn is_supported() -> bool {
        true
    }

    /// `outputs[p][c] = rule(bias[c] + Σ windows[p][t] · weights[c][t])`: windows of `taps` elements, one after the other,
    /// and as many rows of outputs.
    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        scratch: &mut [u8],
    );

    /// The accumulators `bias[c] + Σ window[t] · weights[c][t]`, some at a time in the order of the channels, each time
    /// with the first channel's number to `emit`.
    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    );

    /// Depthwise convolution of a tensor of the first shape into one of the second; outside the input everything is its
    /// zero point.
    fn depthwise(
        shapes: (&Tensor, &Tensor),
        place: Place<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        scratch: &mut [u8],
    );

    /// Convolution of a window larger than a pixel.
    fn convolution(
        input: View<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        output: (&Tensor, &mut [i8]),
        scratch: &mut [u8],
    ) where
        Self: Sized,
    {
        gathered::<Self>(input, window, parameters, rule, output, scratch);
    }

    /// Windows of `taps` elements that a convolution gathers before it multiplies them by the weights.
    fn gathered_windows(taps: usize) -> usize {
        Self::LAYOUT.windows(taps)
    }

    /// What gathering a window does: copies `size.0` rows of `size.1` bytes from places `pitches.0` bytes apart to others
    /// `pitches.1` apart.
    fn copy_rows(source: &[i8], target: &mut [i8], pitches: (usize, usize), size: (usize, usize)) {
        convolution::copy_rows(source, target, pitches, size);
    }

    /// As [`slice::fill`], of a window that lies partly outside the input.
    fn fill(target: &mut [i8], value: i8) {
        target.fill(value);
    }

    /// What an average pool does: adds to each of `sums` its channel of `size.0` rows, `pitches.0` bytes apart, of `size.1`
    /// pixels, `pitches.1` apart.
    fn add_pixels(source: &[i8], pitches: (usize, usize), size: (usize, usize), sums: &mut [i32]) {
        pool::add_pixels(source, pitches, size, sums);
    }

    /// Multiplies each channel of `data`, whose zero point is `zero_point`, by its gate.
    fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
        elementwise::gate(data, zero_point, gate, multiplier, rule);
    }

    /// Adds `other` to `data`.
    fn add(data: &mut [i8], other: &[i8], rule: Addition) {
        elementwise::add(data, other, rule);
    }
}

/// Runs `$body` for each instruction set of this build, which it calls `$Set`, the fastest first.
macro_rules! for_each_set {
    ($Set:ident, $body:block) => {
        #[cfg(feature = "dsp")]
        {
            use dsp::Dsp as $Set;
            $body
        }
        #[cfg(feature = "mve")]
        {
            use mve::Mve as $Set;
            $body
        }
        #[cfg(feature = "scalar")]
        {
            use scalar::Scalar as $Set;
            $body
        }
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        {
            use x86::Amx as $Set;
            $body
        }
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        {
            use x86::Avx512 as $Set;
            $body
        }
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        {
            use x86::Avx2 as $Set;
            $body
        }
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        {
            use aarch64::Dotprod as $Set;
            $body
        }
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        {
            use aarch64::Neon as $Set;
            $body
        }
        #[cfg(not(any(feature = "dsp", feature = "mve", feature = "scalar")))]
        {
            use portable::Portable as $Set;
            $body
        }
    };
}

/// Whether this build, on the processor that it runs on, has kernels for weights laid out so.
pub fn runs(layout: WeightLayout) -> bool {
    for_each_set!(Set, {
        if Set::LAYOUT == layout && Set::is_supported() {
            return true;
        }
    });
    false
}

/// The layout whose kernels are the fastest here.
pub fn preferred() -> WeightLayout {
    for_each_set!(Set, {
        if Set::is_supported() {
            return Set::LAYOUT;
        }
    });
    WeightLayout::Portable
}

/// Runs a step of a graph that [`crate::graph::check`] has passed. `None` where this build has no kernels for `layout`,
/// or the memory plan lets tensors overlap that may not.
#[inline(never)] // once in every image
pub(crate) fn run_step(
    layout: WeightLayout,
    step: &Step,
    parameters: &LayerParameters<'_>,
    arena: &mut [u8],
) -> Option<()> {
    for_each_set!(Set, {
        if Set::LAYOUT == layout && Set::is_supported() {
            return layer::run::<Set>(step, parameters, arena);
        }
    });
    None
}
