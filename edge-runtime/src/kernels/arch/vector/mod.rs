//! What the instruction sets for vectors of bytes share, x86-64 and AArch64: the way through a layer to their inner loops.
//!
//! ```text
//! convolution   gathered windows          ──► matrix product
//!               one channel: three rows,
//!               interleaved ([`narrow`])  ──► a row of outputs     [`Narrow`]
//! depthwise     four rows of a block of
//!               channels ([`lines`])      ──► a row of outputs     [`Lines`]
//!               any other window          ──► plain Rust           [`general`]
//! ```

mod general;
mod lines;
mod narrow;

pub use lines::{Lines, Windows, set_bits};
pub use narrow::{Narrow, Weights};

use super::InstructionSet;
use crate::graph::{Tensor, Window};
use crate::kernels::convolution::gathered;
use crate::kernels::{Place, View};
use crate::layout::is_single_channel;
use crate::layout::memory::has_lines;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// [`InstructionSet::convolution`].
pub fn convolution<N: Narrow + InstructionSet>(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    output: (&Tensor, &mut [i8]),
    scratch: &mut [u8],
) {
    if is_single_channel(window, input.tensor) {
        narrow::convolution::<N>(input, window, parameters, rule, output, scratch);
    } else {
        gathered::<N>(input, window, parameters, rule, output, scratch);
    }
}

/// [`InstructionSet::depthwise`].
pub fn depthwise<L: Lines>(
    shapes: (&Tensor, &Tensor),
    place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    if has_lines(window) {
        lines::depthwise::<L>(shapes, place, window, parameters, rule, scratch);
    } else {
        general::depthwise(shapes, place, window, parameters, rule, scratch);
    }
}
