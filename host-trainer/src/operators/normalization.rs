//! Batch normalisation (Ioffe and Szegedy 2015), with the ReLU that may follow.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::nn::BatchNorm;
use burn::tensor::{Tensor, activation};
use rayon::prelude::*;

use super::{
    NormalizeOptions, Operators, Primitive, SUMS, contiguous, elements, elements_mut, extents, is_on_processor,
    primitive, record,
};

/// Elements that are summed in single precision before the sum is added to one in double.
const BLOCK: usize = 1024;

/// Normalises `input` `[channels, batch, height, width]` and, with `relu`, cuts what is negative. Where the tensor is
/// trained, by the moments of the batch, which `norm` then averages; else by these averages.
pub fn batch_norm(input: Tensor<4>, norm: &BatchNorm, relu: bool) -> Tensor<4> {
    if !is_on_processor(&input) {
        return by_burn(input, norm, relu);
    }
    let of_batch = input.device().is_autodiff();
    let moments = if of_batch {
        let moments =
            Tensor::<2>::from_dispatch(<Dispatch as Operators>::moments(input.clone().inner().into_dispatch()));
        observe(norm, &moments);
        moments
    } else {
        Tensor::stack::<2>(vec![norm.running_mean.value_sync(), norm.running_var.value_sync()], 0)
    };
    let options = NormalizeOptions { epsilon: norm.epsilon as f32, of_batch, relu };
    Tensor::from_dispatch(<Dispatch as Operators>::normalize(
        input.into_dispatch(),
        norm.gamma.val().into_dispatch(),
        norm.beta.val().into_dispatch(),
        moments.into_dispatch(),
        options,
    ))
}

/// Adds to each channel of `input` `[channels, batch, height, width]` its `bias` `[channels]` and, with `relu`, cuts what
/// is negative.
pub fn add_bias(input: Tensor<4>, bias: Tensor<1>, relu: bool) -> Tensor<4> {
    let [channels] = bias.dims();
    if !is_on_processor(&input) {
        return bias_by_burn(input, bias, relu);
    }
    // A normalisation that finds nothing to do.
    let device = input.device().without_autodiff();
    let (zeros, ones) = (Tensor::<1>::zeros([channels], &device), Tensor::<1>::ones([channels], &device));
    Tensor::from_dispatch(<Dispatch as Operators>::normalize(
        input.into_dispatch(),
        ones.clone().into_dispatch(),
        bias.into_dispatch(),
        Tensor::stack::<2>(vec![zeros, ones], 0).into_dispatch(),
        NormalizeOptions { epsilon: 0.0, of_batch: false, relu },
    ))
}

pub(super) fn bias_by_burn(input: Tensor<4>, bias: Tensor<1>, relu: bool) -> Tensor<4> {
    let [channels] = bias.dims();
    let result = input + bias.reshape([channels, 1, 1, 1]);
    if relu { activation::relu(result) } else { result }
}

/// Moves the averages towards `moments` `[2, channels]`.
fn observe(norm: &BatchNorm, moments: &Tensor<2>) {
    for (index, average) in [&norm.running_mean, &norm.running_var].into_iter().enumerate() {
        let before = average.value_sync();
        let newest = Tensor::from_inner(moments.clone().narrow(0, index, 1).squeeze_dim::<1>(0));
        average.update(before.mul_scalar(1.0 - norm.momentum) + newest.mul_scalar(norm.momentum));
    }
}

pub(super) fn by_burn(input: Tensor<4>, norm: &BatchNorm, relu: bool) -> Tensor<4> {
    let result = norm.forward(input.swap_dims(0, 1)).swap_dims(0, 1);
    if relu { activation::relu(result) } else { result }
}

/// `[2, channels]`: means, then variances (of all elements, not of a sample).
pub(super) fn moments(input: &Primitive) -> Primitive {
    let [channels, batch, height, width] = extents(input);
    let input = contiguous(input);
    let count = batch * height * width;
    let (means, variances): (Vec<f32>, Vec<f32>) = elements(&input).par_chunks(count).map(mean_and_variance).unzip();
    primitive([means, variances].concat(), [2, channels])
}

vectorized! {
    fn mean_and_variance(values: &[f32]) -> (f32, f32) {
        let count = values.len() as f64;
        let mean = (sum(values, |value| value) / count) as f32;
        let variance = sum(values, |value| (value - mean) * (value - mean)) / count;
        (mean, variance as f32)
    }
}

/// The sum of `of` every value.
#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let block = |block: &[f32]| {
        let (chunks, rest) = block.as_chunks::<SUMS>();
        let mut lanes = [0.0; SUMS];
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane += of(value));
        }
        lanes.iter_mut().zip(rest).for_each(|(lane, &value)| *lane += of(value));
        f64::from(lanes.iter().sum::<f32>())
    };
    values.chunks(BLOCK).map(block).sum()
}

/// What is done to a channel: `factor · (x − mean) + shift`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    mean: f32,
    /// 1 / √(variance + ε).
    inverse_deviation: f32,
    factor: f32,
    shift: f32,
}

impl Affine {
    #[inline(always)]
    fn of(&self, value: f32) -> f32 {
        (value - self.mean) * self.factor + self.shift
    }
}

/// One a channel.
pub(super) fn affine(
    gamma: &Primitive,
    beta: &Primitive,
    moments: &Primitive,
    options: NormalizeOptions,
) -> Vec<Affine> {
    let (gamma, beta, moments) = (contiguous(gamma), contiguous(beta), contiguous(moments));
    let (means, variances) = elements(&moments).split_at(elements(&gamma).len());
    let scales = elements(&gamma).iter().zip(elements(&beta));
    let channel = |((&mean, &variance), (&gamma, &shift)): ((&f32, &f32), (&f32, &f32))| {
        let inverse_deviation = (variance + options.epsilon).sqrt().recip();
        Affine { mean, inverse_deviation, factor: gamma * inverse_deviation, shift }
    };
    means.iter().zip(variances).zip(scales).map(channel).collect()
}

pub(super) fn forward(input: &Primitive, channels: &[Affine], options: NormalizeOptions) -> Primitive {
    let shape: [usize; 4] = extents(input);
    let input = contiguous(input);
    let count = shape[1] * shape[2] * shape[3];
    let mut output = vec![0.0; shape.iter().product()];
    output
        .par_chunks_mut(count)
        .zip(elements(&input).par_chunks(count))
        .zip(channels)
        .for_each(|((output, input), channel)| normalize(channel, input, output, options.relu));
    primitive(output, shape)
}

vectorized! {
    fn normalize(channel: &Affine, input: &[f32], output: &mut [f32], relu: bool) -> () {
        let smallest = if relu { 0.0 } else { f32::NEG_INFINITY };
        for (to, &from) in output.iter_mut().zip(input) {
            let value = channel.of(from);
            // Not `max`, which would make a number of what is none.
            *to = if value < smallest { smallest } else { value };
        }
    }
}

/// Gradients of input, gamma and beta, from a contiguous `gradient` whose memory the first of them takes over.
fn backward(
    mut gradient: Primitive,
    input: &Primitive,
    channels: &[Affine],
    options: NormalizeOptions,
) -> [Primitive; 3] {
    let [count, batch, height, width] = extents(input);
    let input = contiguous(input);
    let channel = batch * height * width;
    let (of_gamma, of_beta) = elements_mut(&mut gradient)
        .par_chunks_mut(channel)
        .zip(elements(&input).par_chunks(channel))
        .zip(channels)
        .map(|((gradient, input), channel)| derive(channel, gradient, input, options))
        .unzip();
    [gradient, primitive(of_gamma, [count]), primitive(of_beta, [count])]
}

vectorized! {
    /// Makes of the gradient of a channel's result that of its input; returns those of gamma and beta.
    fn derive(channel: &Affine, gradient: &mut [f32], input: &[f32], options: NormalizeOptions) -> (f32, f32) {
        let passed = |gradient: f32, input: f32| {
            if options.relu && channel.of(input) <= 0.0 { 0.0 } else { gradient }
        };
        let (mut of_beta, mut of_products) = (0.0, 0.0);
        for (gradient, input) in gradient.chunks(BLOCK).zip(input.chunks(BLOCK)) {
            let (mut sums, mut products) = ([0.0; SUMS], [0.0; SUMS]);
            let mut add = |gradient: &[f32], input: &[f32]| {
                for (lane, (&gradient, &input)) in gradient.iter().zip(input).enumerate() {
                    let gradient = passed(gradient, input);
                    sums[lane] += gradient;
                    products[lane] += gradient * (input - channel.mean);
                }
            };
            let (gradients, rest_gradient) = gradient.as_chunks::<SUMS>();
            let (inputs, rest_input) = input.as_chunks::<SUMS>();
            gradients.iter().zip(inputs).for_each(|(gradient, input)| add(gradient, input));
            add(rest_gradient, rest_input);
            of_beta += f64::from(sums.iter().sum::<f32>());
            of_products += f64::from(products.iter().sum::<f32>());
        }
        let of_gamma = of_products * f64::from(channel.inverse_deviation);
        // Where the moments are the batch's own, they answer to every element: what all gradients have in common, and
        // what goes along with the input, cancels out.
        let count = if options.of_batch { input.len() as f64 } else { f64::INFINITY };
        let common = (of_beta / count) as f32;
        let along = (of_gamma / count) as f32 * channel.inverse_deviation;
        for (gradient, &input) in gradient.iter_mut().zip(input) {
            *gradient = channel.factor * (passed(*gradient, input) - common - along * (input - channel.mean));
        }
        (of_gamma as f32, of_beta as f32)
    }
}

/// The operation with its gradients.
pub(super) fn tracked<C: CheckpointStrategy>(
    input: FloatTensor<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    beta: FloatTensor<Autodiff<Flex, C>>,
    moments: FloatTensor<Autodiff<Flex, C>>,
    options: NormalizeOptions,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [input.node(), gamma.node(), beta.node()];
    let channels = affine(gamma.primitive(), beta.primitive(), moments.primitive(), options);
    let input = input.into_primitive();
    let output = forward(&input, &channels, options);
    record::<C, _, _>(Gradient, nodes, (input, channels, options), output)
}

#[derive(Debug)]
struct Gradient;

impl Backward<Flex, 3> for Gradient {
    type State = (Primitive, Vec<Affine>, NormalizeOptions);

    fn backward(self, operation: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&operation.node));
        let (input, channels, options) = operation.state;
        let of_parents = backward(gradient, &input, &channels, options);
        for (node, gradient) in operation.parents.into_iter().zip(of_parents) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}
