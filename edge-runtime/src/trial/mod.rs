//! Trials: a few layers with weights and inputs, apart from any package. Kernels are tested and measured with them.
//!
//! The host draws a trial, computes by the [`oracle`](crate::kernels::oracle) what must come of it, and writes it as bytes
//! with the weights laid out for a board. The board reads it in place, runs it and reports the result. One format serves
//! one layer of random shape and a whole network.
//!
//! Bytes, little-endian: five words (the layout's identifier, then the lengths of graph, weights, arena and of all of it),
//! the graph as postcard, the weights, and what is in the arena before the first layer; each at a multiple of 16.

#[cfg(feature = "std")]
mod draw;
#[cfg(feature = "std")]
mod shapes;
#[cfg(feature = "std")]
mod write;

#[cfg(feature = "std")]
pub use draw::{Kernel, Random};
#[cfg(feature = "std")]
pub use shapes::{SHAPES, Shape};
#[cfg(feature = "std")]
pub use write::TrialBuilder;

use heapless::Vec;

use crate::graph::{Graph, Layer, Tensor};
use crate::kernels::arch::run_layer;
use crate::layout::WeightLayout;
use crate::limits::{ALIGNMENT, MAX_LAYERS, MAX_TENSORS};
use crate::package::LayerParameters;

/// Words before the graph.
const WORDS: usize = 5;
const HEADER_BYTES: usize = (4 * WORDS).next_multiple_of(ALIGNMENT);

/// A trial, read in place. Nothing of it is trusted: what contradicts itself does not run.
#[derive(Debug)]
pub struct Trial<'a> {
    layout: WeightLayout,
    graph: Graph,
    weights: &'a [u8],
    arena: &'a [u8],
}

impl<'a> Trial<'a> {
    /// Reads the trial that `bytes` start with; returns the rest as well. `None` where there is none.
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, _) = bytes.split_at_checked(HEADER_BYTES)?;
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(header.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes) as usize;
        }
        let [layout, graph, weights, arena, total] = words;
        let mut start = HEADER_BYTES;
        let mut part = |length: usize| {
            let part = bytes.get(start..start.checked_add(length)?)?;
            start = (start + length).next_multiple_of(ALIGNMENT);
            Some(part)
        };
        let (graph, weights, arena) = (part(graph)?, part(weights)?, part(arena)?);
        type Parts = (Vec<Tensor, MAX_TENSORS>, Vec<Layer, MAX_LAYERS>, (u32, u32));
        let (tensors, layers, scratch): Parts = postcard::from_bytes(graph).ok()?;
        let layout = WeightLayout::from_id(layout as u16)?;
        Some((Self { layout, graph: Graph { tensors, layers, scratch }, weights, arena }, bytes.get(total..)?))
    }

    /// Bytes of arena that the trial needs.
    pub const fn arena_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Lays the inputs into `arena`; `None` where it is too small.
    pub fn prepare(&self, arena: &mut [u8]) -> Option<()> {
        arena.get_mut(..self.arena.len())?.copy_from_slice(self.arena);
        Some(())
    }

    /// Runs the layers in a prepared arena and returns the last one's output; `None` where they cannot be run.
    pub fn run<'m>(&self, arena: &'m mut [u8]) -> Option<&'m [u8]> {
        self.run_by(arena, |graph, layer, parameters, arena| {
            run_layer(self.layout, graph, layer, parameters, arena).map(|_| ())
        })
    }

    /// As [`Self::run`], each layer by `kernel`.
    pub(crate) fn run_by<'m>(
        &self,
        arena: &'m mut [u8],
        kernel: impl Fn(&Graph, &Layer, &LayerParameters<'_>, &mut [u8]) -> Option<()>,
    ) -> Option<&'m [u8]> {
        let mut output = 0..0;
        for layer in &self.graph.layers {
            let parameters = LayerParameters::read(self.weights, &self.graph, layer).unwrap_or_default();
            kernel(&self.graph, layer, &parameters, arena)?;
            output = self.graph.tensor(layer.output)?.range();
        }
        arena.get(output)
    }
}
