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

use crate::graph::Graph;
use crate::kernels::arch::run_step;
use crate::kernels::{self, Step};
use crate::layout::WeightLayout;
use crate::limits::ALIGNMENT;
use crate::package::{Decoder, LayerParameters};
use crate::profile::Unobserved;

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
        let layout = WeightLayout::from_id(layout as u16)?;
        let mut trial = Self { layout, graph: Graph::default(), weights, arena };
        let mut decoder = Decoder::new(graph);
        decoder.graph(&mut trial.graph).ok()?;
        decoder.schedule(&mut trial.graph).ok()?;
        if !decoder.finish() {
            return None;
        }
        Some((trial, bytes.get(total..)?))
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
        self.run_by(arena, |step, parameters, arena| run_step(self.layout, step, parameters, arena))
    }

    /// As [`Self::run`], each step by `kernel`.
    pub(crate) fn run_by<'m>(
        &self,
        arena: &'m mut [u8],
        kernel: impl Fn(&Step, &LayerParameters<'_>, &mut [u8]) -> Option<()>,
    ) -> Option<&'m [u8]> {
        let parameters = |index| {
            let layer = self.graph.layers.get(index);
            layer.and_then(|layer| LayerParameters::read(self.weights, &self.graph, layer)).unwrap_or_default()
        };
        kernels::run(&self.graph, self.layout, parameters, kernel, arena, &mut Unobserved).ok()?;
        arena.get(self.graph.output()?.range())
    }
}
