//! Arranging and its inverse, on the host.

use core::fmt;
use std::vec::Vec;

use super::{WeightLayout, dsp, mve, scalar, vector};
use crate::graph::{Graph, Layer, Operator};
use crate::package::LayerParameters;

/// Why weights cannot be arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArrangeError {
    /// A weight of −128 where the layout holds −127 to 127 only.
    Extreme {
        /// The layout.
        layout: WeightLayout,
        /// The output channel.
        channel: usize,
    },
}

impl fmt::Display for ArrangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Extreme { layout, channel } = self;
        write!(
            f,
            "channel {channel} has a weight of −128, and the layout `{}` holds −127 to 127: quantise symmetrically",
            layout.name()
        )
    }
}

impl core::error::Error for ArrangeError {}

impl WeightLayout {
    /// The weights of `layer`, given in the portable order, in the order of this layout.
    ///
    /// # Errors
    /// [`ArrangeError`] where the layout cannot hold them.
    pub fn arrange(self, graph: &Graph, layer: &Layer, portable: &[i8]) -> Result<Vec<i8>, ArrangeError> {
        match (self, matrix(graph, layer)) {
            (Self::Dsp, Some(rows)) => dsp::arrange(portable, rows),
            (Self::Mve, _) => Ok(mve::arrange(portable, graph, layer)),
            (Self::Scalar, Some(rows)) => Ok(scalar::arrange(portable, rows)),
            (Self::X86 | Self::Dot | Self::Neon, Some(rows)) => Ok(vector::arrange(self, portable, rows)),
            _ => Ok(portable.to_vec()),
        }
    }

    /// The inverse of [`Self::arrange`].
    pub fn to_portable(self, graph: &Graph, layer: &Layer, arranged: &[i8]) -> Vec<i8> {
        match (self, matrix(graph, layer)) {
            (Self::Dsp, Some(rows)) => dsp::to_portable(arranged, rows),
            (Self::Mve, _) => mve::to_portable(arranged, graph, layer),
            (Self::Scalar, Some(rows)) => scalar::to_portable(arranged, rows),
            (Self::X86 | Self::Dot | Self::Neon, Some(rows)) => vector::to_portable(self, arranged, rows),
            _ => arranged.to_vec(),
        }
    }
}

/// A whole weight section, in which words can be read in place, laid out as `to` says instead of `from`.
///
/// # Errors
/// The layer whose weights `to` cannot hold.
pub(crate) fn rearrange(
    weights: &[u8],
    graph: &Graph,
    from: WeightLayout,
    to: WeightLayout,
) -> Result<Vec<u8>, (usize, ArrangeError)> {
    let mut rearranged = weights.to_vec();
    for (index, layer) in graph.layers.iter().enumerate() {
        let found = layer.operator.parameters().zip(LayerParameters::read(weights, graph, layer));
        let Some((parameters, of_layer)) = found else { continue };
        let portable = from.to_portable(graph, layer, of_layer.weights);
        let arranged = to.arrange(graph, layer, &portable).map_err(|problem| (index, problem))?;
        let start = parameters.offset as usize + 8 * of_layer.bias.len();
        rearranged[start..start + arranged.len()].copy_from_slice(bytemuck::cast_slice(&arranged));
    }
    Ok(rearranged)
}

/// Rows of the weight matrix of a layer that is a matrix product.
fn matrix(graph: &Graph, layer: &Layer) -> Option<usize> {
    match layer.operator {
        Operator::Convolution { .. } | Operator::Dense { .. } => Some(graph.parameter_sizes(layer)?.channels),
        _ => None,
    }
}
