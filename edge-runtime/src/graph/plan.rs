//! The memory plan: where in the arena each tensor and the scratch memory live.
//!
//! Two tensors may share bytes when they are never alive together. The result of an operator that works in place takes the
//! place of its first input when nothing reads that input later.

use core::ops::RangeInclusive;
use std::vec;
use std::vec::Vec;

use super::place::{Block, lower_bound, place};
use super::stage::Survey;
use super::{Graph, Layer, Stage, TensorId};
use crate::layout::WeightLayout;
use crate::limits::MAX_LAYERS;

// A layer is a bit of `Block::layers`.
const _: () = assert!(MAX_LAYERS <= u64::BITS as usize);

/// How good a memory plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaPlan {
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// The most bytes that are in use during one layer: no plan can need fewer.
    pub lower_bound: usize,
}

impl ArenaPlan {
    /// That of the plan in `graph`, for the kernels of `layout`.
    ///
    /// # Panics
    /// As [`plan_arena`].
    pub fn of(graph: &Graph, layout: WeightLayout) -> Self {
        Self { arena_bytes: graph.arena_bytes(layout), lower_bound: lower_bound(&Blocks::of(graph, layout).blocks) }
    }

    /// Whether the arena is within 2 % of the lower bound.
    pub const fn is_tight(self) -> bool {
        100 * self.arena_bytes <= 102 * self.lower_bound
    }
}

/// Places all tensors, the buffers and sums of stages, and the scratch memory that each kernel of `layout` needs, overwriting
/// the offsets in `graph`.
///
/// A tensor that no layer writes goes to the start of the arena. [`super::check`] verifies the result as a whole.
///
/// # Panics
/// Where the graph has no tensors, or a layer or stage names something that it does not have.
pub fn plan_arena(graph: &mut Graph, layout: WeightLayout) -> ArenaPlan {
    let Blocks { mut blocks, of_tensor, of_scratch, of_sums } = Blocks::of(graph, layout);
    place(&mut blocks);
    let offset = |block: Option<usize>| block.map_or(0, |block| blocks[block].offset as u32);
    for (tensor, &block) in graph.tensors.iter_mut().zip(&of_tensor) {
        tensor.offset = offset(block);
    }
    graph.scratch = of_scratch.into_iter().map(offset).collect();
    for (stage, block) in graph.stages.iter_mut().zip(of_sums) {
        stage.sums = offset(block);
    }
    ArenaPlan { arena_bytes: graph.arena_bytes(layout), lower_bound: lower_bound(&blocks) }
}

/// The layers during which each tensor is in use, from the one that writes it, or the first for the input, to the last
/// that reads it; `None` for a tensor that no layer writes.
///
/// # Panics
/// Where a layer names a tensor that the graph does not have.
pub fn lifetimes(graph: &Graph) -> Vec<Option<RangeInclusive<usize>>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; graph.tensors.len()];
    if let Some(input) = lives.first_mut() {
        *input = Some((0, 0));
    }
    for (index, layer) in graph.layers.iter().enumerate() {
        for read in layer.reads() {
            if let Some((_, last)) = &mut lives[usize::from(read)] {
                *last = index;
            }
        }
        lives[usize::from(layer.output)].get_or_insert((index, index)).1 = index;
    }
    for stage in &graph.stages {
        let range = stage.layers();
        let survey = Survey::of(graph, stage).expect("a stage of layers that there are");
        let layers = &graph.layers[range.clone()];
        for (nth, layer) in layers.iter().enumerate() {
            // What is read from outside is read for every band; what stays, stays to the last one.
            for read in layer.reads() {
                let inner = layers.iter().position(|writer| writer.output == read);
                if let Some((_, last)) = &mut lives[usize::from(read)]
                    && inner.is_none_or(|writer| survey.stays[writer])
                {
                    *last = (*last).max(range.end - 1);
                }
            }
            if let Some((first, _)) = &mut lives[usize::from(layer.output)]
                && (nth + 1 == layers.len() || survey.stays[nth])
            {
                *first = (*first).min(range.start);
            }
        }
    }
    lives.into_iter().map(|life| life.map(|(first, last)| first..=last)).collect()
}

/// Bytes in use during each layer.
///
/// # Panics
/// As [`plan_arena`].
pub(super) fn bytes_in_use(graph: &Graph, layout: WeightLayout) -> Vec<usize> {
    let blocks = Blocks::of(graph, layout).blocks;
    let during =
        |layer: usize| blocks.iter().filter(|block| block.layers >> layer & 1 == 1).map(|block| block.bytes).sum();
    (0..graph.layers.len()).map(during).collect()
}

/// What has to be placed.
struct Blocks {
    blocks: Vec<Block>,
    /// Each tensor's block.
    of_tensor: Vec<Option<usize>>,
    /// That of each layer's scratch memory.
    of_scratch: Vec<Option<usize>>,
    /// That of each stage's sums.
    of_sums: Vec<Option<usize>>,
}

impl Blocks {
    /// One block a tensor, except that a result computed in place shares its input's, and one for the scratch memory of each
    /// layer and for the sums of each stage.
    fn of(graph: &Graph, layout: WeightLayout) -> Self {
        let lives = lifetimes(graph);
        let mut blocks: Vec<Block> = Vec::new();
        let mut of_tensor = vec![None; graph.tensors.len()];
        let block = |id: usize| {
            let layers = lives[id].as_ref().map_or(0, bits);
            Block { bytes: graph.place(id as TensorId).map_or(0, |place| place.len()), layers, offset: 0 }
        };
        blocks.push(block(0));
        of_tensor[0] = Some(0);
        for (index, layer) in graph.layers.iter().enumerate() {
            let output = usize::from(layer.output);
            if of_tensor[output].is_some() {
                continue; // written before
            }
            let shared = overwritten(graph, index, layout, &lives).and_then(|id| of_tensor[usize::from(id)]);
            match shared {
                Some(shared) => blocks[shared].layers |= block(output).layers,
                None => blocks.push(block(output)),
            }
            of_tensor[output] = shared.or(Some(blocks.len() - 1));
        }
        let mut memory = |bytes: usize, layers| {
            let block = (bytes > 0).then_some(blocks.len());
            blocks.extend(block.map(|_| Block { bytes, layers, offset: 0 }));
            block
        };
        let scratch = |(index, layer): (usize, &Layer)| memory(graph.scratch_bytes(layer, layout), 1 << index);
        let of_scratch = graph.layers.iter().enumerate().map(scratch).collect();
        let sums = |stage: &Stage| {
            let bytes = graph.sums(stage).map_or(0, |sums| sums.len());
            memory(bytes, bits(&(stage.layers().start..=stage.layers().end - 1)))
        };
        let of_sums = graph.stages.iter().map(sums).collect();
        Self { blocks, of_tensor, of_scratch, of_sums }
    }
}

/// The tensor whose place the result of the layer at `index` takes, if there is one.
fn overwritten(
    graph: &Graph,
    index: usize,
    layout: WeightLayout,
    lives: &[Option<RangeInclusive<usize>>],
) -> Option<TensorId> {
    let layer = &graph.layers[index];
    let ends = |id: TensorId, at: usize| lives[usize::from(id)].as_ref().is_some_and(|life| *life.end() == at);
    if let Some(stage) = graph.stage_of(index) {
        let survey = Survey::of(graph, stage)?;
        let nth = index - stage.layers().start;
        if nth == stage.buffers.len() {
            return survey.written_over.filter(|&id| ends(id, index));
        }
        // Between buffers, of which neither keeps rows for the next band.
        let before = graph.layers[stage.layers()][..nth].iter().position(|before| before.output == layer.input)?;
        if survey.stays[nth] || survey.stays[before] || stage.buffers[nth] != stage.buffers[before] {
            return None;
        }
    }
    let reuse = graph.works_in_place(index, layout)
        && ends(layer.input, index)
        && layer.operator.second_input() != Some(layer.input);
    reuse.then_some(layer.input)
}

/// A bit for each layer of a life.
fn bits(life: &RangeInclusive<usize>) -> u64 {
    (u64::MAX >> (u64::BITS as usize - 1 - (life.end() - life.start()))) << life.start()
}
