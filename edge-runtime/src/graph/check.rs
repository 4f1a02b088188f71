//! The part of the door that looks at the graph: after it, shapes, places and parameters agree, so no kernel
//! can be handed a slice of the wrong length.
//!
//! Functions are kept out of line where that was found to save flash.

use core::ops::Range;

use super::check_schedule::check_schedule;
use super::{ElementType, Graph, Layer, Operator, PoolKind, Tensor, TensorId};
use crate::layout::WeightLayout;
use crate::limits::{ALIGNMENT, MAX_ARENA, MAX_FAN_IN, MAX_SIDE, MAX_TENSOR_ELEMENTS};
use crate::quant::{MAX_ADDEND_MULTIPLIER, MAX_ADDITION_SHIFT, MAX_SHIFT, MIN_SHIFT};

/// What is wrong with a layer or a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LayerError {
    /// The graph has no tensor or no layer.
    Empty,
    /// A tensor index is outside the tensor list.
    UnknownTensor,
    /// A tensor has no elements or more than the runtime addresses.
    TensorSize,
    /// A zero point is outside the range of its element type (16-bit integers have 0), or a maximum changes it.
    ZeroPoint,
    /// A scale is not a positive number, or a maximum changes it.
    Scale,
    /// The shapes of inputs and output do not belong together, the input is not of one channel, or the
    /// logits are not `1×1×C`.
    Shape,
    /// An element type that the operator does not take.
    ElementType,
    /// A shift, multiplier or bound outside the requantisation rule.
    Requantization,
    /// Parameters lie outside the weight section or are misaligned.
    Parameters,
    /// A tensor lies outside the arena, or an output overlaps what is read.
    Arena,
    /// The scratch memory is too small, misaligned or overlaps a tensor in use.
    Scratch,
    /// A layer reads a tensor that no earlier layer has written, or that has been overwritten.
    Order,
    /// A stage has a layer that cannot run band by band, too little room for its bands, or overlaps another.
    Stage,
}

/// Checks a decoded graph against a weight section of `weight_bytes`, laid out as `layout` says, and an arena of
/// `arena_bytes`. On error names the layer (or `None` for the tensor list) and the problem.
pub fn check(
    graph: &Graph,
    layout: WeightLayout,
    weight_bytes: usize,
    arena_bytes: usize,
) -> Result<(), (Option<usize>, LayerError)> {
    let mut layer = None;
    check_all(graph, layout, (weight_bytes, arena_bytes), &mut layer).map_err(|problem| (layer, problem))
}

/// As [`check`]; `at` is the layer that is looked at.
fn check_all(
    graph: &Graph,
    layout: WeightLayout,
    (weight_bytes, arena_bytes): (usize, usize),
    at: &mut Option<usize>,
) -> Result<(), LayerError> {
    let (Some(input), Some(last)) = (graph.input(), graph.layers.len().checked_sub(1)) else {
        return Err(LayerError::Empty);
    };
    // Beyond this, places in 32 bits could wrap around.
    if arena_bytes > MAX_ARENA {
        return Err(LayerError::Arena);
    }
    for (id, tensor) in graph.tensors.iter().enumerate() {
        check_tensor(tensor)?;
        let is_inside = |place: Range<usize>| tensor.offset as usize <= arena_bytes && place.end <= arena_bytes;
        if !graph.place(id as TensorId).is_some_and(is_inside) {
            return Err(LayerError::Arena);
        }
    }
    same(input.channels, 1)?;
    for (index, layer) in graph.layers.iter().enumerate() {
        *at = Some(index);
        check_layer(graph, layer, index == last, weight_bytes)?;
    }
    check_schedule(graph, layout, arena_bytes, at)
}

fn check_tensor(tensor: &Tensor) -> Result<(), LayerError> {
    let sides = [tensor.height, tensor.width];
    // In 64 bits, as the product of unchecked extents passes the 32 of a board.
    let elements = u64::from(tensor.height) * u64::from(tensor.width) * u64::from(tensor.channels);
    if sides.iter().any(|&side| usize::from(side) > MAX_SIDE) || elements == 0 || elements > MAX_TENSOR_ELEMENTS as u64
    {
        return Err(LayerError::TensorSize);
    }
    let zero_points = match tensor.element {
        ElementType::Int8 => -128..=127,
        ElementType::Int16 => 0..=0,
    };
    if !zero_points.contains(&tensor.zero_point) {
        return Err(LayerError::ZeroPoint);
    }
    // As bits, since boards without a floating-point unit run this: positive and finite.
    if !(1..f32::INFINITY.to_bits()).contains(&tensor.scale.to_bits()) {
        return Err(LayerError::Scale);
    }
    Ok(())
}

#[inline(never)]
fn check_layer(graph: &Graph, layer: &Layer, is_last: bool, weight_bytes: usize) -> Result<(), LayerError> {
    let tensor = |id| graph.tensor(id).ok_or(LayerError::UnknownTensor);
    let (input, output) = (tensor(layer.input)?, tensor(layer.output)?);
    if input.element != ElementType::Int8 {
        return Err(LayerError::ElementType);
    }
    let logits = is_last && matches!(layer.operator, Operator::Dense { .. });
    if output.element != ElementType::Int8 && !logits {
        return Err(LayerError::ElementType);
    }
    if is_last {
        same((output.height, output.width), (1, 1))?;
    }

    if let Some(window) = layer.operator.window() {
        same(window.output_size(input.height, input.width), Some((output.height, output.width)))?;
    }
    match layer.operator {
        Operator::Convolution { window, .. } => check_fan_in(window.area() * usize::from(input.channels))?,
        Operator::Depthwise { .. } => same(input.channels, output.channels)?,
        Operator::Dense { .. } => {
            same((output.height, output.width), (1, 1))?;
            check_fan_in(input.elements())?;
        }
        Operator::Pool { window, kind } => {
            same((window.pad_rows, window.pad_columns), ((0, 0), (0, 0)))?;
            same(input.channels, output.channels)?;
            match kind {
                PoolKind::Max if input.zero_point != output.zero_point => return Err(LayerError::ZeroPoint),
                PoolKind::Max if input.scale.to_bits() != output.scale.to_bits() => return Err(LayerError::Scale),
                PoolKind::Max => {}
                PoolKind::Average { multiplier, shift } => check_rule(multiplier, shift)?,
            }
        }
        Operator::Gate { gate, multiplier, shift } => {
            let gate = tensor(gate)?;
            let one_per_channel = Tensor { height: 1, width: 1, ..*input };
            if !gate.same_shape(&one_per_channel) || !input.same_shape(output) || gate.element != ElementType::Int8 {
                return Err(LayerError::Shape);
            }
            check_rule(multiplier, shift)?;
        }
        Operator::Add { other, multipliers, shift, bounds } => {
            let other = tensor(other)?;
            if !input.same_shape(other) || !input.same_shape(output) || other.element != ElementType::Int8 {
                return Err(LayerError::Shape);
            }
            let valid = 0..MAX_ADDEND_MULTIPLIER;
            if !valid.contains(&multipliers.0)
                || !valid.contains(&multipliers.1)
                || !(1..=MAX_ADDITION_SHIFT).contains(&shift)
            {
                return Err(LayerError::Requantization);
            }
            check_bounds(bounds, output)?;
        }
    }

    if let Some(parameters) = layer.operator.parameters() {
        check_rule(0, parameters.shift)?;
        check_bounds(parameters.bounds, output)?;
        let bytes = graph.parameter_sizes(layer).ok_or(LayerError::Parameters)?.bytes();
        let offset = parameters.offset as usize;
        if !offset.is_multiple_of(ALIGNMENT) || offset > weight_bytes || bytes > weight_bytes - offset {
            return Err(LayerError::Parameters);
        }
    }
    Ok(())
}

fn same<T: PartialEq>(a: T, b: T) -> Result<(), LayerError> {
    if a == b { Ok(()) } else { Err(LayerError::Shape) }
}

fn check_fan_in(fan_in: usize) -> Result<(), LayerError> {
    if fan_in <= MAX_FAN_IN { Ok(()) } else { Err(LayerError::Shape) }
}

#[inline(never)]
fn check_rule(multiplier: i32, shift: u8) -> Result<(), LayerError> {
    let valid = multiplier >= 0 && (MIN_SHIFT..=MAX_SHIFT).contains(&shift);
    if valid { Ok(()) } else { Err(LayerError::Requantization) }
}

#[inline(never)]
fn check_bounds(bounds: (i16, i16), output: &Tensor) -> Result<(), LayerError> {
    let (min, max) = output.element.range();
    let (low, high) = (i32::from(bounds.0), i32::from(bounds.1));
    if min <= low && low <= high && high <= max { Ok(()) } else { Err(LayerError::Requantization) }
}
