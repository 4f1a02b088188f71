//! One call of a kernel: a whole layer, or a band of it. Its tensors are found in the arena and handed over.

use core::ops::Range;

use super::arch::InstructionSet;
use super::pool::{finish_mean, mean_of_band, pool};
use super::{Place, View, dense, plain_requantization, requantization};
use crate::graph::{Band, Graph, Operator, Stage, Tensor, is_global_mean};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::Addition;

/// What a kernel is called with. The tensors of a band have its rows alone.
#[derive(Debug)]
pub struct Step {
    pub(super) operator: Operator,
    pub(super) input: Tensor,
    /// That of a gate or a sum; else of no meaning.
    pub(super) second: Tensor,
    pub(super) output: Tensor,
    scratch: Range<usize>,
    /// Of a band of a global mean.
    mean: Option<BandOfMean>,
}

/// A part of a global mean.
#[derive(Debug)]
struct BandOfMean {
    /// The sums so far, in the arena.
    sums: Range<usize>,
    is_first: bool,
    is_last: bool,
    /// Pixels of the whole input.
    pixels: usize,
}

impl Step {
    /// The layer at `index`, whole.
    #[inline(never)]
    pub(crate) fn whole(graph: &Graph, index: usize, layout: WeightLayout) -> Option<Self> {
        let layer = graph.layers.get(index)?;
        let (input, output) = (*graph.tensor(layer.input)?, *graph.tensor(layer.output)?);
        let second = layer.operator.second_input().map_or(Some(input), |id| graph.tensor(id).copied())?;
        let scratch = graph.scratch_range(index, layout);
        Some(Self { operator: layer.operator, input, second, output, scratch, mean: None })
    }

    /// A band of the layer at `index`, which is one of `stage`.
    pub(crate) fn band(graph: &Graph, stage: &Stage, index: usize, band: Band, layout: WeightLayout) -> Option<Self> {
        let mut step = Self::whole(graph, index, layout)?;
        let Band { rows, reads, padding, bases } = band;
        if is_global_mean(graph.layers.get(index)?, &step.input) {
            let (height, channels) = (usize::from(step.input.height), usize::from(step.input.channels));
            step.mean = Some(BandOfMean {
                sums: stage.sums as usize..stage.sums as usize + size_of::<i32>() * channels,
                is_first: rows.start == 0,
                is_last: rows.end == height,
                pixels: height * usize::from(step.input.width),
            });
        } else {
            step.output = step.output.rows(&rows, bases[2]);
        }
        step.input = step.input.rows(&reads, bases[0]);
        match &mut step.operator {
            Operator::Convolution { window, .. } | Operator::Depthwise { window, .. } => {
                window.pad_rows.0 = padding as u8;
            }
            Operator::Add { .. } => step.second = step.second.rows(&rows, bases[1]),
            _ => {}
        }
        Some(step)
    }

    /// The bytes that are written: none before the last band of a mean.
    pub(crate) fn written(&self) -> Range<usize> {
        let place = self.output.range();
        if self.mean.as_ref().is_some_and(|mean| !mean.is_last) { place.start..place.start } else { place }
    }
}

impl Tensor {
    /// Some of its rows, where the row `base` is the first in the arena.
    fn rows(&self, rows: &Range<usize>, base: usize) -> Self {
        let pitch = usize::from(self.width) * usize::from(self.channels);
        let offset = self.offset + (rows.start.saturating_sub(base) * pitch) as u32;
        Self { height: rows.len() as u16, offset, ..*self }
    }
}

/// Runs a step of a checked graph; `None` where the memory plan lets tensors overlap that may not.
pub(super) fn run<I: InstructionSet>(step: &Step, parameters: &LayerParameters<'_>, arena: &mut [u8]) -> Option<()> {
    let (input, output, second) = (&step.input, &step.output, &step.second);
    let scratch = step.scratch.clone();
    let view = |tensor, bytes| View { tensor, data: bytemuck::cast_slice(bytes) };

    match step.operator {
        Operator::Convolution { window, parameters: p } => {
            let [source, target, scratch] = parts(arena, [input.range(), output.range(), scratch])?;
            let (rule, target) = (requantization(&p, output), bytemuck::cast_slice_mut(target));
            if window.is_pointwise() {
                // The pixels themselves are the windows, all of them one matrix.
                let taps = input.channels.into();
                I::matrix_product(bytemuck::cast_slice(source), taps, parameters, rule, target, scratch);
            } else {
                I::convolution(view(input, source), window, parameters, rule, (output, target), scratch);
            }
        }
        Operator::Depthwise { window, parameters: p } => {
            let rule = requantization(&p, output);
            if input.range() == output.range() {
                let [data, scratch] = parts(arena, [output.range(), scratch])?;
                let place = Place::Same(bytemuck::cast_slice_mut(data));
                I::depthwise((input, output), place, window, parameters, rule, scratch);
            } else {
                let [source, target, scratch] = parts(arena, [input.range(), output.range(), scratch])?;
                let (source, target) = (bytemuck::cast_slice(source), bytemuck::cast_slice_mut(target));
                let place = Place::Apart { input: source, output: target };
                I::depthwise((input, output), place, window, parameters, rule, scratch);
            }
        }
        Operator::Dense { parameters: p } => {
            let [source, target, scratch] = parts(arena, [input.range(), output.range(), scratch])?;
            let rule = requantization(&p, output);
            dense::<I>(bytemuck::cast_slice(source), parameters, rule, output.element, target, scratch);
        }
        Operator::Pool { window, kind } => {
            let sums = step.mean.as_ref().map_or(0..0, |mean| mean.sums.clone());
            let [source, target, sums] = parts(arena, [input.range(), output.range(), sums])?;
            let (source, target) = (view(input, source), bytemuck::cast_slice_mut(target));
            match &step.mean {
                Some(mean) => {
                    let (sums, _) = sums.as_chunks_mut();
                    mean_of_band(source, sums, mean.is_first, I::add_pixels);
                    if mean.is_last {
                        finish_mean(sums, (input.zero_point, mean.pixels), kind, (output, target));
                    }
                }
                None => pool(source, window, kind, (output, target), I::add_pixels),
            }
        }
        Operator::Gate { multiplier, shift, .. } => {
            move_tensor(arena, input.range(), output.range())?;
            let [gates, target] = parts(arena, [second.range(), output.range()])?;
            let rule = plain_requantization(shift, output);
            let zero_point = i32::from(input.zero_point);
            I::gate(bytemuck::cast_slice_mut(target), zero_point, view(second, gates), multiplier, rule);
        }
        Operator::Add { multipliers, shift, bounds, .. } => {
            move_tensor(arena, input.range(), output.range())?;
            let [addend, target] = parts(arena, [second.range(), output.range()])?;
            let rule = Addition {
                input_zero_points: [input.zero_point.into(), second.zero_point.into()],
                multipliers: [multipliers.0, multipliers.1],
                shift,
                zero_point: output.zero_point.into(),
                min: bounds.0.into(),
                max: bounds.1.into(),
            };
            I::add(bytemuck::cast_slice_mut(target), bytemuck::cast_slice(addend), rule);
        }
    }
    Some(())
}

/// Copies a tensor to the place of another of its size, unless that is its own; `None` where the two overlap.
fn move_tensor(arena: &mut [u8], from: Range<usize>, to: Range<usize>) -> Option<()> {
    if from != to {
        let [source, target] = parts(arena, [from, to])?;
        (source.len() == target.len()).then(|| target.copy_from_slice(source))?;
    }
    Some(())
}

/// Parts of the arena; `None` where two overlap or one is outside.
#[inline(never)]
fn parts<const N: usize>(arena: &mut [u8], places: [Range<usize>; N]) -> Option<[&mut [u8]; N]> {
    arena.get_disjoint_mut(places).ok()
}
