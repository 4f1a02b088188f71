//! The kernels: INT8 in, INT8 out, in the integer arithmetic of [`crate::quant`] alone.
//!
//! One file an operator family. Loops and shapes live here; the few innermost operations that an instruction
//! set does better are behind [`arch::InstructionSet`]. Whatever the instruction set, the bytes are those of
//! the naive [`oracle`].
//!
//! Kernels trust their slices: [`crate::package::Package::new_checked`] has verified every length. Where one does
//! not fit all the same, they leave elements out and never panic, so that a board links no panic for them.

pub mod arch;
mod convolution;
mod dense;
#[cfg(any(
    feature = "dsp",
    feature = "mve",
    feature = "scalar",
    all(target_arch = "x86_64", feature = "std"),
    all(target_arch = "aarch64", target_feature = "neon")
))]
mod depthwise;
mod elementwise;
mod layer;
mod network;
#[cfg(any(test, feature = "std"))]
pub mod oracle;
mod pool;
mod top_k;

use dense::dense;
pub(crate) use layer::Step;
pub(crate) use network::run;
pub use top_k::{Answer, Answers, scores, top_k};

/// Channels whose accumulators are kept on the stack at a time.
pub(crate) const BLOCK: usize = 64;

use core::iter;
use core::slice::{ChunksExact, ChunksExactMut};

use crate::graph::{Parameters, Tensor};
use crate::quant::Requantization;

/// Where a depthwise convolution reads and writes, elements in NHWC.
#[derive(Debug)]
pub enum Place<'a> {
    /// Two tensors.
    Apart {
        /// Read.
        input: &'a [i8],
        /// Written.
        output: &'a mut [i8],
    },
    /// One tensor: each row is read before it is written over.
    Same(&'a mut [i8]),
}

/// A tensor with its elements.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Shape and zero point.
    pub tensor: &'a Tensor,
    /// Elements, NHWC.
    pub data: &'a [i8],
}

/// Rows and columns of pixels in the order of memory, `width` to a row, without end.
fn places(width: u16) -> impl Iterator<Item = (usize, usize)> {
    let last = usize::from(width).saturating_sub(1);
    iter::successors(Some((0, 0)), move |&(row, column)| {
        Some(if column < last { (row, column + 1) } else { (row + 1, 0) })
    })
}

/// `elements` in pieces of `length`, which the package reader keeps from being zero: saying so here spares the panic
/// of the slice's own method.
fn pieces<T>(elements: &[T], length: usize) -> ChunksExact<'_, T> {
    elements.chunks_exact(length.max(1))
}

/// As [`pieces`], to be written to.
fn pieces_mut<T>(elements: &mut [T], length: usize) -> ChunksExactMut<'_, T> {
    elements.chunks_exact_mut(length.max(1))
}

/// Takes accumulators, some at a time with the first one's channel, and leaves as `outputs` what `element` makes of their
/// results by `rule`.
fn to_outputs<T>(
    rule: Requantization,
    multipliers: &[i32],
    outputs: &mut [T],
    element: impl Fn(i32) -> T,
) -> impl FnMut(usize, &[i32]) {
    move |first, sums| {
        let (outputs, multipliers) = (outputs.get_mut(first..), multipliers.get(first..));
        let places = outputs.unwrap_or_default().iter_mut().zip(multipliers.unwrap_or_default());
        for ((place, &multiplier), &sum) in places.zip(sums) {
            *place = element(rule.apply(sum, multiplier));
        }
    }
}

/// The requantisation of a layer with parameters into `output`.
#[inline(never)]
fn requantization(parameters: &Parameters, output: &Tensor) -> Requantization {
    let (min, max) = parameters.bounds;
    Requantization::new(parameters.shift, output.zero_point.into(), (min.into(), max.into()))
}

/// The requantisation of a layer without parameters into the full range of `output`.
fn plain_requantization(shift: u8, output: &Tensor) -> Requantization {
    Requantization::new(shift, output.zero_point.into(), output.element.range())
}
