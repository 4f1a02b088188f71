//! The search for stages: which layers run band by band, so that the arena has no more than so many bytes.
//!
//! Step by step, the change is taken that takes the most from the fullest layers: at first among those that cost nothing,
//! layers that become a stage as they are, and where these help no more, among those that compute something twice. Such a
//! one is the only way around squeeze and excitation, whose gate is known only after the whole of a tensor that it then
//! multiplies: a first stage adds the tensor up and forgets it, a second computes it again.

use core::fmt;
use core::ops::Range;
use std::vec::Vec;

use super::check_schedule::check_stage;
use super::plan::bytes_in_use;
use super::stage::Survey;
use super::{Graph, Layer, Operator, PoolKind, Stage, TensorId, Window, is_global_mean, plan_arena};
use crate::layout::WeightLayout;
use crate::limits::MAX_STAGE_LAYERS;

/// No stages bring an arena down to what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes that were asked for.
    pub limit: usize,
    /// Bytes of the smallest arena that was found.
    pub least: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, least } = self;
        write!(f, "the arena cannot have {limit} bytes; run band by band, the layers need {least}")
    }
}

impl core::error::Error for TooLarge {}

/// Makes stages of layers until the arena has at most `limit` bytes, and plans it for the kernels of `layout`. Stages that
/// the graph has already stay or grow; one that has room enough stays as it is. Bands are as many rows as there is room for.
/// The shapes of the graph are those that [`super::check`] passes; others may take for ever.
///
/// # Errors
/// [`TooLarge`]; the graph is then as it was.
///
/// # Panics
/// As [`plan_arena`].
pub fn fit_arena(graph: &mut Graph, layout: WeightLayout, limit: usize) -> Result<(), TooLarge> {
    let mut best = graph.clone();
    let mut bytes = plan_arena(&mut best, layout).arena_bytes;
    let mut least = bytes;
    while bytes > limit {
        let before = fullness(&best, layout);
        let better = |candidates: Vec<Graph>| {
            let rated = candidates.into_iter().map(|candidate| (fullness(&candidate, layout), candidate));
            rated.min_by(|a, b| a.0.cmp(&b.0)).filter(|(fullness, _)| *fullness < before)
        };
        let found = better(without_cost(&best)).or_else(|| better(computing_twice(&best)));
        let Some((_, candidate)) = found else { return Err(TooLarge { limit, least }) };
        best = candidate;
        bytes = plan_arena(&mut best, layout).arena_bytes;
        least = least.min(bytes);
    }
    widen_bands(&mut best, layout, limit);
    *graph = best;
    Ok(())
}

/// The bytes in use during each layer, the fullest first: the less, the better, from the first that differs on.
fn fullness(graph: &Graph, layout: WeightLayout) -> Vec<usize> {
    let mut bytes = bytes_in_use(graph, layout);
    bytes.sort_unstable_by(|a, b| b.cmp(a));
    bytes
}

/// Takes back stages that are not needed after all, and doubles the rows of bands while there is room: fewer calls, and fewer
/// rows that kernels lay out anew.
fn widen_bands(graph: &mut Graph, layout: WeightLayout, limit: usize) {
    let fits = |graph: &mut Graph| plan_arena(graph, layout).arena_bytes <= limit;
    for index in (0..graph.stages.len()).rev() {
        let mut without = graph.clone();
        without.stages.remove(index);
        if fits(&mut without) {
            *graph = without;
            continue;
        }
        loop {
            let stage = &graph.stages[index];
            let output = graph.layers.get(stage.layers().start).and_then(|layer| graph.tensor(layer.output));
            let is_whole = output.is_none_or(|tensor| stage.rows >= tensor.height);
            match with_stage(graph.clone(), stage.layers(), 2 * stage.rows) {
                Some(mut wider) if !is_whole => {
                    if !fits(&mut wider) {
                        break;
                    }
                    *graph = wider;
                }
                _ => break,
            }
        }
    }
}

/// The graph with a stage of `layers` in the place of those inside them; `None` where they make none.
fn with_stage(mut graph: Graph, layers: Range<usize>, rows: u16) -> Option<Graph> {
    let is_inside = |stage: &Stage| layers.start <= stage.layers().start && stage.layers().end <= layers.end;
    graph.stages.retain(|stage| !is_inside(stage));
    let overlaps = |stage: &Stage| stage.layers().start < layers.end && layers.start < stage.layers().end;
    if graph.stages.iter().any(overlaps) {
        return None;
    }
    if !(2..=MAX_STAGE_LAYERS).contains(&layers.len()) {
        return None;
    }
    let buffers = core::iter::repeat_n(u16::MAX, layers.len() - 1).collect();
    let mut stage = Stage { first: layers.start as u8, rows, sums: 0, buffers };
    let Survey { most_rows, .. } = check_stage(&graph, &stage)?;
    stage.buffers.iter_mut().zip(most_rows).for_each(|(buffer, most)| *buffer = most);
    let place = graph.stages.iter().position(|other| other.first > stage.first).unwrap_or(graph.stages.len());
    graph.stages.insert(place, stage).ok()?;
    Some(graph)
}

/// Every graph with one more stage, or a longer one.
fn without_cost(graph: &Graph) -> Vec<Graph> {
    let layers = graph.layers.len();
    let ends = |start: usize| (start + 2..=layers).map(move |end| start..end);
    (0..layers).flat_map(ends).filter_map(|layers| with_stage(graph.clone(), layers, 1)).collect()
}

/// Every graph in which a tensor that is gated by its own mean is computed twice.
fn computing_twice(graph: &Graph) -> Vec<Graph> {
    let gates = (0..graph.layers.len()).filter(|&index| matches!(graph.layers[index].operator, Operator::Gate { .. }));
    gates.flat_map(|gate| (0..gate).filter_map(move |first| gated_in_two_stages(graph, first, gate))).collect()
}

/// The graph in which the layers from `first` to the mean of the tensor that the layer at `gate` multiplies are a stage,
/// and run again in another with the gate and, if it follows, a sum.
fn gated_in_two_stages(graph: &Graph, first: usize, gate: usize) -> Option<Graph> {
    let gated = graph.layers[gate].input;
    let mean = (first..gate).find(|&index| {
        let layer = &graph.layers[index];
        layer.input == gated && graph.tensor(gated).is_some_and(|input| is_global_mean(layer, input))
    })?;
    let reads = |layer: &Layer, id| layer.reads().any(|read| read == id);
    let sum = graph.layers.get(gate + 1).filter(|next| {
        let result = graph.layers[gate].output;
        let readers = graph.layers.iter().filter(|layer| reads(layer, result)).count();
        matches!(next.operator, Operator::Add { .. }) && reads(next, result) && readers == 1
    });
    let last = gate + usize::from(sum.is_some());
    let source = graph.layers[first].input;
    let is_read_later = graph.layers[last + 1..].iter().any(|layer| reads(layer, source));

    let mut changed = graph.clone();
    changed.stages.retain(|stage| stage.layers().end <= first || last < stage.layers().start);
    let mut again: Vec<Layer> = Vec::new();
    // The names that tensors have in the second stage.
    let mut renamed: Vec<(TensorId, TensorId)> = Vec::new();
    let written = graph.tensor(graph.layers[last].output)?;
    if !is_read_later && graph.tensor(source)?.same_shape(written) {
        // The result can take the place of the source, whose rows are copied before they are written over.
        let copy = copy_of(&mut changed, source)?;
        let kind = PoolKind::Max;
        let operator = Operator::Pool { window: Window::square(1, 1, 0), kind };
        again.push(Layer { operator, input: source, output: copy });
        renamed.push((source, copy));
    }
    for (index, layer) in graph.layers.iter().enumerate().take(last + 1).skip(first) {
        if (mean..gate).contains(&index) {
            continue;
        }
        let new = |id: TensorId| renamed.iter().rev().find(|(old, _)| *old == id).map_or(id, |&(_, new)| new);
        let mut layer = Layer { input: new(layer.input), ..*layer };
        if let Operator::Add { other, .. } = &mut layer.operator {
            *other = new(*other);
        }
        if index < mean {
            let copy = copy_of(&mut changed, layer.output)?;
            renamed.push((layer.output, copy));
            layer.output = copy;
        }
        again.push(layer);
    }

    let (before, after) = (&graph.layers[..gate], &graph.layers[last + 1..]);
    let second = gate..gate + again.len();
    let inserted = second.end - (last + 1);
    changed.layers.clear();
    for layer in before.iter().chain(&again).chain(after) {
        changed.layers.push(*layer).ok()?;
    }
    for stage in changed.stages.iter_mut().filter(|stage| stage.layers().start > last) {
        stage.first += inserted as u8;
    }
    with_stage(with_stage(changed, first..mean + 1, 1)?, second, 1)
}

/// A new tensor like that at `id`.
fn copy_of(graph: &mut Graph, id: TensorId) -> Option<TensorId> {
    let tensor = *graph.tensor(id)?;
    graph.tensors.push(tensor).ok()?;
    Some(graph.tensors.len() as TensorId - 1)
}
