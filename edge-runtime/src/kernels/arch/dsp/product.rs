//! Matrix products: the safe side of `product.s` and `vector.s`.

use core::arch::global_asm;
use core::ptr;

use super::widen;
use super::{GROUP, INT8, repeated};
use crate::kernels::{pieces, pieces_mut, to_outputs};
use crate::package::LayerParameters;
use crate::quant::Requantization;

global_asm!(include_str!("product.s"), options(raw));
global_asm!(include_str!("vector.s"), options(raw));

/// The arguments of `product.s`.
#[repr(C)]
struct Arguments {
    tile: *const u32,
    weights: *const i8,
    bias: *const i32,
    multipliers: *const i32,
    groups: usize,
    outputs: [*mut i8; 2],
    addend: i32,
    drop: u32,
    bounds: [u32; 2],
    first_end: *const u32,
    last_end: *const u32,
    entry: usize,
    odd: usize,
    narrow: usize,
}

unsafe extern "C" {
    fn fude_dsp_product(arguments: *const Arguments);
    fn fude_dsp_vector(window: *const u32, weights: *const i8, taps: usize, groups: usize, sums: *mut i32);
}

/// Steps that the loop takes in a pass, and passes after which it must stop to take the sums apart.
const UNROLLED: usize = 8;
const PASSES: usize = 30;

/// The weights of a layer and a tile of two windows that they are multiplied by.
pub struct Product<'a> {
    parameters: LayerParameters<'a>,
    rule: Requantization,
    taps: usize,
    /// Of both windows in turn a word, which is two taps.
    pub tile: &'a mut [u32],
    arguments: Arguments,
}

impl<'a> Product<'a> {
    /// Windows of `taps` elements, whose tile is in `scratch`; `None` where a length contradicts another.
    pub fn new(
        taps: usize,
        parameters: &LayerParameters<'a>,
        rule: Requantization,
        scratch: &'a mut [u8],
    ) -> Option<Self> {
        let LayerParameters { bias, multipliers, weights } = *parameters;
        let channels = bias.len();
        let fits = multipliers.len() == channels
            && weights.len() == taps * channels
            && weights.as_ptr().addr().is_multiple_of(align_of::<u32>());
        let tile = bytemuck::try_cast_slice_mut(scratch).ok()?.get_mut(..2 * taps.div_ceil(2)).filter(|_| fits)?;

        let steps = taps / 2;
        let entry = steps % UNROLLED;
        let first_steps = entry + UNROLLED * (steps / UNROLLED).min(PASSES);
        let start: *const u32 = tile.as_ptr();
        let (min, max) = rule.bounds();
        let arguments = Arguments {
            tile: start,
            weights: weights.as_ptr(),
            bias: bias.as_ptr(),
            multipliers: multipliers.as_ptr(),
            groups: channels / GROUP,
            outputs: [ptr::null_mut(); 2],
            addend: rule.addend(),
            drop: rule.drop().into(),
            bounds: [repeated(min, 8), repeated(max, 8)],
            first_end: start.wrapping_add(2 * first_steps),
            last_end: start.wrapping_add(2 * steps),
            entry,
            odd: taps % 2,
            narrow: usize::from((min, max) != INT8),
        };
        Some(Self { parameters: *parameters, rule, taps, tile, arguments })
    }

    /// The outputs of both windows of the tile, which follow one another.
    pub fn two(&mut self, outputs: &mut [i8]) {
        let channels = self.parameters.bias.len();
        let Some((first, second)) = outputs.split_at_mut_checked(channels) else { return };
        if second.len() != channels {
            return;
        }
        self.multiply([first.as_mut_ptr(), second.as_mut_ptr()]);
        self.remaining(0, first);
        self.remaining(1, second);
    }

    /// The outputs of the first window of the tile.
    pub fn one(&mut self, outputs: &mut [i8]) {
        if outputs.len() == self.parameters.bias.len() {
            // The second window's go to the same place, before the first's.
            self.tile.as_chunks_mut::<2>().0.iter_mut().for_each(|[first, second]| *second = *first);
            self.multiply([outputs.as_mut_ptr(); 2]);
            self.remaining(0, outputs);
        }
    }

    /// The channels in groups; `outputs` have room for all channels each.
    fn multiply(&mut self, outputs: [*mut i8; 2]) {
        if self.arguments.groups > 0 {
            self.arguments.outputs = outputs;
            // SAFETY: the code reads 2 words a step and 2 more for an odd tap from the tile, which has 2 · ⌈taps / 2⌉ of
            // them; taps · 4 weights, 4 biases and 4 multipliers a group, of which there are channels / 4; and writes 4
            // bytes a group to each of the outputs. All have the lengths that `new` and the callers have checked. Words
            // are aligned: the tile by its type, the weights as checked, where a group has taps words. It keeps to the
            // procedure call standard.
            unsafe { fude_dsp_product(&self.arguments) };
        }
    }

    /// The channels that fill no group, of one window.
    fn remaining(&self, window: usize, outputs: &mut [i8]) {
        if self.arguments.groups * GROUP < self.parameters.bias.len() {
            self.row_by_row(window, outputs);
        }
    }

    #[cold]
    fn row_by_row(&self, window: usize, outputs: &mut [i8]) {
        let LayerParameters { bias, multipliers, weights } = self.parameters;
        for row in self.arguments.groups * GROUP..bias.len() {
            let weights = weights.get(row * self.taps..(row + 1) * self.taps).unwrap_or_default();
            let rule = (bias.get(row), multipliers.get(row));
            if let (Some(place), (Some(bias), Some(&multiplier))) = (outputs.get_mut(row), rule) {
                let words = self.tile.get(window..).unwrap_or_default().iter().step_by(2).copied();
                *place = self.rule.apply(bias + dot(words, weights), multiplier) as i8;
            }
        }
    }
}

/// The outputs of windows of `taps` elements, two at a time, widened in `scratch`.
pub fn windows(
    windows: &[i8],
    taps: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
    scratch: &mut [u8],
) {
    let channels = parameters.bias.len();
    let pairs = pieces(windows, 2 * taps);
    let last = pairs.remainder();
    let mut outputs = pieces_mut(outputs, 2 * channels);
    if let Some(mut product) = Product::new(taps, parameters, rule, scratch) {
        for (windows, outputs) in pairs.zip(outputs.by_ref()) {
            widen::two_windows(windows.split_at(taps.min(windows.len())), product.tile);
            product.two(outputs);
        }
    }
    if !last.is_empty() {
        let outputs = outputs.into_remainder();
        let mut emit = to_outputs(rule, parameters.multipliers, outputs, |result| result as i8);
        one_window(last, parameters, scratch, &mut emit);
    }
}

/// The accumulators of one window, some at a time with the first one's channel to `emit`; the window is widened in
/// `scratch`.
pub fn one_window(
    window: &[i8],
    parameters: &LayerParameters<'_>,
    scratch: &mut [u8],
    emit: &mut dyn FnMut(usize, &[i32]),
) {
    /// Groups whose sums are on the stack at a time.
    const AT_ONCE: usize = 8;
    let LayerParameters { bias, weights, .. } = *parameters;
    let (taps, channels) = (window.len(), bias.len());
    let Ok(words) = bytemuck::try_cast_slice_mut::<u8, u32>(scratch) else { return };
    let Some(words) = words.get_mut(..taps.div_ceil(2)) else { return };
    if weights.len() != taps * channels || !weights.as_ptr().addr().is_multiple_of(align_of::<u32>()) {
        return;
    }
    widen::one_window(window, words);
    let in_groups = channels / GROUP * GROUP;
    let (Some((grouped, rest)), Some((grouped_bias, rest_bias))) =
        (weights.split_at_checked(in_groups * taps), bias.split_at_checked(in_groups))
    else {
        return;
    };
    let mut channel = 0;
    let mut sums = [0; AT_ONCE * GROUP];
    for (weights, bias) in grouped.chunks((AT_ONCE * GROUP * taps).max(1)).zip(grouped_bias.chunks(AT_ONCE * GROUP)) {
        // SAFETY: the code reads ⌈taps / 2⌉ words of the window; taps · 4 weights a group, as many as this chunk has for
        // each four of its biases; and writes 4 sums a group, of which there are at most `AT_ONCE`. Words are aligned:
        // the window's by its type, the weights as checked. It keeps to the procedure call standard.
        unsafe { fude_dsp_vector(words.as_ptr(), weights.as_ptr(), taps, bias.len() / GROUP, sums.as_mut_ptr()) };
        let sums = sums.get_mut(..bias.len()).unwrap_or_default();
        sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
        emit(channel, sums);
        channel += sums.len();
    }
    for (row, &bias) in pieces(rest, taps).zip(rest_bias) {
        emit(channel, &[bias + dot(words.iter().copied(), row)]);
        channel += 1;
    }
}

/// A row of weights of its own, in the order of the window's words, times these.
fn dot(words: impl Iterator<Item = u32>, weights: &[i8]) -> i32 {
    let halves = words.flat_map(|word| [word as i16, (word >> 16) as i16]);
    halves.zip(weights).map(|(x, &weight)| i32::from(x) * i32::from(weight)).sum()
}
