//! The operations that training spends its time in.
//!
//! Activations are laid out `[channels, batch, height, width]`. A channel of the whole batch is then one run of
//! memory: a 1×1 convolution is one matrix product of `[out, in]` by `[in, batch·height·width]`, and the statistics of
//! batch normalisation are sums over neighbours. With the batch first both would go image by image.
//!
//! ```text
//!                 on the processor                              on a GPU
//!  convolve       columns (im2col) and one matrix product       Burn's convolution
//!  depthwise      windows of a channel, several at a time       Burn's convolution, a group a channel
//!  batch_norm     two passes, the ReLU in the second            Burn's
//!  gate, global_average, fake_quantize, add_bias: one pass      Burn's arithmetic
//!  FusedAdamW     one pass, in place                            Burn's
//! ```
//!
//! Burn's processor backend computes the same, but the gradient of a depthwise weight by one convolution a channel, and
//! most of the rest by some ten passes over memory. What stands here for it is in safe Rust, written so that the
//! compiler vectorises it, and compiled for every instruction set that [`pulp`] tells apart at run time. Sums are taken
//! in an order that does not depend on threads. Tests hold each operation against Burn's own, gradients included.

#[macro_use]
mod vectorized;

mod adamw;
mod columns;
mod convolution;
mod depthwise;
mod normalization;
mod phases;
mod planes;
mod quantization;
mod spread;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use quantization::Steps;

pub use adamw::{AdamWStep, FusedAdamW};
pub use convolution::convolve;
pub use depthwise::depthwise;
pub use normalization::{add_bias, batch_norm};
pub use planes::{gate, global_average};
pub use quantization::{extremes, fake_quantize, round_straight_through};

/// Sums that a reduction keeps side by side: enough for the widest vectors, and their rounding errors stay small.
const SUMS: usize = 16;

/// How a square window moves over a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub size: usize,
    /// Its step.
    pub stride: usize,
    /// Pixels of zero added on every side of the plane.
    pub padding: usize,
}

impl Window {
    /// The window of a matrix product.
    const POINT: Self = Self { size: 1, stride: 1, padding: 0 };

    /// Number of its places along `extent` pixels.
    const fn places(self, extent: usize) -> usize {
        (extent + 2 * self.padding - self.size) / self.stride + 1
    }
}

/// Operations of which the processor's backend has its own form.
#[backend_extension(Flex, Autodiff)]
pub trait Operators: Backend {
    /// See [`convolve`].
    fn convolve(input: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// See [`depthwise`].
    fn depthwise(input: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// Mean and variance of each channel, one tensor after the other, `[2, channels]`; not differentiated.
    fn moments(input: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`batch_norm`]. `moments` are of `input` itself where `of_batch`: gradients then go through them.
    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        options: NormalizeOptions,
    ) -> FloatTensor<Self>;

    /// See [`global_average`].
    fn global_average(input: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`gate`].
    fn gate(input: FloatTensor<Self>, gate: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`fake_quantize`]; `bounds` are below and above.
    fn fake_quantize(
        values: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bounds: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// See [`extremes`].
    fn extremes(values: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Weight and moments after a step of [`FusedAdamW`]; not differentiated.
    fn adamw(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// How [`Operators::normalize`] computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalizeOptions {
    /// Added to the variance.
    epsilon: f32,
    /// Whether the moments are those of the input itself, so that they have a gradient.
    of_batch: bool,
    /// Whether negative results become zero.
    relu: bool,
}

impl Operators for Flex {
    fn convolve(input: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        convolution::forward(&input, weight, window)
    }

    fn depthwise(input: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        depthwise::forward(&input, &weight, window)
    }

    fn moments(input: FloatTensor<Self>) -> FloatTensor<Self> {
        normalization::moments(&input)
    }

    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        options: NormalizeOptions,
    ) -> FloatTensor<Self> {
        normalization::forward(&input, &normalization::affine(&gamma, &beta, &moments, options), options)
    }

    fn global_average(input: FloatTensor<Self>) -> FloatTensor<Self> {
        planes::average(&input)
    }

    fn gate(input: FloatTensor<Self>, gate: FloatTensor<Self>) -> FloatTensor<Self> {
        planes::multiply(&input, &gate)
    }

    fn fake_quantize(
        values: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bounds: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        quantization::forward(&values, Steps::new(&scale, &bounds))
    }

    fn extremes(values: FloatTensor<Self>) -> FloatTensor<Self> {
        quantization::smallest_and_largest(&values)
    }

    fn adamw(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        adamw::step([weight, gradient, moment_1, moment_2], step).into()
    }
}

impl<C: CheckpointStrategy> Operators for Autodiff<Flex, C> {
    fn convolve(input: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        convolution::tracked::<C>(input, weight, window)
    }

    fn depthwise(input: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        depthwise::tracked::<C>(input, weight, window)
    }

    fn moments(input: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(normalization::moments(input.primitive()))
    }

    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        options: NormalizeOptions,
    ) -> FloatTensor<Self> {
        normalization::tracked::<C>(input, gamma, beta, moments, options)
    }

    fn global_average(input: FloatTensor<Self>) -> FloatTensor<Self> {
        planes::tracked_average::<C>(input)
    }

    fn gate(input: FloatTensor<Self>, gate: FloatTensor<Self>) -> FloatTensor<Self> {
        planes::tracked_gate::<C>(input, gate)
    }

    fn fake_quantize(
        values: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bounds: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        quantization::tracked::<C>(values, scale, &bounds)
    }

    fn extremes(values: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(quantization::smallest_and_largest(values.primitive()))
    }

    fn adamw(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let tensors = [weight, gradient, moment_1, moment_2].map(FloatTensor::<Self>::into_primitive);
        adamw::step(tensors, step).map(FloatTensor::<Self>::new).into()
    }
}

/// Burn's convolution, for other devices and to hold ours against.
fn by_burn(input: Tensor<4>, weight: Tensor<4>, window: Window, groups: usize) -> Tensor<4> {
    let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1, 1], groups);
    conv2d(input.swap_dims(0, 1), weight, None, options).swap_dims(0, 1)
}

/// Whether `tensor` is on the processor, in the precision that its operations here are written for.
fn is_on_processor<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.device().without_autodiff() == Device::flex() && tensor.dtype() == DType::F32
}

/// The `output` of an operation whose `gradient` is taken with `state`, where anything is tracked.
fn record<C: CheckpointStrategy, G: Backward<Flex, N>, const N: usize>(
    gradient: G,
    nodes: [NodeGuard; N],
    state: G::State,
    output: Primitive,
) -> FloatTensor<Autodiff<Flex, C>> {
    match gradient.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

/// A tensor of the processor's backend.
type Primitive = FloatTensor<Flex>;

/// The tensor with its elements in order, in memory of its own or of others who have it too.
fn contiguous(tensor: &Primitive) -> Primitive {
    tensor.to_contiguous()
}

/// Elements of a tensor that [`contiguous`] returned.
fn elements(tensor: &Primitive) -> &[f32] {
    tensor.as_slice().expect("the tensor was made contiguous, of single precision")
}

/// The same, to be written; copies them first where others have the tensor too.
fn elements_mut(tensor: &mut Primitive) -> &mut [f32] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("the tensor was made contiguous");
    &mut tensor.storage_mut()[start..end]
}

fn extents<const D: usize>(tensor: &Primitive) -> [usize; D] {
    tensor.layout().shape().dims()
}

fn primitive(values: Vec<f32>, shape: impl Into<Shape>) -> Primitive {
    Flex::float_from_data(TensorData::new(values, shape.into()), &Default::default())
}

#[cfg(test)]
mod tests;
