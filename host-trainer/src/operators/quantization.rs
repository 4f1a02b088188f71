//! Rounding activations to a grid, which gradients look through.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::{
    Operators, Primitive, SUMS, contiguous, elements, elements_mut, extents, is_on_processor, primitive, record,
};

/// Elements that one task rounds.
const CHUNK: usize = 1 << 14;

/// Rounds to the nearest integer; the gradient passes as if nothing had been rounded.
pub fn round_straight_through<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    let rounded = values.clone().round();
    values.clone() + (rounded - values).detach()
}

/// Rounds `values` to multiples of `scale`, of one element, and cuts them at `below` and `above` multiples. The gradient
/// of the values passes as if nothing had been rounded, where nothing was cut; that of the scale is the one of learned
/// step sizes (Esser et al. 2020). The bounds have none.
pub fn fake_quantize(values: Tensor<4>, scale: Tensor<1>, [below, above]: [Tensor<1>; 2]) -> Tensor<4> {
    if is_on_processor(&values) {
        let bounds = Tensor::cat(vec![below, above], 0);
        return Tensor::from_dispatch(<Dispatch as Operators>::fake_quantize(
            values.into_dispatch(),
            scale.into_dispatch(),
            bounds.into_dispatch(),
        ));
    }
    by_burn(values, scale, [below, above])
}

pub(super) fn by_burn(values: Tensor<4>, scale: Tensor<1>, bounds: [Tensor<1>; 2]) -> Tensor<4> {
    let [below, above] = bounds.map(|bound| bound.detach().reshape([1, 1, 1, 1]));
    let scale = scale.reshape([1, 1, 1, 1]);
    round_straight_through((values / scale.clone()).max_pair(below).min_pair(above)) * scale
}

/// The smallest and the largest of `values`; without gradient.
pub fn extremes(values: Tensor<4>) -> Tensor<1> {
    if is_on_processor(&values) {
        return Tensor::from_dispatch(<Dispatch as Operators>::extremes(values.into_dispatch()));
    }
    let values = values.detach();
    Tensor::cat(vec![values.clone().min(), values.max()], 0)
}

/// Smallest and largest element, `[2]`.
pub(super) fn smallest_and_largest(values: &Primitive) -> Primitive {
    let values = contiguous(values);
    let chunks = elements(&values).par_chunks(CHUNK).map(range_of);
    let (low, high) = chunks.reduce(
        || (f32::INFINITY, f32::NEG_INFINITY),
        |(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)),
    );
    primitive(vec![low, high], [2])
}

vectorized! {
    fn range_of(values: &[f32]) -> (f32, f32) {
        let (mut low, mut high) = ([f32::INFINITY; SUMS], [f32::NEG_INFINITY; SUMS]);
        for chunk in values.chunks(SUMS) {
            low.iter_mut().zip(chunk).for_each(|(low, value)| *low = low.min(*value));
            high.iter_mut().zip(chunk).for_each(|(high, value)| *high = high.max(*value));
        }
        (low.into_iter().fold(f32::INFINITY, f32::min), high.into_iter().fold(f32::NEG_INFINITY, f32::max))
    }
}

/// A scale and the multiples at which it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    scale: f32,
    below: f32,
    above: f32,
}

impl Steps {
    pub(super) fn new(scale: &Primitive, bounds: &Primitive) -> Self {
        let (scale, bounds) = (contiguous(scale), contiguous(bounds));
        Self { scale: elements(&scale)[0], below: elements(&bounds)[0], above: elements(&bounds)[1] }
    }
}

pub(super) fn forward(values: &Primitive, steps: Steps) -> Primitive {
    let values = contiguous(values);
    let mut result = vec![0.0; elements(&values).len()];
    let chunks = result.par_chunks_mut(CHUNK).zip(elements(&values).par_chunks(CHUNK));
    chunks.for_each(|(result, values)| round(values, steps, result));
    primitive(result, extents::<4>(&values))
}

vectorized! {
    fn round(values: &[f32], steps: Steps, result: &mut [f32]) -> () {
        for (to, &value) in result.iter_mut().zip(values) {
            *to = (value / steps.scale).clamp(steps.below, steps.above).round_ties_even() * steps.scale;
        }
    }
}

vectorized! {
    /// Makes of the gradient of rounded values that of the values themselves; returns their part of the scale's.
    fn derive(gradient: &mut [f32], values: &[f32], steps: Steps) -> f64 {
        let mut sums = [0.0; SUMS];
        for (gradient, values) in gradient.chunks_mut(SUMS).zip(values.chunks(SUMS)) {
            for (sum, (gradient, &value)) in sums.iter_mut().zip(gradient.iter_mut().zip(values)) {
                let exact = value / steps.scale;
                let cut = exact.clamp(steps.below, steps.above);
                let is_cut = cut != exact;
                *sum += *gradient * (cut.round_ties_even() - if is_cut { 0.0 } else { exact });
                *gradient = if is_cut { 0.0 } else { *gradient };
            }
        }
        sums.into_iter().map(f64::from).sum()
    }
}

/// The operation with its gradients.
pub(super) fn tracked<C: CheckpointStrategy>(
    values: FloatTensor<Autodiff<Flex, C>>,
    scale: FloatTensor<Autodiff<Flex, C>>,
    bounds: &FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [values.node(), scale.node()];
    let steps = Steps::new(scale.primitive(), bounds.primitive());
    let values = values.into_primitive();
    let output = forward(&values, steps);
    record::<C, _, _>(Gradient, nodes, (values, steps), output)
}

#[derive(Debug)]
struct Gradient;

impl Backward<Flex, 2> for Gradient {
    type State = (Primitive, Steps);

    fn backward(self, operation: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = contiguous(&gradients.consume::<Flex>(&operation.node));
        let (values, steps) = operation.state;
        let values = contiguous(&values);
        let chunks = elements_mut(&mut gradient).par_chunks_mut(CHUNK).zip(elements(&values).par_chunks(CHUNK));
        // Collected, so that the sum does not depend on which thread is done first.
        let sums: Vec<f64> = chunks.map(|(gradient, values)| derive(gradient, values, steps)).collect();
        let [values_node, scale_node] = operation.parents;
        if let Some(node) = values_node {
            gradients.register::<Flex>(node.id, gradient);
        }
        if let Some(node) = scale_node {
            gradients.register::<Flex>(node.id, primitive(vec![sums.iter().sum::<f64>() as f32], [1]));
        }
    }
}
