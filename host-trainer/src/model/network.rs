//! An architecture with weights, computed by Burn.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer};
use burn::tensor::{Device, FloatDType, Tensor, activation};

use super::{Activation, Architecture, DropoutKey, Operation};
use crate::operators::{Window, add_bias, batch_norm, convolve, depthwise, gate, global_average};
use crate::quantize::{Range, RangeKind, RangeSource, fake_quantize_weights};

/// How a forward pass computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Floating point with batch normalisation as a step of its own.
    Float,
    /// The same with the operands of convolutions rounded to bfloat16, for GPUs with units for it. Sums, normalisation
    /// and weights stay in single precision.
    Bfloat16,
    /// Floating point with batch normalisation folded into the weights.
    Folded,
    /// Folded, with weights and activations rounded to the integers that the device will use.
    FakeQuantized(RangeSource),
}

/// Weights of a node.
#[derive(Module, Debug)]
pub struct Layer {
    /// `[out, in, rows, columns]`; a depthwise convolution has `in` = 1.
    pub weight: Param<Tensor<4>>,
    /// Batch normalisation, where the node has it.
    pub norm: Option<BatchNorm>,
    /// Bias, where no batch normalisation follows.
    pub bias: Option<Param<Tensor<1>>>,
}

/// An architecture with weights and, once quantisation has been trained, activation ranges.
#[derive(Module, Debug)]
pub struct Network {
    /// Weights of the nodes that have some, in the order of the nodes.
    pub layers: Vec<Layer>,
    /// Activation ranges, one a node.
    pub ranges: Vec<Range>,
    #[module(skip)]
    architecture: Architecture,
}

impl Network {
    /// A network with random weights: He et al. (2015) for ReLU, drawn from the device's seed.
    pub fn new(architecture: Architecture, device: &Device) -> Self {
        let shapes = architecture.shapes();
        let nodes = architecture.nodes.iter();
        let layers = nodes.clone().filter_map(|node| Layer::new(&node.operation, shapes[node.input].channels, device));
        let last = architecture.nodes.len() - 1;
        let ranges = nodes.enumerate().map(|(index, node)| {
            let kind = match node.operation.activation() {
                _ if index == last => RangeKind::Logits,
                Activation::HardSigmoid => RangeKind::Gate,
                Activation::Linear | Activation::Relu => RangeKind::Observed,
            };
            Range::new(kind, device)
        });
        Self { layers: layers.collect(), ranges: ranges.collect(), architecture }
    }

    /// The list of nodes.
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Logits `[batch, classes]` of glyphs `[batch, 1, height, width]` with ink 1 on 0.
    pub fn forward(&self, glyphs: Tensor<4>, mode: Mode) -> Tensor<2> {
        logits(self.compute(glyphs, mode, None))
    }

    /// The same in a step of training: with the architecture's dropout, whose masks are drawn from `key`.
    pub fn forward_training(&self, glyphs: Tensor<4>, mode: Mode, key: DropoutKey) -> Tensor<2> {
        logits(self.compute(glyphs, mode, Some(key)))
    }

    /// All tensors of a forward pass, the input first, each `[batch, channels, height, width]`.
    pub fn forward_all(&self, glyphs: Tensor<4>, mode: Mode) -> Vec<Tensor<4>> {
        self.compute(glyphs, mode, None).into_iter().map(|tensor| tensor.swap_dims(0, 1)).collect()
    }

    /// All tensors, each `[channels, batch, height, width]`.
    fn compute(&self, glyphs: Tensor<4>, mode: Mode, dropout: Option<DropoutKey>) -> Vec<Tensor<4>> {
        let [batch, _, height, width] = glyphs.dims();
        let mut tensors = vec![glyphs.reshape([1, batch, height, width])];
        let mut layers = self.layers.iter();
        for (node, range) in self.architecture.nodes.iter().zip(&self.ranges) {
            let input = tensors[node.input].clone();
            let result = match node.operation {
                Operation::Convolution { .. } | Operation::Depthwise { .. } => {
                    let layer = layers.next().expect("one layer for every node with weights");
                    layer.forward(input, &node.operation, mode)
                }
                Operation::GlobalAverage => global_average(input),
                Operation::Gate { gate: by } => gate(input, tensors[by].clone()),
                Operation::Add { other, activation } => activate(input + tensors[other].clone(), activation),
            };
            let result = match mode {
                Mode::FakeQuantized(source) => range.fake_quantize(result, source),
                Mode::Float | Mode::Bfloat16 | Mode::Folded => result,
            };
            let dropped = dropout.zip(self.architecture.dropout.iter().find(|dropped| dropped.tensor == tensors.len()));
            tensors.push(match dropped {
                Some((key, dropped)) => key.apply(result, *dropped),
                None => result,
            });
        }
        tensors
    }
}

/// The last tensor, `[classes, batch, 1, 1]`, as `[batch, classes]`.
fn logits(mut tensors: Vec<Tensor<4>>) -> Tensor<2> {
    let logits = tensors.pop().expect("an architecture has nodes");
    let [classes, batch, ..] = logits.dims();
    logits.reshape([classes, batch]).transpose()
}

impl Layer {
    fn new(operation: &Operation, input_channels: usize, device: &Device) -> Option<Self> {
        let (shape, batch_norm) = match *operation {
            Operation::Convolution { channels, size, batch_norm, .. } => {
                ([channels, input_channels, size, size], batch_norm)
            }
            Operation::Depthwise { size, .. } => ([input_channels, 1, size, size], true),
            _ => return None,
        };
        let fan_in = shape[1] * shape[2] * shape[3];
        let initializer = Initializer::KaimingNormal { gain: 2.0_f64.sqrt(), fan_out_only: false };
        Some(Self {
            weight: initializer.init_with(shape, Some(fan_in), None, device),
            norm: batch_norm.then(|| BatchNormConfig::new(shape[0]).init(device)),
            bias: (!batch_norm).then(|| Initializer::Zeros.init([shape[0]], device)),
        })
    }

    /// Weights and bias with the batch normalisation folded in: `W·γ/σ` and `β − μ·γ/σ`, of its running
    /// statistics.
    pub fn folded(&self) -> (Tensor<4>, Tensor<1>) {
        let weight = self.weight.val();
        let Some(norm) = &self.norm else {
            let zeros = || Tensor::zeros([weight.dims()[0]], &weight.device());
            let bias = self.bias.as_ref().map_or_else(zeros, Param::val);
            return (weight, bias);
        };
        let deviation = (norm.running_var.value_sync() + norm.epsilon).sqrt();
        let factor = norm.gamma.val() / deviation;
        let bias = norm.beta.val() - norm.running_mean.value_sync() * factor.clone();
        let channels = factor.dims()[0];
        (weight * factor.reshape([channels, 1, 1, 1]), bias)
    }

    fn forward(&self, input: Tensor<4>, operation: &Operation, mode: Mode) -> Tensor<4> {
        let activation = operation.activation();
        // The operators know this one; another is applied afterwards.
        let relu = activation == Activation::Relu;
        let result = match (mode, &self.norm) {
            (Mode::Float, Some(norm)) => batch_norm(apply(operation, input, self.weight.val()), norm, relu),
            (Mode::Bfloat16, Some(norm)) => {
                let [input, weight] = [input, self.weight.val()].map(|operand| operand.cast(FloatDType::BF16));
                batch_norm(apply(operation, input, weight).cast(FloatDType::F32), norm, relu)
            }
            _ => {
                let (weight, bias) = self.folded();
                let weight = match mode {
                    Mode::Float | Mode::Bfloat16 | Mode::Folded => weight,
                    Mode::FakeQuantized(_) => fake_quantize_weights(weight),
                };
                add_bias(apply(operation, input, weight), bias, relu)
            }
        };
        if relu { result } else { activate(result, activation) }
    }
}

/// The convolution that `operation` is, without what follows it.
fn apply(operation: &Operation, input: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
    match *operation {
        Operation::Convolution { size, stride, padding, .. } => {
            convolve(input, weight, Window { size, stride, padding })
        }
        Operation::Depthwise { size, stride, padding } => depthwise(input, weight, Window { size, stride, padding }),
        _ => input,
    }
}

fn activate(tensor: Tensor<4>, kind: Activation) -> Tensor<4> {
    match kind {
        Activation::Linear => tensor,
        Activation::Relu => activation::relu(tensor),
        Activation::HardSigmoid => (tensor / 6.0 + 0.5).clamp(0.0, 1.0),
    }
}
