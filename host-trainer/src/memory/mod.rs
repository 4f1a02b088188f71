//! The memory plan of a package: which tensors lie where in the arena while a layer runs.

mod chart;
mod text;

use std::ops::RangeInclusive;

use fude_runtime::graph::{ArenaPlan, Graph, Layer, lifetimes};
use fude_runtime::package::Package;
use serde::Serialize;

pub use chart::picture;
pub use text::drawing;

/// The memory plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryPlan {
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// The most bytes that are in use during one layer: no plan can need fewer.
    pub lower_bound: usize,
    /// Whether the arena is within 2 % of the lower bound.
    pub within_two_per_cent: bool,
    /// What lies in the arena.
    pub blocks: Vec<Block>,
    /// Each layer's use of it.
    pub layers: Vec<LayerMemory>,
}

/// A tensor, or the scratch memory during consecutive layers that need some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// The tensor; `None` for scratch memory.
    pub tensor: Option<usize>,
    /// Number and operator of the layer that writes it, `input` or `scratch`.
    pub name: String,
    /// First byte in the arena.
    pub offset: usize,
    /// Length.
    pub bytes: usize,
    /// The first layer during which it is in use.
    pub first_layer: usize,
    /// The last one.
    pub last_layer: usize,
}

/// The arena while a layer runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerMemory {
    /// Name of the operator.
    pub operator: &'static str,
    /// Bytes in use.
    pub bytes: usize,
    /// Indices of the blocks in use, and what the layer does with each.
    pub blocks: Vec<(usize, Role)>,
}

/// What a layer does with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads the tensor.
    Reads,
    /// Writes it.
    Writes,
    /// Writes it over the tensor that it reads.
    InPlace,
    /// Works in it.
    Scratch,
    /// Nothing: a later layer reads it.
    Waits,
}

impl MemoryPlan {
    /// The plan in `package`, for the kernels that its weights are laid out for.
    pub fn of(package: &Package<'_>) -> Self {
        let (graph, layout) = (package.graph(), package.header().layout);
        let plan = ArenaPlan::of(graph, layout);
        let needs_scratch = |layer: &Layer| graph.scratch_bytes(layer, layout) > 0;
        let mut blocks: Vec<Block> = lifetimes(graph)
            .into_iter()
            .enumerate()
            .filter_map(|(tensor, life)| Some(tensor_block(graph, tensor, life?)))
            .collect();
        let layers = graph.layers.iter().enumerate().map(|(index, layer)| (index, needs_scratch(layer)));
        for run in layers.collect::<Vec<_>>().chunk_by(|(_, before), (_, after)| before == after) {
            if let [(first_layer, true), ..] = run {
                blocks.push(Block {
                    tensor: None,
                    name: "scratch".to_owned(),
                    offset: graph.scratch.0 as usize,
                    bytes: graph.scratch.1 as usize,
                    first_layer: *first_layer,
                    last_layer: first_layer + run.len() - 1,
                });
            }
        }
        Self {
            arena_bytes: plan.arena_bytes,
            lower_bound: plan.lower_bound,
            within_two_per_cent: plan.is_tight(),
            layers: graph.layers.iter().enumerate().map(|(index, layer)| during(index, layer, &blocks)).collect(),
            blocks,
        }
    }
}

fn tensor_block(graph: &Graph, tensor: usize, life: RangeInclusive<usize>) -> Block {
    let writer = graph.layers.iter().position(|layer| usize::from(layer.output) == tensor);
    let name = writer.map(|layer| format!("{layer} {}", graph.layers[layer].operator.name()));
    let place = graph.tensors[tensor].range();
    Block {
        tensor: Some(tensor),
        name: name.unwrap_or_else(|| "input".to_owned()),
        offset: place.start,
        bytes: place.len(),
        first_layer: *life.start(),
        last_layer: *life.end(),
    }
}

fn during(index: usize, layer: &Layer, blocks: &[Block]) -> LayerMemory {
    let of = |id: u8| blocks.iter().position(|block| block.tensor == Some(usize::from(id)));
    let (input, output) = (of(layer.input), of(layer.output));
    let same_place = |a: &Block, b: &Block| (a.offset, a.bytes) == (b.offset, b.bytes);
    let in_place = input.zip(output).is_some_and(|(input, output)| same_place(&blocks[input], &blocks[output]));
    let role = |block: usize| match blocks[block].tensor {
        None => Role::Scratch,
        _ if Some(block) == output && in_place => Role::InPlace,
        _ if Some(block) == output => Role::Writes,
        _ if Some(block) == input || layer.operator.second_input().and_then(of) == Some(block) => Role::Reads,
        _ => Role::Waits,
    };
    let in_use = |block: &usize| (blocks[*block].first_layer..=blocks[*block].last_layer).contains(&index);
    // What is read in place is shown as what is written over it.
    let shown = |block: &usize| in_use(block) && !(in_place && Some(*block) == input);
    let parts: Vec<(usize, Role)> = (0..blocks.len()).filter(shown).map(|block| (block, role(block))).collect();
    LayerMemory {
        operator: layer.operator.name(),
        bytes: parts.iter().map(|&(block, _)| blocks[block].bytes).sum(),
        blocks: parts,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::package::PackageFile;

    /// The plan of a package with every operator.
    pub(super) fn plan() -> MemoryPlan {
        let bytes = include_bytes!("../../../edge-runtime/tests/packages/format-1.0.fude");
        let file = PackageFile::new(bytes, Path::new("format-1.0.fude")).unwrap();
        MemoryPlan::of(&file.as_stored().unwrap())
    }

    #[test]
    fn blocks_in_use_together_lie_apart_within_the_arena() {
        let plan = plan();
        for layer in &plan.layers {
            let mut places: Vec<(usize, usize)> =
                layer.blocks.iter().map(|&(block, _)| (plan.blocks[block].offset, plan.blocks[block].bytes)).collect();
            places.sort_unstable();
            assert!(places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{layer:?}");
            assert!(places.iter().all(|(offset, bytes)| offset + bytes <= plan.arena_bytes), "{layer:?}");
            assert!(layer.bytes <= plan.lower_bound);
            let count = |role| layer.blocks.iter().filter(|(_, found)| *found == role).count();
            assert_eq!(count(Role::Writes) + count(Role::InPlace), 1, "{layer:?}");
        }
        let all = |role| plan.layers.iter().any(|layer| layer.blocks.iter().any(|(_, found)| *found == role));
        assert!([Role::Reads, Role::InPlace, Role::Scratch, Role::Waits].into_iter().all(all));
    }
}
