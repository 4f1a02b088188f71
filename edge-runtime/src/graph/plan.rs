//! The memory plan: where in the arena each tensor and the scratch memory live.
//!
//! Two tensors may share bytes when they are never alive together. Tensors are placed largest first, each
//! at the lowest offset that is free over its whole life: the greedy rule that Pisarchyk and Lee (2020,
//! "Efficient Memory Management for Deep Neural Net Inference") found within a few per cent of the optimum.
//! The result of an operator that works in place takes the place of its first input when nothing reads that input later.

use core::cmp::Reverse;
use std::vec;
use std::vec::Vec;

use super::Graph;
use crate::layout::WeightLayout;

/// Every tensor starts at a multiple of this, so that vector loads of any instruction set are aligned.
const TENSOR_ALIGNMENT: usize = 16;

/// What the planner found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaPlan {
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// The most bytes that are in use during one layer: no plan can need fewer.
    pub lower_bound: usize,
}

/// A block of arena and the layers during which it is in use, both ends included.
struct Block {
    bytes: usize,
    first: usize,
    last: usize,
    offset: usize,
}

impl Block {
    fn alive_with(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn alive_during(&self, layer: usize) -> bool {
        (self.first..=self.last).contains(&layer)
    }
}

/// Places all tensors and the scratch memory that the kernels of `layout` need, overwriting the offsets in `graph`.
///
/// A tensor that no layer writes goes to the start of the arena. [`super::check`] verifies the result as a whole.
///
/// # Panics
/// Where the graph has no tensors, or a layer names one that it does not have.
pub fn plan_arena(graph: &mut Graph, layout: WeightLayout) -> ArenaPlan {
    let (mut blocks, block_of) = tensor_blocks(graph, layout);
    let in_use = |(index, layer)| {
        let tensors: usize = blocks.iter().filter(|block| block.alive_during(index)).map(|block| block.bytes).sum();
        tensors + graph.scratch_bytes(layer, layout)
    };
    let lower_bound = graph.layers.iter().enumerate().map(in_use).max().unwrap_or(0);
    let scratch = scratch_block(graph, layout, &mut blocks);

    place(&mut blocks);
    for (tensor, &block) in graph.tensors.iter_mut().zip(&block_of) {
        tensor.offset = block.map_or(0, |block| blocks[block].offset as u32);
    }
    graph.scratch = scratch.map_or((0, 0), |(block, bytes)| (blocks[block].offset as u32, bytes as u32));
    ArenaPlan { arena_bytes: graph.arena_bytes(), lower_bound }
}

/// One block a tensor, except that a result computed in place shares its input's; and each tensor's block.
fn tensor_blocks(graph: &Graph, layout: WeightLayout) -> (Vec<Block>, Vec<Option<usize>>) {
    let mut last_read = vec![0; graph.tensors.len()];
    for (index, layer) in graph.layers.iter().enumerate() {
        for id in [Some(layer.input), layer.operator.second_input()].into_iter().flatten() {
            last_read[usize::from(id)] = index;
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut block_of = vec![None; graph.tensors.len()];
    let open = |id: usize, first: usize, last: usize, blocks: &mut Vec<Block>| {
        blocks.push(Block { bytes: graph.tensors[id].bytes(), first, last, offset: 0 });
        Some(blocks.len() - 1)
    };
    block_of[0] = open(0, 0, last_read[0], &mut blocks);
    for (index, layer) in graph.layers.iter().enumerate() {
        let (input, output) = (usize::from(layer.input), usize::from(layer.output));
        // The logits are read after the last layer.
        let last = if index + 1 == graph.layers.len() { index } else { last_read[output].max(index) };
        let reuse = graph.works_in_place(layer, layout)
            && last_read[input] == index
            && layer.operator.second_input() != Some(layer.input);
        block_of[output] = match block_of[input] {
            Some(block) if reuse => {
                blocks[block].last = last;
                Some(block)
            }
            _ => open(output, index, last, &mut blocks),
        };
    }
    (blocks, block_of)
}

/// The scratch memory is one block, alive from the first to the last layer that needs any.
fn scratch_block(graph: &Graph, layout: WeightLayout, blocks: &mut Vec<Block>) -> Option<(usize, usize)> {
    let needs: Vec<usize> = graph.layers.iter().map(|layer| graph.scratch_bytes(layer, layout)).collect();
    let first = needs.iter().position(|&bytes| bytes > 0)?;
    let last = needs.iter().rposition(|&bytes| bytes > 0)?;
    let bytes = needs.into_iter().max()?;
    blocks.push(Block { bytes, first, last, offset: 0 });
    Some((blocks.len() - 1, bytes))
}

fn place(blocks: &mut [Block]) {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&index| (Reverse(blocks[index].bytes), blocks[index].first));
    let mut placed: Vec<usize> = Vec::new();
    for &index in &order {
        let mut neighbours: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&other| blocks[other].alive_with(&blocks[index]))
            .map(|&other| (blocks[other].offset, blocks[other].offset + blocks[other].bytes))
            .collect();
        neighbours.sort_unstable();
        let mut offset = 0;
        for (start, end) in neighbours {
            if start >= offset + blocks[index].bytes {
                break;
            }
            offset = offset.max(end.next_multiple_of(TENSOR_ALIGNMENT));
        }
        blocks[index].offset = offset;
        placed.push(index);
    }
}
