//! One number a plane: the mean of its pixels, and the gate that multiplies them (squeeze-and-excitation, Hu et al.
//! 2018).

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::{Operators, Primitive, SUMS, contiguous, elements, extents, is_on_processor, primitive, record};

/// The mean of each plane of `input` `[channels, batch, height, width]`, `[channels, batch, 1, 1]`.
pub fn global_average(input: Tensor<4>) -> Tensor<4> {
    if is_on_processor(&input) {
        return Tensor::from_dispatch(<Dispatch as Operators>::global_average(input.into_dispatch()));
    }
    average_by_burn(input)
}

/// Multiplies each plane of `input` `[channels, batch, height, width]` by its `gate` `[channels, batch, 1, 1]`.
pub fn gate(input: Tensor<4>, gate: Tensor<4>) -> Tensor<4> {
    if is_on_processor(&input) {
        let result = <Dispatch as Operators>::gate(input.into_dispatch(), gate.into_dispatch());
        return Tensor::from_dispatch(result);
    }
    gate_by_burn(input, gate)
}

pub(super) fn average_by_burn(input: Tensor<4>) -> Tensor<4> {
    input.mean_dims(&[2, 3])
}

pub(super) fn gate_by_burn(input: Tensor<4>, gate: Tensor<4>) -> Tensor<4> {
    input * gate
}

pub(super) fn average(input: &Primitive) -> Primitive {
    let [channels, batch, height, width] = extents(input);
    let input = contiguous(input);
    let means = elements(&input).par_chunks(batch * height * width).flat_map_iter(|planes| averages(planes, batch));
    primitive(means.collect(), [channels, batch, 1, 1])
}

vectorized! {
    fn averages(planes: &[f32], count: usize) -> Vec<f32> {
        let pixels = planes.len() / count;
        planes.chunks_exact(pixels).map(|plane| dot(plane, None) / pixels as f32).collect()
    }
}

pub(super) fn multiply(input: &Primitive, gate: &Primitive) -> Primitive {
    let shape: [usize; 4] = extents(input);
    let (input, gate) = (contiguous(input), contiguous(gate));
    let (channel, batch) = (shape[1] * shape[2] * shape[3], shape[1]);
    let mut result = vec![0.0; elements(&input).len()];
    result
        .par_chunks_mut(channel)
        .zip(elements(&input).par_chunks(channel))
        .zip(elements(&gate).par_chunks(batch))
        .for_each(|((result, input), gate)| scale(input, gate, result));
    primitive(result, shape)
}

vectorized! {
    /// Multiplies planes by one factor each.
    fn scale(planes: &[f32], factors: &[f32], result: &mut [f32]) -> () {
        let pixels = planes.len() / factors.len();
        let planes = planes.chunks_exact(pixels).zip(result.chunks_exact_mut(pixels));
        for ((plane, result), factor) in planes.zip(factors) {
            result.iter_mut().zip(plane).for_each(|(to, from)| *to = from * factor);
        }
    }
}

vectorized! {
    /// Plane by plane the sum of products.
    fn dots(planes: &[f32], others: &[f32], count: usize) -> Vec<f32> {
        let pixels = planes.len() / count;
        let planes = planes.chunks_exact(pixels).zip(others.chunks_exact(pixels));
        planes.map(|(plane, other)| dot(plane, Some(other))).collect()
    }
}

/// The sum of a plane's pixels, each multiplied by that of another where there is one.
#[inline(always)]
fn dot(plane: &[f32], other: Option<&[f32]>) -> f32 {
    let mut lanes = [0.0; SUMS];
    match other {
        None => plane.chunks(SUMS).for_each(|chunk| lanes.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value)),
        Some(other) => {
            for (chunk, other) in plane.chunks(SUMS).zip(other.chunks(SUMS)) {
                lanes.iter_mut().zip(chunk.iter().zip(other)).for_each(|(sum, (a, b))| *sum += a * b);
            }
        }
    }
    lanes.iter().sum()
}

/// The mean with its gradient.
pub(super) fn tracked_average<C: CheckpointStrategy>(
    input: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let node = input.node();
    let input = input.into_primitive();
    let output = average(&input);
    record::<C, _, _>(AverageGradient, [node], extents(&input), output)
}

#[derive(Debug)]
struct AverageGradient;

impl Backward<Flex, 1> for AverageGradient {
    /// The input's extents.
    type State = [usize; 4];

    fn backward(self, operation: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&operation.node));
        let shape @ [channels, batch, height, width] = operation.state;
        let [Some(node)] = operation.parents else { return };
        let pixels = height * width;
        let mut result = vec![0.0; channels * batch * pixels];
        result.par_chunks_mut(batch * pixels).zip(elements(&gradient).par_chunks(batch)).for_each(
            |(result, gradient)| {
                for (plane, gradient) in result.chunks_exact_mut(pixels).zip(gradient) {
                    plane.fill(gradient / pixels as f32);
                }
            },
        );
        gradients.register::<Flex>(node.id, primitive(result, shape));
    }
}

/// The product with its gradients.
pub(super) fn tracked_gate<C: CheckpointStrategy>(
    input: FloatTensor<Autodiff<Flex, C>>,
    gate: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [input.node(), gate.node()];
    let (input, gate) = (input.into_primitive(), gate.into_primitive());
    let output = multiply(&input, &gate);
    record::<C, _, _>(GateGradient, nodes, (input, gate), output)
}

#[derive(Debug)]
struct GateGradient;

impl Backward<Flex, 2> for GateGradient {
    type State = (Primitive, Primitive);

    fn backward(self, operation: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&operation.node));
        let (input, gate) = operation.state;
        let [input_node, gate_node] = operation.parents;
        if let Some(node) = gate_node {
            let shape @ [channels, batch, _, _] = extents(&gate);
            let input = contiguous(&input);
            let channel = elements(&input).len() / channels;
            let channels = elements(&gradient).par_chunks(channel).zip(elements(&input).par_chunks(channel));
            let sums = channels.flat_map_iter(|(gradient, input)| dots(gradient, input, batch)).collect();
            gradients.register::<Flex>(node.id, primitive(sums, shape));
        }
        if let Some(node) = input_node {
            gradients.register::<Flex>(node.id, multiply(&gradient, &gate));
        }
    }
}
