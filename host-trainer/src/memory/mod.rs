//! The memory plan of a package: which tensors lie where in the arena while a layer runs.

mod chart;
mod text;

use std::ops::{Range, RangeInclusive};

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
    /// Layers that run band by band.
    pub stages: Vec<Bands>,
}

/// Consecutive layers that run band by band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bands {
    /// The first.
    pub first_layer: usize,
    /// The last.
    pub last_layer: usize,
    /// Rows of the first one's output that are computed at a time.
    pub rows: usize,
}

/// A tensor, or what of it is there at a time; the scratch memory of a layer; the sums of a stage that ends with a mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// The tensor; `None` for scratch memory and sums.
    pub tensor: Option<usize>,
    /// Number and operator of the layer that writes it, `input`, `scratch` or `sums`.
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
        let tensors = lifetimes(graph).into_iter().enumerate();
        let mut blocks: Vec<Block> =
            tensors.filter_map(|(tensor, life)| Some(tensor_block(graph, tensor, life?))).collect();
        let mut work = |name: &str, place: Range<usize>, (first_layer, last_layer)| {
            let (name, offset, bytes) = (name.to_owned(), place.start, place.len());
            if bytes > 0 {
                blocks.push(Block { tensor: None, name, offset, bytes, first_layer, last_layer });
            }
        };
        for index in 0..graph.layers.len() {
            work("scratch", graph.scratch_range(index, layout), (index, index));
        }
        for stage in &graph.stages {
            let layers = stage.layers();
            work("sums", graph.sums(stage).unwrap_or_default(), (layers.start, layers.end - 1));
        }
        let stages = graph.stages.iter().map(|stage| {
            let layers = stage.layers();
            Bands { first_layer: layers.start, last_layer: layers.end - 1, rows: stage.rows.into() }
        });
        Self {
            arena_bytes: plan.arena_bytes,
            lower_bound: plan.lower_bound,
            within_two_per_cent: plan.is_tight(),
            layers: graph.layers.iter().enumerate().map(|(index, layer)| during(index, layer, &blocks)).collect(),
            stages: stages.collect(),
            blocks,
        }
    }
}

fn tensor_block(graph: &Graph, tensor: usize, life: RangeInclusive<usize>) -> Block {
    let writer = graph.layers.iter().position(|layer| usize::from(layer.output) == tensor);
    let name = writer.map(|layer| format!("{layer} {}", graph.layers[layer].operator.name()));
    let place = graph.place(tensor as u8).unwrap_or_default();
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
    let is = |block: usize, id: u8| blocks[block].tensor == Some(id.into());
    let in_use = |block: &usize| (blocks[*block].first_layer..=blocks[*block].last_layer).contains(&index);
    let same_place = |a: usize, b: usize| (blocks[a].offset, blocks[a].bytes) == (blocks[b].offset, blocks[b].bytes);
    let mut parts = Vec::new();
    for block in (0..blocks.len()).filter(in_use) {
        // What is read in place is shown as what is written over it.
        let twins: Vec<usize> = (0..blocks.len()).filter(in_use).filter(|&other| same_place(block, other)).collect();
        if twins.iter().max_by_key(|&&twin| blocks[twin].first_layer) != Some(&block) {
            continue;
        }
        let some_is = |id| twins.iter().any(|&twin| is(twin, id));
        let is_written = some_is(layer.output);
        let is_read = layer.reads().any(some_is);
        let role = match (is_read, is_written) {
            _ if blocks[block].tensor.is_none() => Role::Scratch,
            (true, true) => Role::InPlace,
            (false, true) => Role::Writes,
            (true, false) => Role::Reads,
            (false, false) => Role::Waits,
        };
        parts.push((block, role));
    }
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
