//! Writing a fake-quantised network as an INT8 package.

use fude_runtime::graph::{ElementType, Graph, Layer, Operator, Parameters, PoolKind, Tensor, Window, plan_arena};
use fude_runtime::limits::{MAX_LAYERS, MAX_TENSORS};
use fude_runtime::package::PackageBuilder;
use fude_runtime::quant::{MAX_ADDITION_SHIFT, MAX_SHIFT, MIN_SHIFT};
use thiserror::Error;

use super::fake::{SMALLEST_SCALE, WEIGHT_LIMIT};
use super::{Grid, RangeSource};
use crate::model::{self, Activation, Network, Operation, Shape};
use crate::tensors::floats;

/// Biases stay below this magnitude, half of what the package reader accepts: the zero point is folded in
/// afterwards.
const BIAS_LIMIT: f64 = (1_u32 << 29) as f64;

/// Why a network cannot be lowered.
#[derive(Debug, Error)]
pub enum LowerError {
    /// More nodes than a package may have layers.
    #[error("the network has {0} nodes, a package at most {MAX_LAYERS}; use a smaller architecture")]
    TooManyNodes(usize),
    /// A number is not finite: training diverged.
    #[error("node {node} has a weight, bias or range that is not finite: training diverged; lower the learning rate")]
    NotFinite {
        /// Which node.
        node: usize,
    },
}

/// The integer form of a network: the graph, and a package builder that holds its parameters.
#[derive(Debug)]
pub struct Lowered {
    /// Tensors, layers and memory plan.
    pub graph: Graph,
    /// The weight section.
    pub builder: PackageBuilder,
}

/// Lowers `network` with activation ranges from `source`.
///
/// # Errors
/// Where the network is too long for a package, or not finite.
pub fn lower(network: &Network, source: RangeSource) -> Result<Lowered, LowerError> {
    let architecture = network.architecture();
    let shapes = architecture.shapes();
    if architecture.nodes.len() > MAX_LAYERS.min(MAX_TENSORS - 1) {
        return Err(LowerError::TooManyNodes(architecture.nodes.len()));
    }
    // Pixel p is the integer p − 128.
    let mut grids = vec![Grid { scale: 1.0 / 255.0, zero_point: i16::from(i8::MIN) }];
    grids.extend(network.ranges.iter().map(|range| range.grid(source)));

    let mut graph = Graph::default();
    let last = shapes.len() - 1;
    for (index, (shape, grid)) in shapes.iter().zip(&grids).enumerate() {
        let element = if index == last { ElementType::Int16 } else { ElementType::Int8 };
        // The length was checked above.
        let _ = graph.tensors.push(tensor(shape, grid, element));
    }

    let mut builder = PackageBuilder::new();
    let mut layers = network.layers.iter();
    for (index, node) in architecture.nodes.iter().enumerate() {
        let (from, to) = (grids[node.input], grids[index + 1]);
        let (input, output) = (graph.tensors[node.input], graph.tensors[index + 1]);
        if !to.scale.is_finite() {
            return Err(LowerError::NotFinite { node: index });
        }
        let operator = match node.operation {
            Operation::Convolution { .. } | Operation::Depthwise { .. } => {
                let layer = layers.next().expect("one layer for every node with weights");
                let rule = ChannelRule { from, to, activation: node.operation.activation() };
                let weights = IntegerWeights::of(layer, &rule).ok_or(LowerError::NotFinite { node: index })?;
                let parameters = weights.push(&mut builder, &rule, &output, &node.operation);
                with_weights(&node.operation, &input, parameters)
            }
            Operation::GlobalAverage => {
                let window = Window {
                    size: (input.height as u8, input.width as u8),
                    stride: (1, 1),
                    pad_rows: (0, 0),
                    pad_columns: (0, 0),
                };
                let scale = f64::from(from.scale) / (f64::from(to.scale) * window.area() as f64);
                let (shift, multipliers) = fixed_point(&[scale]);
                Operator::Pool { window, kind: PoolKind::Average { multiplier: multipliers[0], shift } }
            }
            Operation::Gate { gate } => {
                let scale = f64::from(from.scale) * f64::from(grids[gate].scale) / f64::from(to.scale);
                let (shift, multipliers) = fixed_point(&[scale]);
                Operator::Gate { gate: gate as u8, multiplier: multipliers[0], shift }
            }
            Operation::Add { other } => {
                let scales = [from.scale, grids[other].scale].map(|scale| f64::from(scale) / f64::from(to.scale));
                let (shift, [a, b]) = addition_fixed_point(scales);
                let bounds = (i16::from(i8::MIN), i16::from(i8::MAX));
                Operator::Add { other: other as u8, multipliers: (a, b), shift, bounds }
            }
        };
        let _ = graph.layers.push(Layer { operator, input: node.input as u8, output: index as u8 + 1 });
    }
    plan_arena(&mut graph);
    Ok(Lowered { graph, builder })
}

fn tensor(shape: &Shape, grid: &Grid, element: ElementType) -> Tensor {
    Tensor {
        height: shape.height as u16,
        width: shape.width as u16,
        channels: shape.channels as u16,
        element,
        zero_point: grid.zero_point,
        scale: grid.scale,
        offset: 0,
    }
}

fn with_weights(operation: &Operation, input: &Tensor, parameters: Parameters) -> Operator {
    match *operation {
        Operation::Convolution { size: 1, .. } if (input.height, input.width) == (1, 1) => {
            Operator::Dense { parameters }
        }
        Operation::Depthwise { size, stride, padding } => {
            Operator::Depthwise { window: Window::square(size as u8, stride as u8, padding as u8), parameters }
        }
        Operation::Convolution { size, stride, padding, .. } => {
            Operator::Convolution { window: Window::square(size as u8, stride as u8, padding as u8), parameters }
        }
        Operation::GlobalAverage | Operation::Gate { .. } | Operation::Add { .. } => {
            unreachable!("called for nodes with weights only")
        }
    }
}

/// How accumulators of a layer become its output.
struct ChannelRule {
    from: Grid,
    to: Grid,
    activation: Activation,
}

/// Weights and biases as integers, output channel by output channel.
struct IntegerWeights {
    /// `[out][in][row][column]`, as in training.
    weights: Vec<i8>,
    /// `[out, in, rows, columns]`.
    shape: [usize; 4],
    bias: Vec<i32>,
    /// Real value of one accumulator step over one output step, a channel.
    scales: Vec<f64>,
}

impl IntegerWeights {
    /// Rounds a layer; `None` where a number is not finite.
    fn of(layer: &model::Layer, rule: &ChannelRule) -> Option<Self> {
        let (weight, bias) = layer.folded();
        let shape = weight.dims();
        let (weight, bias) = (floats(weight), floats(bias));
        // A hard sigmoid is (x + 3) / 6 between 0 and 1: an offset, a factor, and the bounds.
        let (offset, divisor) = match rule.activation {
            Activation::HardSigmoid => (3.0, 6.0),
            Activation::Linear | Activation::Relu => (0.0, 1.0),
        };
        let input_scale = f64::from(rule.from.scale);
        let mut integers = Self { weights: Vec::with_capacity(weight.len()), shape, bias: vec![], scales: vec![] };
        for (channel, &bias) in weight.chunks_exact(weight.len() / shape[0]).zip(&bias) {
            if !bias.is_finite() || channel.iter().any(|weight| !weight.is_finite()) {
                return None;
            }
            let real_bias = f64::from(bias) + offset;
            let largest = channel.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            // A channel of tiny weights beside a large bias takes the scale that its bias fits into.
            let scale =
                (largest / WEIGHT_LIMIT).max(SMALLEST_SCALE).max((real_bias.abs() / (input_scale * BIAS_LIMIT)) as f32);
            let first = integers.weights.len();
            integers.weights.extend(channel.iter().map(|weight| (weight / scale).round_ties_even() as i8));
            let sum: i64 = integers.weights[first..].iter().map(|&weight| i64::from(weight)).sum();
            let step = input_scale * f64::from(scale);
            let folded = (real_bias / step).round() as i64 - i64::from(rule.from.zero_point) * sum;
            integers.bias.push(folded as i32);
            integers.scales.push(step / (f64::from(rule.to.scale) * divisor));
        }
        Some(integers)
    }

    /// Stores the parameters in the device's order and says where they are.
    fn push(
        &self,
        builder: &mut PackageBuilder,
        rule: &ChannelRule,
        output: &Tensor,
        operation: &Operation,
    ) -> Parameters {
        let (shift, multipliers) = fixed_point(&self.scales);
        let (min, max) = output.element.range();
        let min = if rule.activation == Activation::Relu { i32::from(output.zero_point) } else { min };
        let offset = builder.push_parameters(&self.bias, &multipliers, &self.device_order(operation));
        Parameters { offset, shift, bounds: (min as i16, max as i16) }
    }

    /// `[out][row][column][in]` for convolutions, `[row][column][channel]` for depthwise ones.
    fn device_order(&self, operation: &Operation) -> Vec<i8> {
        let [outputs, inputs, rows, columns] = self.shape;
        let taps = rows * columns;
        let at = |output: usize, input: usize, tap: usize| self.weights[(output * inputs + input) * taps + tap];
        match operation {
            Operation::Depthwise { .. } => {
                (0..taps).flat_map(|tap| (0..outputs).map(move |channel| at(channel, 0, tap))).collect()
            }
            _ => (0..outputs)
                .flat_map(|output| (0..taps).flat_map(move |tap| (0..inputs).map(move |input| at(output, input, tap))))
                .collect(),
        }
    }
}

/// One shift for all `scales`, as many digits as the largest allows, and a multiplier for each.
fn fixed_point(scales: &[f64]) -> (u8, Vec<i32>) {
    let largest = scales.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let shift = (30.0 - largest.log2().floor()).clamp(f64::from(MIN_SHIFT), f64::from(MAX_SHIFT));
    let multiplier = |scale: &f64| (scale * shift.exp2()).round().min(f64::from(i32::MAX)) as i32;
    (shift as u8, scales.iter().map(multiplier).collect())
}

/// Shift and multipliers of an addition.
fn addition_fixed_point(scales: [f64; 2]) -> (u8, [i32; 2]) {
    let largest = scales[0].max(scales[1]).max(f64::MIN_POSITIVE);
    // Multipliers stay below 2^21, rounding included.
    let shift = (19.0 - largest.log2().floor()).clamp(1.0, f64::from(MAX_ADDITION_SHIFT));
    (shift as u8, scales.map(|scale| (scale * shift.exp2()).round() as i32))
}
