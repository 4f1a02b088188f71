//! Trials on the host: built, answered by the oracle, written for a board.

use std::vec;
use std::vec::Vec;

use super::{HEADER_BYTES, Random, WORDS};
use crate::graph::{Graph, Layer, Operator, Parameters, Tensor, TensorId, fit_arena, plan_arena};
use crate::kernels::oracle;
use crate::layout::{ArrangeError, WeightLayout, rearrange};
use crate::limits::ALIGNMENT;
use crate::package::LayerParameters;

/// A trial under construction: layers are appended to what is there.
#[derive(Debug, Clone, Default)]
pub struct TrialBuilder {
    graph: Graph,
    /// Biases, multipliers and weights, these in the portable order.
    weights: Vec<u8>,
    inputs: Vec<(TensorId, Vec<i8>)>,
    /// The most bytes of arena.
    limit: Option<usize>,
}

impl TrialBuilder {
    /// A trial without tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same trial in an arena of at most `limit` bytes: where it takes that, layers run band by band.
    pub fn within(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The graph so far. Its offsets mean nothing.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Appends a tensor.
    ///
    /// # Panics
    /// Beyond [`crate::limits::MAX_TENSORS`].
    pub fn tensor(&mut self, tensor: Tensor) -> TensorId {
        self.graph.tensors.push(tensor).expect("a trial has few tensors");
        self.graph.tensors.len() as u8 - 1
    }

    /// Appends a tensor that is there before the first layer.
    pub fn input(&mut self, tensor: Tensor, elements: Vec<i8>) -> TensorId {
        let id = self.tensor(tensor);
        self.inputs.push((id, elements));
        id
    }

    /// Appends a layer. One with parameters takes them from `bias`, `multipliers` and `weights`, in the portable order;
    /// its [`Parameters::offset`] is set here.
    ///
    /// # Panics
    /// Beyond [`crate::limits::MAX_LAYERS`].
    pub fn layer(&mut self, mut layer: Layer, parameters: &LayerParameters<'_>) {
        if let Operator::Convolution { parameters: Parameters { offset, .. }, .. }
        | Operator::Depthwise { parameters: Parameters { offset, .. }, .. }
        | Operator::Dense { parameters: Parameters { offset, .. } } = &mut layer.operator
        {
            self.weights.resize(self.weights.len().next_multiple_of(ALIGNMENT), 0);
            *offset = self.weights.len() as u32;
            for word in parameters.bias.iter().chain(parameters.multipliers) {
                self.weights.extend_from_slice(&word.to_le_bytes());
            }
            self.weights.extend_from_slice(bytemuck::cast_slice(parameters.weights));
        }
        self.graph.layers.push(layer).expect("a trial has few layers");
    }

    /// Appends a layer with parameters drawn at random, which keep results within the range of a byte.
    pub fn random_layer(&mut self, layer: Layer, random: &mut Random) {
        let Some(sizes) = self.graph.parameter_sizes(&layer) else { return self.layer(layer, &Default::default()) };
        let fan_in = (sizes.weights / sizes.channels) as f64;
        let shift = layer.operator.parameters().map_or(0, |parameters| parameters.shift);
        let spread = 64.0 / (5000.0 * fan_in.sqrt()) * 2_f64.powi(shift.into());
        let weights: Vec<i8> = (0..sizes.weights).map(|_| random.between(-127, 127) as i8).collect();
        let bias: Vec<i32> = (0..sizes.channels).map(|_| random.between(-3000, 3000) as i32).collect();
        let multipliers: Vec<i32> =
            (0..sizes.channels).map(|_| (spread * random.between(50, 200) as f64 / 100.0) as i32).collect();
        self.layer(layer, &LayerParameters { bias: &bias, multipliers: &multipliers, weights: &weights });
    }

    /// The bytes that the last layer must give, by the oracle.
    pub fn expected(&self) -> Vec<u8> {
        let mut tensors: Vec<Vec<i32>> = vec![Vec::new(); self.graph.tensors.len()];
        for (id, elements) in &self.inputs {
            tensors[usize::from(*id)] = elements.iter().map(|&element| element.into()).collect();
        }
        let words = aligned_words(&self.weights);
        let mut last = Vec::new();
        for layer in &self.graph.layers {
            let parameters =
                LayerParameters::read(bytemuck::cast_slice(&words), &self.graph, layer).unwrap_or_default();
            let second = layer.operator.second_input().map_or(&[][..], |id| &tensors[usize::from(id)]);
            let output = oracle::layer(&self.graph, layer, &parameters, &tensors[usize::from(layer.input)], second);
            let element = self.graph.tensors[usize::from(layer.output)].element;
            last = output.iter().flat_map(|value| value.to_le_bytes().into_iter().take(element.bytes())).collect();
            tensors[usize::from(layer.output)] = output;
        }
        last
    }

    /// The trial as bytes, its weights laid out and its arena planned for `layout`.
    ///
    /// # Errors
    /// Where the layout cannot hold the weights.
    ///
    /// # Panics
    /// Where the layers cannot be run in so small an arena as was asked for.
    pub fn write(&self, layout: WeightLayout) -> Result<Vec<u8>, ArrangeError> {
        let words = aligned_words(&self.weights);
        let section = &bytemuck::cast_slice(&words)[..self.weights.len()];
        let weights =
            rearrange(section, &self.graph, WeightLayout::Portable, layout).map_err(|(_, problem)| problem)?;
        let mut graph = self.graph.clone();
        match self.limit {
            Some(limit) => fit_arena(&mut graph, layout, limit).expect("a limit that can be held"),
            None => _ = plan_arena(&mut graph, layout),
        }
        // A second input is no layer's output, so the plan has no place for it.
        for &(id, _) in self.inputs.iter().skip(1) {
            graph.tensors[usize::from(id)].offset = graph.arena_bytes(layout).next_multiple_of(ALIGNMENT) as u32;
        }
        let mut arena = vec![0; graph.arena_bytes(layout)];
        for (id, elements) in &self.inputs {
            arena[graph.tensors[usize::from(*id)].range()].copy_from_slice(bytemuck::cast_slice(elements));
        }

        let no_place_for_all = (0_u32, 0_u32);
        let graph = (&graph.tensors, &graph.layers, no_place_for_all, &graph.scratch, &graph.stages);
        let graph = postcard::to_stdvec(&graph).expect("a graph of numbers and lists");
        let mut bytes = vec![0; HEADER_BYTES];
        for part in [&graph, &weights, &arena] {
            bytes.extend_from_slice(part);
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        }
        let words: [usize; WORDS] = [layout.id().into(), graph.len(), weights.len(), arena.len(), bytes.len()];
        for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = (word as u32).to_le_bytes();
        }
        Ok(bytes)
    }
}

/// `bytes` where words can be read in place.
fn aligned_words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|word| word.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))).collect()
}
