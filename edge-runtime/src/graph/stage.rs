//! Stages: layers that run together, a band of rows at a time, so that the tensors between them are never whole.
//!
//! MCUNetV2 (Lin et al., 2021) calls this patch-based inference. Here a patch is as wide as the tensor, and the rows that
//! the next band reads again stay in a buffer: nothing is computed twice.

use core::ops::Range;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::{Graph, Layer, Operator, PoolKind, Tensor, TensorId};
use crate::limits::MAX_STAGE_LAYERS;

/// Consecutive layers that run band by band. What they write is read by none outside, but for the last one's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The first layer.
    pub first: u8,
    /// Rows of its output that are computed at a time.
    pub rows: u16,
    /// First byte in the arena of the sums of a global mean, 32 bits a channel, where that is the last layer.
    pub sums: u32,
    /// Rows of the output of each layer but the last, whose output is whole, that the arena has room for.
    pub buffers: Vec<u16, { MAX_STAGE_LAYERS - 1 }>,
}

impl Stage {
    /// The layers.
    pub fn layers(&self) -> Range<usize> {
        usize::from(self.first)..usize::from(self.first) + self.buffers.len() + 1
    }
}

/// Rows that a layer of a stage computes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Band {
    /// Of the output; for a global mean, of the input that is added up.
    pub rows: Range<usize>,
    /// Of the input that they need.
    pub reads: Range<usize>,
    /// Rows of padding above those.
    pub padding: usize,
    /// The first row in the arena of input, second input and output.
    pub bases: [usize; 3],
}

/// What happens next in a stage, to a layer that is counted from the stage's first.
#[derive(Debug)]
pub(crate) enum Action {
    /// It computes a band.
    Compute(usize, Band),
    /// All layers have computed what they can. Of the rows in the buffer of its output the first so many are read no more,
    /// and the next so many move to its start.
    Discard(usize, usize, usize),
}

/// How far a layer of a stage has come.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// The first row of its output in the buffer.
    base: usize,
    /// Rows computed; for a global mean, rows of its input that are added up.
    done: usize,
}

/// A layer along the axis of the rows.
struct Rows {
    size: usize,
    stride: usize,
    padding: usize,
    /// Rows of input and output, the same for a global mean.
    input: usize,
    output: usize,
}

impl Rows {
    fn of(layer: &Layer, input: &Tensor, output: &Tensor) -> Self {
        let (input_rows, mut output_rows) = (input.height.into(), output.height.into());
        let mut window = layer.operator.window();
        if is_global_mean(layer, input) {
            (window, output_rows) = (None, input_rows);
        }
        let (size, stride, padding) =
            window.map_or((1, 1, 0), |window| (window.size.0, window.stride.0, window.pad_rows.0));
        let (size, stride) = (size.into(), stride.into());
        Self { size, stride, padding: padding.into(), input: input_rows, output: output_rows }
    }

    /// Rows of output for which so many rows of input are enough.
    fn possible(&self, available: usize) -> usize {
        if available >= self.input {
            return self.output;
        }
        let room = (available + self.padding).checked_sub(self.size);
        room.map_or(0, |room| room / self.stride.max(1) + 1).min(self.output)
    }

    /// The first row of input that the output reads from `row` on.
    fn first_read(&self, row: usize) -> usize {
        if row >= self.output { self.input } else { (row * self.stride).saturating_sub(self.padding).min(self.input) }
    }

    /// The rows of input that rows of output read.
    fn reads(&self, rows: &Range<usize>) -> Range<usize> {
        let start = self.first_read(rows.start);
        let last = rows.end.saturating_sub(1) * self.stride;
        start..(last + self.size).saturating_sub(self.padding).min(self.input).max(start)
    }
}

/// Whether `layer` is the mean of all pixels of its input, which a stage adds up band by band.
pub(crate) fn is_global_mean(layer: &Layer, input: &Tensor) -> bool {
    let Operator::Pool { window, kind: PoolKind::Average { .. } } = layer.operator else { return false };
    (u16::from(window.size.0), u16::from(window.size.1)) == (input.height, input.width)
}

/// The second tensor that a layer reads row by row.
fn second_rows(layer: &Layer) -> Option<TensorId> {
    match layer.operator {
        Operator::Add { other, .. } => Some(other),
        _ => None,
    }
}

/// Tells `visit` what happens in a stage, one thing after the other, until it returns `None` or the stage has ended.
/// `None` as well where the stage names what the graph does not have.
#[inline(never)] // once in every image
pub(crate) fn walk(graph: &Graph, stage: &Stage, visit: &mut dyn FnMut(Action) -> Option<()>) -> Option<()> {
    let layers = graph.layers.get(stage.layers())?;
    let mut progress = [Progress::default(); MAX_STAGE_LAYERS];
    let mut is_last = false;
    while !is_last {
        for (nth, layer) in layers.iter().enumerate() {
            // What no layer before has written is from outside, and there.
            let progress_of = |id: TensorId| {
                let inside = layers.iter().take(nth).position(|before| before.output == id);
                let outside = || Some(Progress { base: 0, done: graph.tensor(id)?.height.into() });
                inside.map_or_else(outside, |before| progress.get(before).copied())
            };
            let rows = Rows::of(layer, graph.tensor(layer.input)?, graph.tensor(layer.output)?);
            let (input, mut second) = (progress_of(layer.input)?, Progress::default());
            let Progress { base, done } = *progress.get(nth)?;
            let mut end = rows.possible(input.done);
            if let Some(id) = second_rows(layer) {
                second = progress_of(id)?;
                end = end.min(second.done);
            }
            if nth == 0 {
                end = end.min(done + usize::from(stage.rows.max(1)));
                is_last = end == rows.output;
            }
            if end > done {
                let padding = rows.padding.saturating_sub(done * rows.stride);
                let bases = [input.base, second.base, base];
                visit(Action::Compute(nth, Band { rows: done..end, reads: rows.reads(&(done..end)), padding, bases }))?;
                progress.get_mut(nth)?.done = end;
            }
        }
        for nth in 0..stage.buffers.len() {
            let (id, Progress { base, done }) = (layers.get(nth)?.output, *progress.get(nth)?);
            let mut needed = done;
            for (reader, now) in layers.iter().zip(&progress).skip(nth + 1) {
                if reader.input == id {
                    let rows = Rows::of(reader, graph.tensor(id)?, graph.tensor(reader.output)?);
                    needed = needed.min(rows.first_read(now.done));
                }
                if second_rows(reader) == Some(id) {
                    needed = needed.min(now.done);
                }
            }
            if done > base {
                visit(Action::Discard(nth, needed - base, done - needed))?;
                progress.get_mut(nth)?.base = needed;
            }
        }
    }
    Some(())
}

/// What a stage needs of the arena, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Survey {
    /// The most rows of each layer's output in its buffer.
    pub most_rows: [u16; MAX_STAGE_LAYERS],
    /// Whether rows of each stay there from one band to the next.
    pub stays: [bool; MAX_STAGE_LAYERS],
    /// The tensor that the last layer may write over: nobody but the first layer reads it, row by row, and the last never
    /// gets ahead of that.
    pub written_over: Option<TensorId>,
}

impl Survey {
    /// That of `stage`; `None` where it names what the graph does not have.
    pub fn of(graph: &Graph, stage: &Stage) -> Option<Self> {
        let layers = graph.layers.get(stage.layers())?;
        let (first, last) = (layers.first()?, layers.last()?);
        let (read, written) = (graph.tensor(first.input)?, graph.tensor(last.output)?);
        let rows = Rows::of(first, read, graph.tensor(first.output)?);
        let reads = layers.iter().flat_map(|layer| [Some(layer.input), layer.operator.second_input()]);
        let is_read_once = reads.filter(|&id| id == Some(first.input)).count() == 1;
        let mut first_leads = (rows.size, rows.stride, rows.padding) == (1, 1, 0);
        let (mut survey, mut rows_read) = (Self::default(), 0);
        walk(graph, stage, &mut |action| {
            match action {
                Action::Compute(nth, band) => {
                    let most = survey.most_rows.get_mut(nth)?;
                    *most = (band.rows.end - band.bases[2]).max(usize::from(*most)) as u16;
                    if nth == 0 {
                        rows_read = band.rows.end;
                    }
                    if nth == stage.buffers.len() {
                        first_leads &= band.rows.end <= rows_read;
                    }
                }
                Action::Discard(nth, _, kept) => *survey.stays.get_mut(nth)? |= kept > 0,
            }
            Some(())
        })?;
        survey.written_over = (first_leads && is_read_once && read.same_shape(written)).then_some(first.input);
        Some(survey)
    }
}
