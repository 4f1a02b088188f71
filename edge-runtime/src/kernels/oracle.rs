//! The naive truth: every operator by its definition, one output element at a time, in 128-bit integers.
//!
//! Nothing here is shared with the kernels but the description of the graph. Slow by design.

use std::vec;
use std::vec::Vec;

use crate::graph::{Graph, Layer, Operator, PoolKind, Tensor, Window};
use crate::package::LayerParameters;

/// Computes one layer from its inputs' elements (`second` is the gate or the other addend).
pub fn layer(
    graph: &Graph,
    layer: &Layer,
    parameters: &LayerParameters<'_>,
    input: &[i32],
    second: &[i32],
) -> Vec<i32> {
    let tensor = |id: u8| &graph.tensors[usize::from(id)];
    let (from, to) = (tensor(layer.input), tensor(layer.output));
    let mut result = vec![0; to.elements()];
    for (index, place) in result.iter_mut().enumerate() {
        let channel = index % usize::from(to.channels);
        let at = index / usize::from(to.channels);
        let (row, column) = (at / usize::from(to.width), at % usize::from(to.width));
        let full = (to.element.range().0 as i16, to.element.range().1 as i16);
        *place = match layer.operator {
            Operator::Convolution { window, parameters: p } => {
                let mut sum = i128::from(parameters.bias[channel]);
                for (tap, (y, x)) in taps(window, row, column).enumerate() {
                    for input_channel in 0..usize::from(from.channels) {
                        let weight = (channel * window.area() + tap) * usize::from(from.channels) + input_channel;
                        sum += i128::from(parameters.weights[weight]) * padded(input, from, y, x, input_channel);
                    }
                }
                rule(sum, parameters.multipliers[channel], p.shift, to, p.bounds)
            }
            Operator::Depthwise { window, parameters: p } => {
                let mut sum = i128::from(parameters.bias[channel]);
                for (tap, (y, x)) in taps(window, row, column).enumerate() {
                    let weight = parameters.weights[tap * usize::from(to.channels) + channel];
                    sum += i128::from(weight) * padded(input, from, y, x, channel);
                }
                rule(sum, parameters.multipliers[channel], p.shift, to, p.bounds)
            }
            Operator::Dense { parameters: p } => {
                let row = &parameters.weights[channel * input.len()..][..input.len()];
                let products = row.iter().zip(input).map(|(&w, &x)| i128::from(w) * i128::from(x));
                let sum = i128::from(parameters.bias[channel]) + products.sum::<i128>();
                rule(sum, parameters.multipliers[channel], p.shift, to, p.bounds)
            }
            Operator::Pool { window, kind } => {
                let values = taps(window, row, column).map(|(y, x)| padded(input, from, y, x, channel));
                match kind {
                    PoolKind::Max => values.max().unwrap_or(0) as i32,
                    PoolKind::Average { multiplier, shift } => {
                        let sum = values.map(|value| value - i128::from(from.zero_point)).sum::<i128>();
                        rule(16 * sum, multiplier, shift, to, full)
                    }
                }
            }
            Operator::Gate { gate, multiplier, shift } => {
                let value = i128::from(input[index]) - i128::from(from.zero_point);
                let gate = i128::from(second[channel]) - i128::from(tensor(gate).zero_point);
                rule(value * gate, multiplier, shift, to, full)
            }
            Operator::Add { other, multipliers, shift, bounds } => {
                let a = (i128::from(input[index]) - i128::from(from.zero_point)) * i128::from(multipliers.0);
                let b = (i128::from(second[index]) - i128::from(tensor(other).zero_point)) * i128::from(multipliers.1);
                rule(a + b, 1, shift, to, bounds)
            }
        };
    }
    result
}

/// Input coordinates of a window's taps in the order of the weights; they may lie outside the input.
fn taps(window: Window, row: usize, column: usize) -> impl Iterator<Item = (isize, isize)> {
    let top = (row * usize::from(window.stride.0)) as isize - window.pad_rows.0 as isize;
    let left = (column * usize::from(window.stride.1)) as isize - window.pad_columns.0 as isize;
    let (rows, columns) = (window.size.0 as isize, window.size.1 as isize);
    (0..rows).flat_map(move |y| (0..columns).map(move |x| (top + y, left + x)))
}

fn padded(data: &[i32], tensor: &Tensor, y: isize, x: isize, channel: usize) -> i128 {
    let inside = (0..tensor.height as isize).contains(&y) && (0..tensor.width as isize).contains(&x);
    if !inside {
        return i128::from(tensor.zero_point);
    }
    let pixel = y as usize * usize::from(tensor.width) + x as usize;
    i128::from(data[pixel * usize::from(tensor.channels) + channel])
}

/// The requantisation rule by its definition, with a division instead of a shift.
fn rule(sum: i128, multiplier: i32, shift: u8, output: &Tensor, bounds: (i16, i16)) -> i32 {
    let denominator = 1_i128 << shift;
    let rounded = (2 * sum * i128::from(multiplier) + denominator).div_euclid(2 * denominator);
    (rounded + i128::from(output.zero_point)).clamp(i128::from(bounds.0), i128::from(bounds.1)) as i32
}
