//! Writing a fake-quantised network as an INT8 package.

use fude_runtime::graph::{ElementType, Graph, Layer, Operator, Parameters, PoolKind, Tensor, Window, plan_arena};
use fude_runtime::layout::WeightLayout;
use fude_runtime::limits::{MAX_LAYERS, MAX_TENSORS};
use fude_runtime::package::PackageBuilder;
use fude_runtime::quant::{AVERAGE_GAIN, MAX_ADDEND_MULTIPLIER, MAX_ADDITION_SHIFT, MAX_SHIFT};
use thiserror::Error;

use super::fake::{SMALLEST_SCALE, WEIGHT_LIMIT};
use super::{Grid, RangeSource};
use crate::model::{self, Activation, Network, Operation, Shape};
use crate::tensors::floats;

/// Biases stay below this magnitude, half of what the package reader accepts: the zero point is folded in
/// afterwards.
const BIAS_LIMIT: f64 = (1_u32 << 29) as f64;

/// Real scales that the requantisation rule takes lie below this, those of an addition below the other.
const SCALE_LIMIT: f64 = 0.25;
const ADDITION_SCALE_LIMIT: f64 = (1 << 20) as f64;
/// Where a scale can be chosen, it stays below [`SCALE_LIMIT`] by more than the rounding to `f32`.
const LARGEST_SCALE: f64 = 0.2499;

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
    /// A tensor's range is so narrow beside its inputs' that the integer rule cannot reach it.
    #[error(
        "node {node} would magnify its accumulator {scale:.3e} times, the integer rule takes less than {limit}: the \
         range of its output is too narrow; train longer, or calibrate with more images"
    )]
    NarrowRange {
        /// Which node.
        node: usize,
        /// Output steps an accumulator step.
        scale: f64,
        /// What the rule takes, exclusive.
        limit: f64,
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
/// Where the network is too long for a package or not finite, or a tensor's range is too narrow.
pub fn lower(network: &Network, source: RangeSource) -> Result<Lowered, LowerError> {
    let architecture = network.architecture();
    let shapes = architecture.shapes();
    if architecture.nodes.len() > MAX_LAYERS.min(MAX_TENSORS - 1) {
        return Err(LowerError::TooManyNodes(architecture.nodes.len()));
    }
    // Pixel p is the integer p − 128.
    let mut grids = vec![Grid { scale: 1.0 / 255.0, zero_point: i16::from(i8::MIN) }];
    grids.extend(network.ranges.iter().map(|range| range.grid(source)));

    let last = shapes.len() - 1;
    if let (Some(node), Some(layer)) = (architecture.nodes.last(), network.layers.last()) {
        grids[last].scale = grids[last].scale.max(finest_logit_scale(layer, grids[node.input]));
    }

    let mut graph = Graph::default();
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
                let fixed = fixed_point(index, &weights.scales)?;
                let parameters = weights.push(&mut builder, fixed, &rule, &output, &node.operation);
                with_weights(&node.operation, &input, parameters)
            }
            Operation::GlobalAverage => {
                let window = Window {
                    size: (input.height as u8, input.width as u8),
                    stride: (1, 1),
                    pad_rows: (0, 0),
                    pad_columns: (0, 0),
                };
                let terms = f64::from(AVERAGE_GAIN) * window.area() as f64;
                let scale = f64::from(from.scale) / (f64::from(to.scale) * terms);
                let (shift, multipliers) = fixed_point(index, &[scale])?;
                Operator::Pool { window, kind: PoolKind::Average { multiplier: multipliers[0], shift } }
            }
            Operation::Gate { gate } => {
                let scale = f64::from(from.scale) * f64::from(grids[gate].scale) / f64::from(to.scale);
                let (shift, multipliers) = fixed_point(index, &[scale])?;
                Operator::Gate { gate: gate as u8, multiplier: multipliers[0], shift }
            }
            Operation::Add { other, activation } => {
                let scales = [from.scale, grids[other].scale].map(|scale| f64::from(scale) / f64::from(to.scale));
                let (shift, [a, b]) = addition_fixed_point(index, scales)?;
                let bounds = bounds(activation, &output);
                Operator::Add { other: other as u8, multipliers: (a, b), shift, bounds }
            }
        };
        let _ = graph.layers.push(Layer { operator, input: node.input as u8, output: index as u8 + 1 });
    }
    plan_arena(&mut graph, WeightLayout::Portable);
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

/// Bounds of an output: a fused ReLU ends at the integer of zero.
fn bounds(activation: Activation, output: &Tensor) -> (i16, i16) {
    let (min, max) = output.element.range();
    let min = if activation == Activation::Relu { i32::from(output.zero_point) } else { min };
    (min as i16, max as i16)
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
            let output_step = f64::from(rule.to.scale) * divisor;
            // A channel of tiny weights beside a large bias takes the scale that its bias fits into. One whose
            // weights turn a single step of the input into dozens of the output (a batch normalisation that
            // divides by the spread of a dead input) has its largest weights cut.
            let scale = (largest / WEIGHT_LIMIT)
                .min((LARGEST_SCALE * output_step / input_scale) as f32)
                .max(SMALLEST_SCALE)
                .max((real_bias.abs() / (input_scale * BIAS_LIMIT)) as f32);
            let first = integers.weights.len();
            integers.weights.extend(
                channel
                    .iter()
                    .map(|weight| (weight / scale).round_ties_even().clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT) as i8),
            );
            let sum: i64 = integers.weights[first..].iter().map(|&weight| i64::from(weight)).sum();
            let step = input_scale * f64::from(scale);
            let folded = (real_bias / step).round() as i64 - i64::from(rule.from.zero_point) * sum;
            integers.bias.push(folded as i32);
            integers.scales.push(step / output_step);
        }
        Some(integers)
    }

    /// Stores the parameters in the device's order and says where they are.
    fn push(
        &self,
        builder: &mut PackageBuilder,
        (shift, multipliers): (u8, Vec<i32>),
        rule: &ChannelRule,
        output: &Tensor,
        operation: &Operation,
    ) -> Parameters {
        let offset = builder.push_parameters(&self.bias, &multipliers, &self.device_order(operation));
        Parameters { offset, shift, bounds: bounds(rule.activation, output) }
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

/// The finest scale of 16-bit logits that the requantisation rule reaches with the weights of `layer`.
///
/// Fewer bits of logits cost nothing; cutting the weights of classes would.
fn finest_logit_scale(layer: &model::Layer, from: Grid) -> f32 {
    let (weight, _) = layer.folded();
    let largest = floats(weight).into_iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    (f64::from(largest / WEIGHT_LIMIT) * f64::from(from.scale) / LARGEST_SCALE) as f32
}

/// One shift for all `scales`, as many digits as the largest allows, and a multiplier for each.
fn fixed_point(node: usize, scales: &[f64]) -> Result<(u8, Vec<i32>), LowerError> {
    let largest = largest_below(SCALE_LIMIT, node, scales)?;
    // At least `MIN_SHIFT`, as the largest scale is below 1/4.
    let shift = (30 - exponent(largest)).min(MAX_SHIFT.into());
    let multiplier = |scale: &f64| (scale * f64::from(shift).exp2()).round().min(f64::from(i32::MAX)) as i32;
    Ok((shift as u8, scales.iter().map(multiplier).collect()))
}

/// Shift and multipliers of an addition.
fn addition_fixed_point(node: usize, scales: [f64; 2]) -> Result<(u8, [i32; 2]), LowerError> {
    let largest = largest_below(ADDITION_SCALE_LIMIT, node, &scales)?;
    let shift = (20 - exponent(largest)).min(MAX_ADDITION_SHIFT.into());
    let limit = f64::from(MAX_ADDEND_MULTIPLIER - 1);
    Ok((shift as u8, scales.map(|scale| (scale * f64::from(shift).exp2()).round().min(limit) as i32)))
}

/// The largest of `scales`, of which none may reach `limit`.
fn largest_below(limit: f64, node: usize, scales: &[f64]) -> Result<f64, LowerError> {
    let scale = scales.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    if scale < limit { Ok(scale) } else { Err(LowerError::NarrowRange { node, scale, limit }) }
}

/// floor(log2(x)) of a normal positive number, the same on every host: its exponent field.
fn exponent(x: f64) -> i32 {
    (x.to_bits() >> 52) as i32 - 1023
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::{Device, Tensor as Real};
    use fude_runtime::quant::MIN_SHIFT;

    const INPUT: Grid = Grid { scale: 0.02, zero_point: -128 };

    /// A layer without batch normalisation: one row of weights an output channel.
    fn layer<const OUT: usize, const IN: usize>(weights: [[f32; IN]; OUT], bias: [f32; OUT]) -> model::Layer {
        let device = Device::flex();
        let weight = Real::<2>::from_floats(weights, &device).reshape([OUT, IN, 1, 1]);
        let bias = Real::<1>::from_floats(bias, &device);
        model::Layer { weight: Param::from_tensor(weight), norm: None, bias: Some(Param::from_tensor(bias)) }
    }

    #[test]
    fn multipliers_stay_within_the_rule() {
        for (scales, expected) in [
            ([0.249_999_999_99, 0.125], (MIN_SHIFT, [i32::MAX, 1 << 30])),
            ([0.125, 0.062_5], (MIN_SHIFT, [1 << 30, 1 << 29])),
            ([1e-7, 0.0], (MAX_SHIFT, [450_359_963, 0])),
            ([0.0, 1e-30], (MAX_SHIFT, [0, 0])),
        ] {
            let (shift, multipliers) = fixed_point(0, &scales).expect("below 1/4");
            assert_eq!((shift, multipliers.as_slice()), (expected.0, expected.1.as_slice()), "{scales:?}");
        }
        assert_eq!(addition_fixed_point(0, [1.0, 0.5]).expect("small"), (20, [1 << 20, 1 << 19]));
        assert_eq!(addition_fixed_point(0, [1e-9, 0.0]).expect("small"), (MAX_ADDITION_SHIFT, [1, 0]));
    }

    #[test]
    fn ranges_too_narrow_for_the_rule_are_refused_by_node() {
        for scales in [[0.1, 0.25], [f64::INFINITY, 0.1]] {
            let refused = fixed_point(7, &scales).expect_err("from 1/4 on").to_string();
            assert!(refused.starts_with("node 7 ") && refused.ends_with("calibrate with more images"), "{refused}");
        }
        assert!(matches!(addition_fixed_point(3, [0.0, 2e6]), Err(LowerError::NarrowRange { node: 3, .. })));
    }

    #[test]
    fn weights_that_magnify_are_cut_and_their_neighbours_stay() {
        let to = Grid { scale: 0.04, zero_point: 0 };
        let rule = ChannelRule { from: INPUT, to, activation: Activation::Linear };
        let integers = IntegerWeights::of(&layer([[200.0, 30.0], [0.5, -1.0]], [0.0; 2]), &rule).expect("finite");
        // A step of 0.2499 · 0.04 / 0.02: 30 are 60 of them, 200 are beyond 127.
        assert_eq!(integers.weights, [127, 60, 64, -127]);
        assert!(integers.scales[0] < SCALE_LIMIT && integers.scales[0] > 0.249, "{:?}", integers.scales);
        let bias_beyond_reach = IntegerWeights::of(&layer([[1.0]], [1e9]), &rule).expect("finite");
        assert!(fixed_point(0, &bias_beyond_reach.scales).is_err());
    }

    #[test]
    fn the_finest_logit_scale_is_just_within_the_rule() {
        let logits = layer([[3.0, -8.0], [1.0, 2.0]], [0.0; 2]);
        let to = Grid { scale: finest_logit_scale(&logits, INPUT), zero_point: 0 };
        let rule = ChannelRule { from: INPUT, to, activation: Activation::Linear };
        let integers = IntegerWeights::of(&logits, &rule).expect("finite");
        let (shift, _) = fixed_point(0, &integers.scales).expect("within the rule");
        assert_eq!((shift, &integers.weights[..2]), (MIN_SHIFT, &[48, -127][..]));
    }
}
