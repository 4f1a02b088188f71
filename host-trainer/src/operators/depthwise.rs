//! Convolution of each channel by itself.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::phases::{LANES, Phases};
use super::spread::Spread;
use super::{Operators, Primitive, Window, by_burn, contiguous, elements, extents, is_on_processor, primitive, record};

/// Convolves each channel of `input` `[channels, batch, height, width]` with its own `weight`
/// `[channels, 1, size, size]`.
pub fn depthwise(input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    if is_on_processor(&input) {
        let result = <Dispatch as Operators>::depthwise(input.into_dispatch(), weight.into_dispatch(), window);
        return Tensor::from_dispatch(result);
    }
    let groups = input.dims()[0];
    by_burn(input, weight, window, groups)
}

pub(super) fn forward(input: &Primitive, weight: &Primitive, window: Window) -> Primitive {
    let [channels, batch, height, width] = extents(input);
    let (input, weight) = (contiguous(input), contiguous(weight));
    let shape = [channels, batch, window.places(height), window.places(width)];
    let mut output = vec![0.0; shape.iter().product()];
    let (from, to) = (height * width, shape[2] * shape[3]);
    output
        .par_chunks_mut(batch * to)
        .zip(elements(&input).par_chunks(batch * from))
        .zip(elements(&weight).par_chunks(window.size * window.size))
        .for_each_init(
            || Phases::new(height, width, window),
            |phases, ((output, input), weight)| slide(phases, weight, input, output),
        );
    primitive(output, shape)
}

vectorized! {
    /// One channel of the result.
    fn slide(phases: &mut Phases, weight: &[f32], input: &[f32], output: &mut [f32]) -> () {
        let (rows, columns) = phases.places();
        for (input, output) in input.chunks_exact(phases.plane()).zip(output.chunks_exact_mut(rows * columns)) {
            phases.read(input);
            for (y, row) in output.chunks_exact_mut(columns).enumerate() {
                for (chunk, to) in row.chunks_mut(LANES).enumerate() {
                    let start = phases.row(y) + chunk * LANES;
                    let mut sums = [0.0; LANES];
                    for (&tap, &weight) in phases.taps().iter().zip(weight) {
                        let met = &phases.met(start + tap)[..LANES];
                        sums.iter_mut().zip(met).for_each(|(sum, value)| *sum += weight * value);
                    }
                    match to.as_mut_array::<LANES>() {
                        Some(to) => *to = sums,
                        None => to.copy_from_slice(&sums[..to.len()]),
                    }
                }
            }
        }
    }
}

/// The gradient of the input.
fn of_input(gradient: &Primitive, weight: &Primitive, shape: [usize; 4], window: Window) -> Primitive {
    let [_, batch, height, width] = shape;
    let (gradient, weight) = (contiguous(gradient), contiguous(weight));
    let (to, from) = (height * width, window.places(height) * window.places(width));
    let mut result = vec![0.0; shape.iter().product()];
    result
        .par_chunks_mut(batch * to)
        .zip(elements(&gradient).par_chunks(batch * from))
        .zip(elements(&weight).par_chunks(window.size * window.size))
        .for_each_init(
            || Spread::new(height, width, window),
            |spread, ((result, gradient), weight)| give_back(spread, weight, gradient, result),
        );
    primitive(result, shape)
}

vectorized! {
    /// One channel of it; `result` starts at zero.
    fn give_back(spread: &mut Spread, weight: &[f32], gradient: &[f32], result: &mut [f32]) -> () {
        for (gradient, result) in gradient.chunks_exact(spread.places()).zip(result.chunks_exact_mut(spread.plane())) {
            spread.read(gradient);
            spread.gather(weight, result);
        }
    }
}

/// The gradient of the weight.
fn of_weight(gradient: &Primitive, input: &Primitive, window: Window) -> Primitive {
    let [channels, batch, height, width] = extents(input);
    let (gradient, input) = (contiguous(gradient), contiguous(input));
    let (from, to) = (height * width, window.places(height) * window.places(width));
    let taps = window.size * window.size;
    let mut result = vec![0.0; channels * taps];
    result
        .par_chunks_mut(taps)
        .zip(elements(&gradient).par_chunks(batch * to))
        .zip(elements(&input).par_chunks(batch * from))
        .for_each_init(
            || Phases::new(height, width, window),
            |phases, ((result, gradient), input)| correlate(phases, gradient, input, result),
        );
    primitive(result, [channels, 1, window.size, window.size])
}

vectorized! {
    /// One channel of it: for each tap the products of the gradient and what the tap met.
    fn correlate(phases: &mut Phases, gradient: &[f32], input: &[f32], result: &mut [f32]) -> () {
        let (rows, columns) = phases.places();
        let mut sums = vec![[0.0; LANES]; result.len()];
        for (gradient, input) in gradient.chunks_exact(rows * columns).zip(input.chunks_exact(phases.plane())) {
            phases.read(input);
            for (y, row) in gradient.chunks_exact(columns).enumerate() {
                for (chunk, from) in row.chunks(LANES).enumerate() {
                    let mut gradient = [0.0; LANES];
                    match from.as_array::<LANES>() {
                        Some(from) => gradient = *from,
                        None => gradient[..from.len()].copy_from_slice(from),
                    }
                    let start = phases.row(y) + chunk * LANES;
                    for (&tap, sums) in phases.taps().iter().zip(&mut sums) {
                        let met = &phases.met(start + tap)[..LANES];
                        sums.iter_mut().zip(gradient).zip(met).for_each(|((sum, a), b)| *sum += a * b);
                    }
                }
            }
        }
        result.iter_mut().zip(&sums).for_each(|(to, lanes)| *to = lanes.iter().sum());
    }
}

/// The operation with its gradients.
pub(super) fn tracked<C: CheckpointStrategy>(
    input: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    window: Window,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [input.node(), weight.node()];
    let (input, weight) = (input.into_primitive(), weight.into_primitive());
    let output = forward(&input, &weight, window);
    record::<C, _, _>(Gradient, nodes, (input, weight, window), output)
}

#[derive(Debug)]
struct Gradient;

impl Backward<Flex, 2> for Gradient {
    type State = (Primitive, Primitive, Window);

    fn backward(self, operation: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&operation.node);
        let (input, weight, window) = operation.state;
        let [input_node, weight_node] = operation.parents;
        if let Some(node) = input_node {
            gradients.register::<Flex>(node.id, of_input(&gradient, &weight, extents(&input), window));
        }
        if let Some(node) = weight_node {
            gradients.register::<Flex>(node.id, of_weight(&gradient, &input, window));
        }
    }
}
