//! The memory plan: where in the arena each tensor and the scratch memory live.
//!
//! Two tensors may share bytes when they are never alive together. The result of an operator that works in place takes the
//! place of its first input when nothing reads that input later.

use core::ops::RangeInclusive;
use std::vec;
use std::vec::Vec;

use super::Graph;
use super::place::{Block, lower_bound, place};
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
        Self { arena_bytes: graph.arena_bytes(), lower_bound: lower_bound(&Blocks::of(graph, layout).blocks) }
    }

    /// Whether the arena is within 2 % of the lower bound.
    pub const fn is_tight(self) -> bool {
        100 * self.arena_bytes <= 102 * self.lower_bound
    }
}

/// Places all tensors and the scratch memory that the kernels of `layout` need, overwriting the offsets in `graph`.
///
/// A tensor that no layer writes goes to the start of the arena. [`super::check`] verifies the result as a whole.
///
/// # Panics
/// Where the graph has no tensors, or a layer names one that it does not have.
pub fn plan_arena(graph: &mut Graph, layout: WeightLayout) -> ArenaPlan {
    let Blocks { mut blocks, of_tensor, scratch } = Blocks::of(graph, layout);
    place(&mut blocks);
    for (tensor, &block) in graph.tensors.iter_mut().zip(&of_tensor) {
        tensor.offset = block.map_or(0, |block| blocks[block].offset as u32);
    }
    graph.scratch = scratch.map_or((0, 0), |block| (blocks[block].offset as u32, blocks[block].bytes as u32));
    ArenaPlan { arena_bytes: graph.arena_bytes(), lower_bound: lower_bound(&blocks) }
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
        for read in [Some(layer.input), layer.operator.second_input()].into_iter().flatten() {
            if let Some((_, last)) = &mut lives[usize::from(read)] {
                *last = index;
            }
        }
        lives[usize::from(layer.output)].get_or_insert((index, index)).1 = index;
    }
    lives.into_iter().map(|life| life.map(|(first, last)| first..=last)).collect()
}

/// What has to be placed.
struct Blocks {
    blocks: Vec<Block>,
    /// Each tensor's block.
    of_tensor: Vec<Option<usize>>,
    /// The block of the scratch memory.
    scratch: Option<usize>,
}

impl Blocks {
    /// One block a tensor, except that a result computed in place shares its input's, and one for the scratch memory, as
    /// large as the largest need and in use wherever there is any.
    fn of(graph: &Graph, layout: WeightLayout) -> Self {
        let lives = lifetimes(graph);
        let mut blocks: Vec<Block> = Vec::new();
        let mut of_tensor = vec![None; graph.tensors.len()];
        let block = |id: usize| {
            let layers = lives[id].as_ref().map_or(0, bits);
            Block { bytes: graph.tensors[id].bytes(), layers, offset: 0 }
        };
        blocks.push(block(0));
        of_tensor[0] = Some(0);
        for (index, layer) in graph.layers.iter().enumerate() {
            let (input, output) = (usize::from(layer.input), usize::from(layer.output));
            if of_tensor[output].is_some() {
                continue; // written before
            }
            let reuse = graph.works_in_place(layer, layout)
                && lives[input].as_ref().is_some_and(|life| *life.end() == index)
                && layer.operator.second_input() != Some(layer.input);
            let shared = of_tensor[input].filter(|_| reuse);
            match shared {
                Some(shared) => blocks[shared].layers |= block(output).layers,
                None => blocks.push(block(output)),
            }
            of_tensor[output] = shared.or(Some(blocks.len() - 1));
        }
        let needs: Vec<usize> = graph.layers.iter().map(|layer| graph.scratch_bytes(layer, layout)).collect();
        let bytes = needs.iter().copied().max().unwrap_or(0);
        let layers = (0..).zip(&needs).fold(0, |layers, (index, &need)| layers | u64::from(need > 0) << index);
        let scratch = (bytes > 0).then_some(blocks.len());
        blocks.extend(scratch.map(|_| Block { bytes, layers, offset: 0 }));
        Self { blocks, of_tensor, scratch }
    }
}

/// A bit for each layer of a life.
fn bits(life: &RangeInclusive<usize>) -> u64 {
    (u64::MAX >> (u64::BITS as usize - 1 - (life.end() - life.start()))) << life.start()
}
