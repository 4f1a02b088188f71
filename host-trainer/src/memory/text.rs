//! The memory plan as lines of text.

use super::{Bands, MemoryPlan, Role};

/// Columns that the arena takes.
const COLUMNS: usize = 60;

/// A line for each layer of `plan`, with the arena from left to right.
pub fn drawing(plan: &MemoryPlan) -> String {
    let mut text =
        "memory plan: r read, w written, x written over what is read, s scratch; tensors that wait have their \
                    number alone\n"
            .to_owned();
    for (index, layer) in plan.layers.iter().enumerate() {
        let mut line = vec![b' '; COLUMNS];
        let mut parts = layer.blocks.clone();
        // The largest first: a small tensor in the same column is drawn over it.
        parts.sort_by_key(|&(block, _)| std::cmp::Reverse(plan.blocks[block].bytes));
        for (block, role) in parts {
            let block = &plan.blocks[block];
            let column = |offset: usize| offset * COLUMNS / plan.arena_bytes.max(1);
            let start = column(block.offset).min(COLUMNS - 1);
            let end = column(block.offset + block.bytes).clamp(start + 1, COLUMNS);
            line[start..end].fill(if role == Role::Waits { b'-' } else { b'=' });
            let letter = match role {
                Role::Reads => "r",
                Role::Writes => "w",
                Role::InPlace => "x",
                Role::Scratch => "s",
                Role::Waits => "",
            };
            let name = format!("{letter}{}", block.tensor.map_or_else(String::new, |tensor| tensor.to_string()));
            let shown = if name.len() <= end - start { name.as_str() } else { letter };
            line[start..start + shown.len()].copy_from_slice(shown.as_bytes());
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        let band = plan.stages.iter().find(|stage| (stage.first_layer..=stage.last_layer).contains(&index));
        let mark = if band.is_some() { "~" } else { " " };
        text.push_str(&format!("{index:>5}{mark} {:<13} |{line}|\n", layer.operator));
    }
    for Bands { first_layer, last_layer, rows } in &plan.stages {
        text.push_str(&format!(
            "~ layers {first_layer} to {last_layer} run together, {rows} rows of layer {first_layer} at a time\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Bands, Block, LayerMemory};
    use super::*;

    #[test]
    fn the_arena_lies_from_left_to_right() {
        let block =
            |tensor, offset, bytes| Block { tensor, name: String::new(), offset, bytes, first_layer: 0, last_layer: 0 };
        let blocks =
            vec![block(Some(3), 0, 100), block(Some(4), 100, 300), block(None, 400, 1), block(Some(12), 500, 100)];
        let parts = [Role::Reads, Role::Writes, Role::Scratch, Role::Waits].into_iter().enumerate().collect();
        let layers = vec![LayerMemory { operator: "dense", bytes: 501, blocks: parts }];
        let stages = vec![Bands { first_layer: 0, last_layer: 0, rows: 4 }];
        let plan = MemoryPlan { arena_bytes: 600, lower_bound: 600, within_two_per_cent: true, blocks, layers, stages };
        let text = drawing(&plan);
        let expected = "    0~ dense         |r3========w4============================s         12--------|";
        assert_eq!(text.lines().nth(1), Some(expected));
        assert_eq!(text.lines().last(), Some("~ layers 0 to 0 run together, 4 rows of layer 0 at a time"));
    }
}
