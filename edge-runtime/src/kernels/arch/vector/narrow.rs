//! Convolution 3×3 of one input channel: the first layer of a network that reads grey images.
//!
//! Nine taps are too few to gather windows for. Instead three rows of the input are interleaved to a line of
//! `[column][4]` bytes, the fourth zero: a window is then 12 bytes in one piece, and the next window begins `4 · stride`
//! bytes on. The weights of 16 channels are brought into the same order, once a layer.

use crate::graph::{Tensor, Window};
use crate::kernels::arch::InstructionSet;
use crate::kernels::{View, pieces_mut};
use crate::layout::memory::{LANES, NARROW_GROUP};
use crate::layout::vector::place;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// The weights of 16 channels: `[column][channel][4]`, the rows of the window and a zero.
pub type Weights = [u8; NARROW_GROUP];

/// What an instruction set does of such a layer.
pub trait Narrow {
    /// Exclusive-ored to the elements of a line.
    const FLIP: u8;

    /// Computes a row of outputs, one of each window of the `line`. `weights` are those of all channels; `scratch` has
    /// what is left of the layer's.
    fn row(
        line: (&[[u8; 4]], usize),
        weights: &[Weights],
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        scratch: &mut [u8],
    );
}

/// Convolution 3×3 of one channel; outside the input everything is its zero point.
pub fn convolution<N: Narrow + InstructionSet>(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
    scratch: &mut [u8],
) {
    let (channels, width) = (parameters.bias.len(), usize::from(output_shape.width));
    let (stride, left) = (usize::from(window.stride.1), usize::from(window.pad_columns.0));
    let columns = width.saturating_sub(1) * stride + 3;
    let Some((weights, rest)) = scratch.split_at_mut_checked(channels.div_ceil(LANES) * NARROW_GROUP) else { return };
    let Some((line, scratch)) = rest.split_at_mut_checked(4 * columns) else { return };
    let (weights, line) = (weights.as_chunks_mut::<NARROW_GROUP>().0, line.as_chunks_mut::<4>().0);
    interleave::<N>(parameters, weights);
    for (row, outputs) in pieces_mut(output, width * channels).enumerate() {
        line.fill([input.tensor.zero_point as u8 ^ N::FLIP; 4]);
        for index in 0..3 {
            let source = (row * usize::from(window.stride.0) + index).wrapping_sub(window.pad_rows.0.into());
            let pitch = usize::from(input.tensor.width);
            // Rows above the input wrap to numbers beyond any.
            let start = source.saturating_mul(pitch);
            let pixels = input.data.get(start..start.saturating_add(pitch)).unwrap_or_default();
            for (column, &pixel) in line.iter_mut().skip(left).zip(pixels) {
                column[index] = pixel as u8 ^ N::FLIP;
            }
        }
        N::row((line, stride), weights, parameters, rule, outputs, scratch);
    }
}

/// Brings the weights into the order of the lines.
fn interleave<N: InstructionSet>(parameters: &LayerParameters<'_>, weights: &mut [Weights]) {
    let channels = parameters.bias.len();
    weights.as_flattened_mut().fill(0);
    for (group, weights) in weights.iter_mut().enumerate() {
        for lane in 0..LANES.min(channels - group * LANES) {
            for tap in 0..9 {
                let (index, flip) = place(N::LAYOUT, (channels, 9), group * LANES + lane, tap);
                let weight = parameters.weights.get(index).copied().unwrap_or_default() ^ flip;
                weights[(tap % 3 * LANES + lane) * 4 + tap / 3] = weight as u8;
            }
        }
    }
}
