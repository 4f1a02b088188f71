//! The part of the check that looks at time and place: what is written may overlap nothing that is still to be read.

use core::ops::Range;

use super::stage::Survey;
use super::{Graph, LayerError, Operator, Stage, TensorId, is_global_mean};
use crate::layout::WeightLayout;
use crate::limits::MAX_TENSORS;

/// Follows the layers of a graph, whose shapes have been checked, through the arena. `at` is the layer that is looked at.
pub(super) fn check_schedule(
    graph: &Graph,
    layout: WeightLayout,
    arena_bytes: usize,
    at: &mut Option<usize>,
) -> Result<(), LayerError> {
    let mut follower = Follower { graph, layout, valid: [false; MAX_TENSORS] };
    follower.valid[0] = true;
    let (mut index, mut stages) = (0, graph.stages().iter());
    let mut next = stages.next();
    while index < graph.layers.len() {
        *at = Some(index);
        if let Some(stage) = next.filter(|stage| usize::from(stage.first) <= index) {
            let survey = check_stage(graph, stage).filter(|_| usize::from(stage.first) == index);
            let survey = survey.ok_or(LayerError::Stage)?;
            for layer in stage.layers() {
                *at = Some(layer);
                check_places(graph, layer, layout, arena_bytes)?;
            }
            follower.run_stage(stage, &survey, at)?;
            (index, next) = (stage.layers().end, stages.next());
        } else {
            check_places(graph, index, layout, arena_bytes)?;
            follower.run(index, None)?;
            index += 1;
        }
    }
    *at = Some(index);
    // One that begins behind the last layer.
    if next.is_some() { Err(LayerError::Stage) } else { Ok(()) }
}

/// What a stage needs; `None` where its layers cannot run band by band or its buffers are too small.
pub(super) fn check_stage(graph: &Graph, stage: &Stage) -> Option<Survey> {
    let range = stage.layers();
    let layers = graph.layers.get(range.clone())?;
    let is_inner = |id: TensorId| layers.iter().take(stage.buffers.len()).any(|layer| layer.output == id);
    for (index, layer) in graph.layers.iter().enumerate() {
        let nth = index.wrapping_sub(range.start);
        if nth >= layers.len() {
            let touched = [Some(layer.input), layer.operator.second_input(), Some(layer.output)];
            if touched.into_iter().flatten().any(is_inner) {
                return None;
            }
            continue;
        }
        let is_last = nth == stage.buffers.len();
        let written_before = layers.iter().take(nth).any(|before| before.output == layer.output);
        let runs_in_bands = match layer.operator {
            Operator::Dense { .. } => false,
            Operator::Gate { gate, .. } => !is_inner(gate),
            _ => is_last || !is_global_mean(layer, graph.tensor(layer.input)?),
        };
        if written_before || layer.output == 0 || !runs_in_bands {
            return None;
        }
    }
    let survey = Survey::of(graph, stage)?;
    let fits = stage.rows > 0 && survey.most_rows.iter().zip(&stage.buffers).all(|(most, buffer)| most <= buffer);
    fits.then_some(survey)
}

/// What a layer writes may not overlap what it reads, except where an operator works in place.
#[inline(never)]
fn check_places(graph: &Graph, index: usize, layout: WeightLayout, arena_bytes: usize) -> Result<(), LayerError> {
    let layer = graph.layers.get(index).ok_or(LayerError::Empty)?;
    let place = |id| graph.place(id).ok_or(LayerError::UnknownTensor);
    let (input, output) = (place(layer.input)?, place(layer.output)?);
    let in_place = graph.works_in_place(index, layout) && input == output;
    if !in_place && overlap(&input, &output) {
        return Err(LayerError::Arena);
    }
    if let Some(second) = layer.operator.second_input()
        && overlap(&place(second)?, &output)
    {
        return Err(LayerError::Arena);
    }
    let scratch = graph.scratch_range(index, layout);
    if overlap(&scratch, &input)
        || overlap(&scratch, &output)
        || scratch.start > arena_bytes
        || scratch.end > arena_bytes
        || !scratch.start.is_multiple_of(layout.scratch_alignment())
    {
        return Err(LayerError::Scratch);
    }
    if let Some(sums) = graph.stage_of(index).and_then(|stage| graph.sums(stage))
        && (sums.start > arena_bytes
            || sums.end > arena_bytes
            || overlap(&sums, &output)
            || overlap(&sums, &scratch)
            || overlap(&sums, &input))
    {
        return Err(LayerError::Stage);
    }
    Ok(())
}

/// Runs the layers without computing: whatever is read must have been written and not been overwritten since.
struct Follower<'g> {
    graph: &'g Graph,
    layout: WeightLayout,
    /// Whether each tensor holds what was written to it.
    valid: [bool; MAX_TENSORS],
}

impl Follower<'_> {
    /// Runs the layer at `index`. `spared` is a tensor that it may write over all the same.
    fn run(&mut self, index: usize, spared: Option<TensorId>) -> Result<(), LayerError> {
        let graph = self.graph;
        let layer = graph.layers.get(index).ok_or(LayerError::Empty)?;
        let reads = [Some(layer.input), layer.operator.second_input()];
        if reads.into_iter().flatten().any(|id| !self.is_valid(id)) {
            return Err(LayerError::Order);
        }
        let written = graph.place(layer.output).ok_or(LayerError::UnknownTensor)?;
        let scratch = graph.scratch_range(index, self.layout);
        let sums = graph.stage_of(index).and_then(|stage| graph.sums(stage)).unwrap_or_default();
        for (id, valid) in self.valid.iter_mut().enumerate().take(graph.tensors.len()) {
            let id = id as TensorId;
            let place = graph.place(id).unwrap_or_default();
            let is_overwritten = [&written, &scratch, &sums].into_iter().any(|range| overlap(&place, range));
            *valid = id == layer.output || (*valid && (!is_overwritten || Some(id) == spared));
        }
        Ok(())
    }

    /// Runs the layers of a stage twice, for its first band and for any other: what the first leaves must be there still.
    fn run_stage(&mut self, stage: &Stage, survey: &Survey, at: &mut Option<usize>) -> Result<(), LayerError> {
        let range = stage.layers();
        let layers = self.graph.layers.get(range.clone()).unwrap_or_default();
        for layer in layers {
            if let Some(valid) = self.valid.get_mut(usize::from(layer.output)) {
                *valid = false;
            }
        }
        let last = layers.last().and_then(|last| self.graph.place(last.output));
        let spared = survey.written_over.filter(|&id| self.graph.place(id) == last);
        for band in 0..2 {
            for (index, layer) in range.clone().zip(layers) {
                *at = Some(index);
                let nth = index - range.start;
                // Another band is appended to what is there.
                let stays = nth == stage.buffers.len() || survey.stays.get(nth) == Some(&true);
                if band > 0 && stays && !self.is_valid(layer.output) {
                    return Err(LayerError::Order);
                }
                self.run(index, spared.filter(|_| band == 0))?;
            }
        }
        Ok(())
    }

    fn is_valid(&self, id: TensorId) -> bool {
        self.valid.get(usize::from(id)) == Some(&true)
    }
}

#[inline(never)]
fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}
