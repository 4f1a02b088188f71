//! Runs a network in tract once for its caches and once between marks, for an emulator to count; prints tract's version.
//!
//! The network comes as the JSON of `fude_trainer::device::trials::description`. It is built as tract's reader of ONNX
//! builds it: channels first, a convolution with a bias, the ReLU as a maximum; then tract optimises it. Weights and input
//! are made up: what they are does not change the work.

#[path = "../../../../../firmware/src/markers.rs"]
mod markers;

use std::{env, fs, hint};

use markers::{trial_begins, trial_ends};
use serde::Deserialize;
use tract_core::internal::*;
use tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_core::ops::math;
use tract_core::ops::nn::{DataFormat, Reduce, Reducer};

/// The version that `Cargo.toml` asks for.
const VERSION: &str = "0.23.9";

#[derive(Deserialize)]
struct Network {
    /// Height, width, channels, here and below.
    input: [usize; 3],
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    kind: Kind,
    size: usize,
    stride: usize,
    fan_in: usize,
    input: usize,
    second: Option<usize>,
    output: [usize; 3],
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Convolution,
    Depthwise,
    Dense,
    Mean,
    Gate,
    Add,
}

fn main() -> TractResult<()> {
    let path = env::args_os().nth(1).context("name the file of the network's description")?;
    let network: Network = serde_json::from_slice(&fs::read(path)?)?;
    let [height, width, channels] = network.input;
    let plan = build(&network)?.into_optimized()?.into_runnable()?;
    let glyph = values(&[1, channels, height, width], 1.0)?.into_tvalue();
    plan.run(tvec![glyph.clone()])?;
    trial_begins();
    let output = plan.run(tvec![glyph]);
    trial_ends();
    hint::black_box(output?);
    println!("{VERSION}");
    Ok(())
}

fn build(network: &Network) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let [height, width, channels] = network.input;
    let mut outputs = vec![model.add_source("glyph", f32::fact([1, channels, height, width]))?];
    for (index, layer) in network.layers.iter().enumerate() {
        let (name, input) = (format!("layer{index}"), outputs[layer.input]);
        let output = match layer.kind {
            Kind::Convolution | Kind::Depthwise | Kind::Dense => {
                let is_last = index + 1 == network.layers.len();
                let sums = convolution(&mut model, &name, input, layer)?;
                if layer.kind == Kind::Dense || is_last { sums } else { relu(&mut model, &name, sums)? }
            }
            Kind::Mean => mean(&mut model, &name, input)?,
            Kind::Gate | Kind::Add => {
                let second = outputs[layer.second.context("a layer of two inputs")?];
                let operator = if layer.kind == Kind::Gate { math::mul() } else { math::add() };
                model.wire_node(name, operator, &[input, second])?[0]
            }
        };
        outputs.push(output);
    }
    model.select_output_outlets(&outputs[outputs.len() - 1..])?;
    Ok(model)
}

/// A convolution of any kind; a dense layer is one of a single pixel.
fn convolution(model: &mut TypedModel, name: &str, input: OutletId, layer: &Layer) -> TractResult<OutletId> {
    let (size, outputs) = (layer.size, layer.output[2]);
    let is_depthwise = layer.kind == Kind::Depthwise;
    let inputs = if is_depthwise { outputs } else { layer.fan_in / (size * size) };
    let group = if is_depthwise { outputs } else { 1 };
    let spread = (layer.fan_in as f32).powf(-0.5);
    let weights =
        model.add_const(format!("{name}.weights"), values(&[outputs, inputs / group, size, size], spread)?)?;
    let bias = model.add_const(format!("{name}.bias"), values(&[outputs], 0.1)?)?;
    let padding: TVec<usize> = tvec![size / 2; 2];
    let pool = PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: tvec![size; 2],
        padding: PaddingSpec::Explicit(padding.clone(), padding),
        dilations: None,
        strides: Some(tvec![layer.stride; 2]),
        input_channels: inputs,
        output_channels: outputs,
    };
    let operator = Conv::new(pool, KernelFormat::OIHW, group, None);
    Ok(model.wire_node(name, operator, &[input, weights, bias])?[0])
}

fn relu(model: &mut TypedModel, name: &str, input: OutletId) -> TractResult<OutletId> {
    let zero = model.add_const(format!("{name}.zero"), tensor0(0_f32).broadcast_into_rank(4)?)?;
    Ok(model.wire_node(format!("{name}.relu"), math::max(), &[input, zero])?[0])
}

fn mean(model: &mut TypedModel, name: &str, input: OutletId) -> TractResult<OutletId> {
    let pixels: TDim = model.outlet_fact(input)?.shape.iter().skip(2).product();
    let count = tensor0(pixels.to_usize()? as f32).broadcast_into_rank(4)?;
    let count = model.add_const(format!("{name}.count"), count)?;
    let sum = model.wire_node(format!("{name}.sum"), Reduce::new(tvec![2, 3], Reducer::Sum), &[input])?;
    Ok(model.wire_node(name, math::div(), &[sum[0], count])?[0])
}

/// Numbers between −`spread` and `spread`, none of them zero.
fn values(shape: &[usize], spread: f32) -> TractResult<Tensor> {
    let count = shape.iter().product::<usize>() as u32;
    let numbers = (0..count).map(|index| {
        let hash = (index + 1).wrapping_mul(0x9E37_79B1) >> 8;
        (hash as f32 / (1 << 23) as f32 - 1.0 + f32::EPSILON) * spread
    });
    Tensor::from_shape(shape, &numbers.collect::<Vec<f32>>())
}
