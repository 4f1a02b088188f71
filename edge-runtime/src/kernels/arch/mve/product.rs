//! Matrix products: the safe side of `product.s` and `vector.s`.

use core::arch::global_asm;

use super::GROUP;
use super::elements::{Saturating, dot, narrow, requantize};
use crate::package::LayerParameters;
use crate::quant::Requantization;

global_asm!(include_str!("product.s"), options(raw));
global_asm!(include_str!("vector.s"), options(raw));

/// The arguments of `product.s`. Distances between pointers are in bytes and may wrap.
#[repr(C)]
struct Arguments {
    rule: Saturating,
    first_window: *const i8,
    bias_to_multipliers: usize,
    second_window: *const i8,
    output_to_second: usize,
    bias_end: *const i32,
    passes: usize,
    /// The loop's address: filled in by the code.
    entry: usize,
    head: usize,
    weights: *const i8,
    bias: *const i32,
    pairs: usize,
    /// From the end of a pair's first outputs to those of the next pair.
    output_step: usize,
    window_step: usize,
    output: *mut i8,
    first_pass: usize,
}

/// The arguments of `vector.s`.
#[repr(C)]
struct VectorArguments {
    window: *const i8,
    passes: usize,
    weights: *const i8,
    /// From a group of weights to the one that is multiplied beside it, and to the next.
    second_group: usize,
    group: usize,
    bias: *const i32,
    bias_end: *const i32,
    sums: *mut i32,
    head: usize,
    first_pass: usize,
}

unsafe extern "C" {
    fn fude_mve_matrix_whole(arguments: *const Arguments);
    fn fude_mve_matrix_partial(arguments: *const Arguments);
    fn fude_mve_matrix_whole_loop(arguments: *const Arguments);
    fn fude_mve_matrix_partial_loop(arguments: *const Arguments);
    fn fude_mve_vector(arguments: *const VectorArguments);
}

/// Taps that are multiplied at once.
const LANES: usize = 16;
/// Times sixteen taps that a pass of the loops takes.
const UNROLLED: usize = 4;

/// How the taps of a row are gone through.
#[derive(Clone, Copy)]
struct Course {
    /// Taps before the loop, 1 to 16.
    head: usize,
    /// Sixteens in the loop, its passes, and the sixteens of the first, which may be fewer.
    sixteens: usize,
    passes: usize,
    first_pass: usize,
}

impl Course {
    /// Of rows of one tap or more.
    const fn new(taps: usize) -> Self {
        let sixteens = (taps - 1) / LANES;
        let (passes, first_pass) = match sixteens {
            // One pass of nothing.
            0 => (1, 0),
            _ => (sixteens.div_ceil(UNROLLED), (sixteens - 1) % UNROLLED + 1),
        };
        Self { head: taps - sixteens * LANES, sixteens, passes, first_pass }
    }
}

/// The outputs of windows of `taps` elements, two at a time.
pub fn windows(
    windows: &[i8],
    taps: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let channels = bias.len();
    let count = outputs.len().checked_div(channels).unwrap_or(0);
    if count == 1 {
        one_window(windows.get(..taps).unwrap_or_default(), parameters, &mut |channel, sums| {
            let (multipliers, outputs) = (multipliers.get(channel..), outputs.get_mut(channel..));
            requantize(sums, multipliers.unwrap_or_default(), rule, outputs.unwrap_or_default());
        });
        return narrow(outputs, rule);
    }
    if count == 0 || taps == 0 || multipliers.len() < channels {
        return;
    }
    // Divided, so that no product of lengths wraps.
    if windows.len() / taps < count || weights.len() / taps < channels {
        return;
    }
    let grouped = channels / GROUP * GROUP;
    let course = Course::new(taps);
    let code = match (course.head, course.sixteens) {
        (LANES, 0) => fude_mve_matrix_whole,
        (LANES, _) => fude_mve_matrix_whole_loop,
        (_, 0) => fude_mve_matrix_partial,
        _ => fude_mve_matrix_partial_loop,
    };
    // `second` is 1, or 0 where both windows of a pair are one, and so are both outputs.
    let mut run = |first: usize, pairs: usize, second: usize| {
        let window = windows.as_ptr().wrapping_add(first * taps);
        let arguments = Arguments {
            rule: Saturating::new(rule),
            first_window: window,
            bias_to_multipliers: multipliers.as_ptr().addr().wrapping_sub(bias.as_ptr().addr()),
            second_window: window.wrapping_add(second * taps),
            output_to_second: second * channels,
            bias_end: bias.as_ptr().wrapping_add(grouped),
            passes: course.passes,
            entry: 0,
            head: course.head,
            weights: weights.as_ptr(),
            bias: bias.as_ptr(),
            pairs,
            output_step: 2 * channels - grouped,
            window_step: 2 * taps,
            output: outputs.as_mut_ptr().wrapping_add(first * channels),
            first_pass: course.first_pass,
        };
        // SAFETY: the code reads 2 · pairs windows of `taps` bytes from `first` on, or one where `second` is 0, and for each
        // all whole groups of four channels: 4 · taps weights, 4 biases and 4 multipliers. It writes 4 bytes a group to as
        // many rows of outputs. There are `count` windows and rows, and their numbers and those of the parameters were
        // compared above. There is at least one pair and one group. It keeps to the procedure call standard.
        unsafe { code(&arguments) };
    };
    if grouped > 0 {
        run(0, count / 2, 1);
        if count % 2 == 1 {
            run(count - 1, 1, 0);
        }
    }
    for channel in grouped..channels {
        let (Some(&bias), Some(&multiplier)) = (bias.get(channel), multipliers.get(channel)) else { return };
        let weights = piece(weights, channel, taps);
        for index in 0..count {
            if let Some(output) = outputs.get_mut(index * channels + channel) {
                *output = rule.apply(bias + dot(piece(windows, index, taps), weights), multiplier) as i8;
            }
        }
    }
    narrow(outputs, rule);
}

/// The accumulators of one window, some at a time with the first one's channel to `emit`.
pub fn one_window(window: &[i8], parameters: &LayerParameters<'_>, emit: &mut dyn FnMut(usize, &[i32])) {
    /// Channels whose sums are on the stack at a time.
    const AT_ONCE: usize = 16 * GROUP;
    let LayerParameters { bias, weights, .. } = *parameters;
    let (taps, channels) = (window.len(), bias.len());
    if taps == 0 || weights.len() / taps < channels {
        return;
    }
    let course = Course::new(taps);
    let mut sums = [0; AT_ONCE];
    let mut channel = 0;
    let (grouped, _) = bias.split_at(channels / GROUP * GROUP);
    for (bias, weights) in grouped.chunks(AT_ONCE).zip(weights.chunks((AT_ONCE * taps).max(1))) {
        let mut run = |first: usize, bias: &[i32], second_group: usize| {
            let arguments = VectorArguments {
                window: window.as_ptr(),
                passes: course.passes,
                weights: weights.as_ptr().wrapping_add(first * taps),
                second_group,
                group: GROUP * taps,
                bias: bias.as_ptr(),
                bias_end: bias.as_ptr().wrapping_add(bias.len()),
                sums: sums.as_mut_ptr().wrapping_add(first),
                head: course.head,
                first_pass: course.first_pass,
            };
            // SAFETY: for every eight biases, of which there is a multiple, the code reads `taps` bytes of the window and two
            // groups of 4 · taps weights, from those of channel `first` on, and writes eight sums from there on. The weights
            // are as many as the channels of this chunk have; a last group without another is both groups of its eight. Of
            // sums there are `AT_ONCE`, a multiple of eight as is `first`. It keeps to the procedure call standard.
            unsafe { fude_mve_vector(&arguments) };
        };
        let (pairs, last) = bias.split_at(bias.len() / (2 * GROUP) * (2 * GROUP));
        if !pairs.is_empty() {
            run(0, pairs, GROUP * taps);
        }
        if let Some(&[a, b, c, d]) = last.first_chunk::<GROUP>() {
            run(pairs.len(), &[a, b, c, d, 0, 0, 0, 0], 0);
        }
        emit(channel, sums.get(..bias.len()).unwrap_or_default());
        channel += bias.len();
    }
    for (channel, &bias) in bias.iter().enumerate().skip(grouped.len()) {
        emit(channel, &[bias + dot(window, piece(weights, channel, taps))]);
    }
}

/// The elements of the piece at `index`, all of `length`.
fn piece(elements: &[i8], index: usize, length: usize) -> &[i8] {
    elements.get(index * length..(index + 1) * length).unwrap_or_default()
}
