//! One layer: finds its tensors in the arena and hands them to the kernel of its operator.

use core::ops::Range;

use super::arch::InstructionSet;
use super::{Place, View, add, dense, gate, plain_requantization, pool, requantization};
use crate::graph::{Graph, Layer, Operator};
use crate::package::LayerParameters;
use crate::quant::Addition;

/// Runs one layer of a checked graph and returns the bytes of its output; `None` where the memory plan lets tensors
/// overlap that may not.
pub(super) fn run<'m, I: InstructionSet>(
    graph: &Graph,
    layer: &Layer,
    parameters: &LayerParameters<'_>,
    arena: &'m mut [u8],
) -> Option<&'m [u8]> {
    let (input, output) = (graph.tensor(layer.input)?, graph.tensor(layer.output)?);
    let scratch_start = graph.scratch.0 as usize;
    let scratch = match graph.scratch_bytes(layer, I::LAYOUT) {
        0 => 0..0,
        bytes => scratch_start..scratch_start + bytes,
    };
    let view = |tensor, bytes| View { tensor, data: bytemuck::cast_slice(bytes) };

    match layer.operator {
        Operator::Convolution { window, parameters: p } => {
            let [source, target, scratch] = arena.get_disjoint_mut([input.range(), output.range(), scratch]).ok()?;
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
                let [data, scratch] = arena.get_disjoint_mut([output.range(), scratch]).ok()?;
                let place = Place::Same(bytemuck::cast_slice_mut(data));
                I::depthwise((input, output), place, window, parameters, rule, scratch);
            } else {
                let [source, target, scratch] =
                    arena.get_disjoint_mut([input.range(), output.range(), scratch]).ok()?;
                let (source, target) = (bytemuck::cast_slice(source), bytemuck::cast_slice_mut(target));
                let place = Place::Apart { input: source, output: target };
                I::depthwise((input, output), place, window, parameters, rule, scratch);
            }
        }
        Operator::Dense { parameters: p } => {
            let [source, target, scratch] = arena.get_disjoint_mut([input.range(), output.range(), scratch]).ok()?;
            let rule = requantization(&p, output);
            dense::<I>(bytemuck::cast_slice(source), parameters, rule, output.element, target, scratch);
        }
        Operator::Pool { window, kind } => {
            let [source, target] = arena.get_disjoint_mut([input.range(), output.range()]).ok()?;
            pool(view(input, source), window, kind, (output, bytemuck::cast_slice_mut(target)));
        }
        Operator::Gate { gate: by, multiplier, shift } => {
            let by = graph.tensor(by)?;
            move_tensor(arena, input.range(), output.range())?;
            let [gates, target] = arena.get_disjoint_mut([by.range(), output.range()]).ok()?;
            let rule = plain_requantization(shift, output);
            let zero_point = i32::from(input.zero_point);
            gate(bytemuck::cast_slice_mut(target), zero_point, view(by, gates), multiplier, rule);
        }
        Operator::Add { other, multipliers, shift, bounds } => {
            let other = graph.tensor(other)?;
            move_tensor(arena, input.range(), output.range())?;
            let [addend, target] = arena.get_disjoint_mut([other.range(), output.range()]).ok()?;
            let rule = Addition {
                input_zero_points: [input.zero_point.into(), other.zero_point.into()],
                multipliers: [multipliers.0, multipliers.1],
                shift,
                zero_point: output.zero_point.into(),
                min: bounds.0.into(),
                max: bounds.1.into(),
            };
            add(bytemuck::cast_slice_mut(target), bytemuck::cast_slice(addend), rule);
        }
    }
    arena.get(output.range())
}

/// Copies a tensor to the place of another of its size, unless that is its own; `None` where the two overlap.
fn move_tensor(arena: &mut [u8], from: Range<usize>, to: Range<usize>) -> Option<()> {
    if from != to {
        let [source, target] = arena.get_disjoint_mut([from, to]).ok()?;
        (source.len() == target.len()).then(|| target.copy_from_slice(source))?;
    }
    Some(())
}
