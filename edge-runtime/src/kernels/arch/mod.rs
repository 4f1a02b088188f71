//! Instruction sets: one file each behind [`InstructionSet`], and which of them this build has.
//!
//! A board's build has the kernels of its core alone, chosen by target and feature when it is compiled. A host has all that
//! its processor can run.

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

#[cfg(feature = "dsp")]
use dsp::Dsp;
#[cfg(feature = "mve")]
use mve::Mve;
#[cfg(not(any(feature = "dsp", feature = "mve", feature = "scalar")))]
use portable::Portable;
#[cfg(feature = "scalar")]
use scalar::Scalar;

use super::convolution::{self, gathered};
use super::{Place, View, layer};
use crate::graph::{Graph, Layer, Tensor, Window};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// The kernels that an instruction set does in its own way. All are exact, so every implementation gives the same bytes.
///
/// Weights are in the order of [`Self::LAYOUT`]; `scratch` has at least [`WeightLayout::scratch_bytes`] bytes at a multiple
/// of [`WeightLayout::scratch_alignment`]. Where a slice is too short all the same, outputs are left out.
pub trait InstructionSet {
    /// The order of the weights.
    const LAYOUT: WeightLayout;

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

    /// What gathering a window does: copies `size.0` rows of `size.1` bytes from places `pitches.0` bytes apart to others
    /// `pitches.1` apart.
    fn copy_rows(source: &[i8], target: &mut [i8], pitches: (usize, usize), size: (usize, usize)) {
        convolution::copy_rows(source, target, pitches, size);
    }

    /// As [`slice::fill`], of a window that lies partly outside the input.
    fn fill(target: &mut [i8], value: i8) {
        target.fill(value);
    }
}

/// Whether this build, on the processor that it runs on, has kernels for weights laid out so.
pub fn runs(layout: WeightLayout) -> bool {
    layout == preferred()
}

/// The layout whose kernels are the fastest here.
pub const fn preferred() -> WeightLayout {
    #[cfg(feature = "dsp")]
    return Dsp::LAYOUT;
    #[cfg(feature = "mve")]
    return Mve::LAYOUT;
    #[cfg(feature = "scalar")]
    return Scalar::LAYOUT;
    #[cfg(not(any(feature = "dsp", feature = "mve", feature = "scalar")))]
    Portable::LAYOUT
}

/// Runs one layer of a graph that [`crate::graph::check`] has passed, and returns the bytes of its output. `None` where
/// this build has no kernels for `layout`, or the memory plan lets tensors overlap that may not.
#[inline(never)] // once in every image
pub fn run_layer<'m>(
    layout: WeightLayout,
    graph: &Graph,
    layer: &Layer,
    parameters: &LayerParameters<'_>,
    arena: &'m mut [u8],
) -> Option<&'m [u8]> {
    match layout {
        #[cfg(feature = "dsp")]
        WeightLayout::Dsp => layer::run::<Dsp>(graph, layer, parameters, arena),
        #[cfg(feature = "mve")]
        WeightLayout::Mve => layer::run::<Mve>(graph, layer, parameters, arena),
        #[cfg(feature = "scalar")]
        WeightLayout::Scalar => layer::run::<Scalar>(graph, layer, parameters, arena),
        #[cfg(not(any(feature = "dsp", feature = "mve", feature = "scalar")))]
        WeightLayout::Portable => layer::run::<Portable>(graph, layer, parameters, arena),
        _ => None,
    }
}
