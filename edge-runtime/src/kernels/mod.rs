//! The kernels: INT8 in, INT8 out, in the integer arithmetic of [`crate::quant`] alone.
//!
//! One file an operator family. Loops and shapes live here; the few innermost operations that an instruction
//! set does better are behind [`arch::InstructionSet`]. Whatever the instruction set, the bytes are those of
//! the naive [`oracle`].
//!
//! Kernels trust their slices: [`crate::package::Package::new_checked`] has verified every length.

pub mod arch;
mod convolution;
mod dense;
mod depthwise;
mod elementwise;
#[cfg(any(test, feature = "std"))]
pub mod oracle;
mod pool;
mod top_k;

pub use convolution::convolution;
pub use dense::dense;
pub use depthwise::depthwise;
pub use elementwise::{add, gate};
pub use pool::pool;
pub use top_k::{Answer, Answers, scores, top_k};

use crate::graph::{Parameters, Tensor};
use crate::quant::Requantization;

/// A tensor with its elements.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Shape and zero point.
    pub tensor: &'a Tensor,
    /// Elements, NHWC.
    pub data: &'a [i8],
}

/// The requantisation of a layer with parameters into `output`.
pub fn requantization(parameters: &Parameters, output: &Tensor) -> Requantization {
    let (min, max) = parameters.bounds;
    Requantization::new(parameters.shift, output.zero_point.into(), (min.into(), max.into()))
}

/// The requantisation of a layer without parameters into the full range of `output`.
pub fn plain_requantization(shift: u8, output: &Tensor) -> Requantization {
    Requantization::new(shift, output.zero_point.into(), output.element.range())
}
