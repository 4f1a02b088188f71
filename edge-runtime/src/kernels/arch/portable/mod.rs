//! Plain Rust for every target; the compiler vectorises it where it can.

pub mod depthwise;

use super::InstructionSet;
use crate::graph::{Tensor, Window};
use crate::kernels::{Place, View, pieces, pieces_mut};
use crate::layout::WeightLayout;
use crate::limits::MAX_FAN_IN;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Plain Rust.
pub struct Portable;

impl InstructionSet for Portable {
    const LAYOUT: WeightLayout = WeightLayout::Portable;

    fn matrix_product(
        windows: &[i8],
        taps: usize,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        outputs: &mut [i8],
        _scratch: &mut [u8],
    ) {
        let mut products = pieces(windows, taps).zip(pieces_mut(outputs, parameters.bias.len()));
        // Two windows at a time halve the loads.
        while let Some((first, outputs)) = products.next() {
            match products.next() {
                Some((second, outputs2)) => two_windows((first, second), parameters, rule, (outputs, outputs2)),
                None => one_window(first, parameters, rule, outputs),
            }
        }
    }

    fn vector_product(
        window: &[i8],
        parameters: &LayerParameters<'_>,
        _scratch: &mut [u8],
        emit: &mut dyn FnMut(usize, &[i32]),
    ) {
        accumulators(window, parameters).enumerate().for_each(|(channel, accumulator)| emit(channel, &[accumulator]));
    }

    fn depthwise(
        (input, output): (&Tensor, &Tensor),
        place: Place<'_>,
        window: Window,
        parameters: &LayerParameters<'_>,
        rule: Requantization,
        _scratch: &mut [u8],
    ) {
        // The planner has given it two tensors: this layout has no ring.
        if let Place::Apart { input: data, output: outputs } = place {
            depthwise::depthwise(View { tensor: input, data }, window, parameters, rule, (output, outputs));
        }
    }
}

/// The outputs of two windows.
fn two_windows(
    (x0, x1): (&[i8], &[i8]),
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (outputs0, outputs1): (&mut [i8], &mut [i8]),
) {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let ((bias, last_bias), (multipliers, last_multiplier)) = (bias.as_chunks::<2>(), multipliers.as_chunks::<2>());
    let (outputs0, last0) = outputs0.as_chunks_mut::<2>();
    let (outputs1, last1) = outputs1.as_chunks_mut::<2>();
    // The clamp changes nothing: from it the compiler sees that two rows are never empty and always split.
    let taps = x0.len().clamp(1, MAX_FAN_IN);
    let mut rows = pieces(weights, 2 * taps);
    let places = outputs0.iter_mut().zip(outputs1);
    for (((places, rows), bias), multipliers) in places.zip(rows.by_ref()).zip(bias).zip(multipliers) {
        let (row0, row1) = rows.split_at(taps);
        let sums = dot2x2([x0, x1], [row0, row1]);
        for row in 0..2 {
            places.0[row] = rule.apply(sums[0][row] + bias[row], multipliers[row]) as i8;
            places.1[row] = rule.apply(sums[1][row] + bias[row], multipliers[row]) as i8;
        }
    }
    let last = LayerParameters { bias: last_bias, multipliers: last_multiplier, weights: rows.remainder() };
    one_window(x0, &last, rule, last0);
    one_window(x1, &last, rule, last1);
}

/// The outputs of one window.
fn one_window(x: &[i8], parameters: &LayerParameters<'_>, rule: Requantization, outputs: &mut [i8]) {
    let places = outputs.iter_mut().zip(parameters.multipliers);
    for ((place, &multiplier), accumulator) in places.zip(accumulators(x, parameters)) {
        *place = rule.apply(accumulator, multiplier) as i8;
    }
}

/// The accumulators of one window, channel by channel.
fn accumulators(x: &[i8], parameters: &LayerParameters<'_>) -> impl Iterator<Item = i32> {
    pieces(parameters.weights, x.len()).zip(parameters.bias).map(move |(row, &bias)| bias + dot(x, row))
}

#[inline]
fn dot(x: &[i8], w: &[i8]) -> i32 {
    let ((x, rest_x), (w, rest_w)) = (x.as_chunks::<8>(), w.as_chunks::<8>());
    let mut sum = 0;
    for (x, w) in x.iter().zip(w) {
        for i in 0..8 {
            sum += i32::from(x[i]) * i32::from(w[i]);
        }
    }
    for (&x, &w) in rest_x.iter().zip(rest_w) {
        sum += i32::from(x) * i32::from(w);
    }
    sum
}

#[inline]
fn dot2x2(x: [&[i8]; 2], w: [&[i8]; 2]) -> [[i32; 2]; 2] {
    let mut sums = [[0; 2]; 2];
    let mut add = |x: [i8; 2], w: [i8; 2]| {
        let (x, w) = (x.map(i32::from), w.map(i32::from));
        sums[0][0] += x[0] * w[0];
        sums[0][1] += x[0] * w[1];
        sums[1][0] += x[1] * w[0];
        sums[1][1] += x[1] * w[1];
    };
    // In fours: fewer addresses to keep than in the compiler's own unrolling, so that a core of 13 registers
    // keeps the sums in them.
    let [(x0, rest_x0), (x1, rest_x1)] = x.map(|x| x.as_chunks::<4>());
    let [(w0, rest_w0), (w1, rest_w1)] = w.map(|w| w.as_chunks::<4>());
    for (((x0, x1), w0), w1) in x0.iter().zip(x1).zip(w0).zip(w1) {
        for i in 0..4 {
            add([x0[i], x1[i]], [w0[i], w1[i]]);
        }
    }
    for (((&x0, &x1), &w0), &w1) in rest_x0.iter().zip(rest_x1).zip(rest_w0).zip(rest_w1) {
        add([x0, x1], [w0, w1]);
    }
    sums
}
