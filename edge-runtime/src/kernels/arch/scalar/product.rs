//! Matrix products: the safe side of `product.s` and `vector.s`.

use super::narrow;
use crate::kernels::{pieces, pieces_mut};
use crate::layout::scalar::{GROUP, TAPS, VECTOR_GROUPS, VECTOR_TAPS, WINDOWS, matrix_groups};
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Negated sums of a group, `[channel][window]`, as the assembly leaves them.
type Sums = [i32; GROUP * WINDOWS];

/// What `fude_scalar_product` is told beside its operands.
#[repr(C)]
struct Plan {
    stride: usize,
    groups: usize,
    sums: *mut Sums,
    fresh: u32,
}

/// The arguments of `fude_scalar_requantise`.
#[repr(C)]
struct Finish {
    end: *const Sums,
    sums: *const Sums,
    bias: *const i32,
    multipliers: *const i32,
    outputs: *mut i8,
    addend: i32,
    drop: u32,
    distance: usize,
}

unsafe extern "C" {
    fn fude_scalar_pack(windows: *const i8, distance: usize, taps: usize, packed: *mut i32);
    fn fude_scalar_product(packed: *const i32, weights: *const i8, taps: usize, plan: *const Plan);
    fn fude_scalar_requantise(arguments: *const Finish);
    fn fude_scalar_vector(window: *const i32, weights: *const i8, taps: usize, start: i32, sums: *mut [i32; GROUP]);
}

/// A layer whose lengths fit each other, and its working memory.
struct Product<'a> {
    parameters: LayerParameters<'a>,
    taps: usize,
    rule: Requantization,
    /// Channels that make up whole groups.
    grouped: usize,
    /// 1 + min(taps, `TAPS`) pairs.
    packed: &'a mut [i32],
    /// `matrix_groups(taps)` of them.
    sums: &'a mut [Sums],
}

/// The outputs of windows of `taps` elements, three at a time, packed in `scratch`.
pub fn windows(
    mut windows: &[i8],
    taps: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
    scratch: &mut [u8],
) {
    let channels = parameters.bias.len();
    let mut place = 0;
    // Not in pieces of a slice: their number is a division, for which these cores have a slow instruction or none.
    if let Some(mut product) = Product::new(parameters, taps, rule, scratch) {
        while let Some((three, rest)) = windows.split_at_checked(WINDOWS * taps)
            && let Some(outputs) = outputs.get_mut(place..place + WINDOWS * channels)
        {
            product.three_windows(three, outputs);
            windows = rest;
            place += WINDOWS * channels;
        }
    }
    while let Some((window, rest)) = windows.split_at_checked(taps.max(1))
        && let Some(outputs) = outputs.get_mut(place..place + channels)
    {
        one_window(window, parameters, scratch, &mut |channel, sums| {
            let (outputs, multipliers) = (outputs.get_mut(channel..), parameters.multipliers.get(channel..));
            let places = outputs.unwrap_or_default().iter_mut().zip(multipliers.unwrap_or_default());
            for ((place, &multiplier), &sum) in places.zip(sums) {
                *place = rule.apply(sum, multiplier) as i8;
            }
        });
        windows = rest;
        place += channels;
    }
}

impl<'a> Product<'a> {
    /// `None` where lengths do not fit.
    fn new(parameters: &LayerParameters<'a>, taps: usize, rule: Requantization, scratch: &'a mut [u8]) -> Option<Self> {
        let LayerParameters { bias, multipliers, weights } = *parameters;
        let channels = bias.len();
        let words = bytemuck::try_cast_slice_mut(scratch).ok()?;
        let (packed, sums) = words.split_at_mut_checked(2 * (1 + taps.min(TAPS)))?;
        let sums = sums.as_chunks_mut().0.get_mut(..matrix_groups(taps))?;
        let fits = taps > 0 && multipliers.len() == channels && weights.len() == taps * channels;
        fits.then_some(Self { parameters: *parameters, taps, rule, grouped: channels / GROUP * GROUP, packed, sums })
    }

    /// The outputs of three windows, one behind the other, into as many rows.
    fn three_windows(&mut self, windows: &[i8], outputs: &mut [i8]) {
        let LayerParameters { bias, multipliers, weights } = self.parameters;
        let (taps, channels) = (self.taps, bias.len());
        if windows.len() != WINDOWS * taps || outputs.len() != WINDOWS * channels {
            return;
        }
        let mut channel = 0;
        while channel < self.grouped {
            let groups = ((self.grouped - channel) / GROUP).min(self.sums.len());
            let mut tap = 0;
            while tap < taps {
                let count = (taps - tap).min(TAPS);
                let sums = self.sums.as_mut_ptr();
                let plan = Plan { stride: GROUP * taps, groups, sums, fresh: u32::from(tap == 0) };
                let weights = weights.as_ptr().wrapping_add(channel * taps + GROUP * tap);
                // SAFETY: the code reads `count` taps from `tap` on of three windows that have `taps`, and writes a pair of
                // words for each of them and one more: count ≤ `TAPS`, and ≤ taps. Then it reads these, and of the weights
                // `count` taps of each of `groups` groups that lie `stride` bytes apart, which the layer has; and writes the
                // sums of as many groups, for which there is room. It keeps to the procedure call standard.
                unsafe {
                    // A short window is packed once for all channels.
                    if channel == 0 || taps > TAPS {
                        fude_scalar_pack(windows.as_ptr().add(tap), taps, count, self.packed.as_mut_ptr());
                    }
                    fude_scalar_product(self.packed.as_ptr(), weights, count, &plan);
                }
                tap += count;
            }
            let sums = self.sums.as_ptr();
            let arguments = Finish {
                end: sums.wrapping_add(groups),
                sums,
                bias: bias.as_ptr().wrapping_add(channel),
                multipliers: multipliers.as_ptr().wrapping_add(channel),
                outputs: outputs.as_mut_ptr().wrapping_add(channel),
                addend: self.rule.addend(),
                drop: self.rule.drop().into(),
                distance: channels,
            };
            // SAFETY: from `channel` on there are GROUP · groups biases and multipliers, and as many places in each of three
            // rows of outputs. It keeps to the procedure call standard.
            unsafe { fude_scalar_requantise(&arguments) };
            channel += GROUP * groups;
        }
        narrow(&mut *outputs, self.rule);
        if self.grouped < channels {
            self.remaining_channels(windows, outputs);
        }
    }

    /// The channels that fill no group.
    #[inline(never)]
    fn remaining_channels(&self, windows: &[i8], outputs: &mut [i8]) {
        let LayerParameters { bias, multipliers, weights } = self.parameters;
        for (window, outputs) in pieces(windows, self.taps).zip(pieces_mut(outputs, bias.len())) {
            let rows = pieces(weights, self.taps).zip(bias).zip(multipliers);
            for (place, ((row, &bias), &multiplier)) in outputs.iter_mut().zip(rows).skip(self.grouped) {
                *place = self.rule.apply(bias + dot(window, row), multiplier) as i8;
            }
        }
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
    let LayerParameters { bias, weights, .. } = *parameters;
    let (taps, channels) = (window.len(), bias.len());
    let words = bytemuck::try_cast_slice_mut(scratch).unwrap_or_default();
    let Some((sums, wide)) = words.split_at_mut_checked(VECTOR_GROUPS * GROUP) else { return };
    let Some(wide) = wide.get_mut(..taps.min(VECTOR_TAPS)) else { return };
    if weights.len() != taps * channels || !weights.as_ptr().addr().is_multiple_of(align_of::<u32>()) {
        return;
    }
    let mut start = if taps <= VECTOR_TAPS { widen(window, wide) } else { 0 };
    let in_groups = channels / GROUP * GROUP;
    let Some((grouped, rest)) = weights.split_at_checked(in_groups * taps) else { return };
    let Some((grouped_bias, rest_bias)) = bias.split_at_checked(in_groups) else { return };
    let mut channel = 0;
    for (weights, bias) in
        grouped.chunks((VECTOR_GROUPS * GROUP * taps).max(1)).zip(grouped_bias.chunks(VECTOR_GROUPS * GROUP))
    {
        let Some(sums) = sums.get_mut(..bias.len()) else { return };
        sums.copy_from_slice(bias);
        for (index, part) in window.chunks(VECTOR_TAPS).enumerate() {
            if taps > VECTOR_TAPS {
                start = widen(part, wide);
            }
            let groups = weights.chunks_exact((GROUP * taps).max(1)).zip(sums.as_chunks_mut::<GROUP>().0);
            for (weights, sums) in groups {
                let weights = weights.as_ptr().wrapping_add(GROUP * VECTOR_TAPS * index);
                // SAFETY: the code reads a word for each element of the part, which has been widened, and as many words of
                // the group's weights from this part's on, in which there are `taps` of them: words are aligned, as the
                // weights were checked to be; and adds to four sums. It keeps to the procedure call standard.
                unsafe { fude_scalar_vector(wide.as_ptr(), weights, part.len(), start, sums) };
            }
        }
        emit(channel, sums);
        channel += sums.len();
    }
    for (row, &bias) in pieces(rest, taps).zip(rest_bias) {
        emit(channel, &[bias + dot(window, row)]);
        channel += 1;
    }
}

/// Widens elements to words; returns what takes away the 128 by which weights are too large.
#[inline(never)]
fn widen(elements: &[i8], words: &mut [i32]) -> i32 {
    let mut sum = 0;
    for (word, &element) in words.iter_mut().zip(elements) {
        *word = element.into();
        sum += *word;
    }
    -128 * sum
}

/// A window times a row of weights as they are.
#[inline(never)]
fn dot(window: &[i8], row: &[i8]) -> i32 {
    window.iter().zip(row).map(|(&x, &weight)| i32::from(x) * i32::from(weight)).sum()
}
