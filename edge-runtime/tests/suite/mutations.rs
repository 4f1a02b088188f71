//! Changes of a sound graph, for the door to refuse or the runtime to survive. Also used by the fuzz targets.

use fude_runtime::graph::{ElementType, Graph, Operator, PoolKind};

use crate::models::Random;

/// Replaces one number of `graph` by another that is on, near or beyond a limit, or moves a layer. A graph without
/// layers stays as it is.
pub fn mutate(graph: &mut Graph, random: &mut Random) {
    if graph.layers.is_empty() {
        return;
    }
    let extreme =
        random.pick(&[0, 1, 2, 3, 4, 6, 16, 24, 52, 53, 127, 128, 255, 4096, 65_535, 1 << 21, 1 << 24, 1 << 30]);
    let number = random.pick(&[extreme, -extreme, random.clone().between(-300, 300)]);
    let tensors = graph.tensors.len() as u8;
    let id = random.between(0, tensors.into()) as u8;
    let tensor = random.between(0, i64::from(tensors) - 1) as usize;
    let tensor = &mut graph.tensors[tensor];
    match random.between(0, 10) {
        0 => tensor.height = number as u16,
        1 => tensor.width = number as u16,
        2 => tensor.channels = number as u16,
        3 => tensor.zero_point = number as i16,
        4 => tensor.offset = number as u32,
        5 => tensor.element = random.pick(&[ElementType::Int8, ElementType::Int16]),
        6 => tensor.scale = f32::from_bits(random.word() as u32),
        7 if !graph.scratch.is_empty() => {
            let nth = random.between(0, graph.scratch.len() as i64 - 1) as usize;
            graph.scratch[nth] = number as u32;
        }
        8 if !graph.stages.is_empty() => mutate_stage(graph, random, number),
        _ => mutate_layer(graph, random, number, id),
    }
}

fn mutate_stage(graph: &mut Graph, random: &mut Random, number: i64) {
    let nth = random.between(0, graph.stages.len() as i64 - 1) as usize;
    let stage = &mut graph.stages[nth];
    if stage.buffers.is_empty() {
        stage.buffers.push(number as u16).expect("there is room for one");
    }
    let buffer = random.between(0, stage.buffers.len() as i64 - 1) as usize;
    match random.between(0, 5) {
        0 => stage.first = number as u8,
        1 => stage.rows = number as u16,
        2 => stage.sums = number as u32,
        3 => stage.buffers[buffer] = number as u16,
        4 => stage.buffers[buffer] = stage.buffers[buffer].wrapping_sub(1),
        _ if stage.buffers.len() > 1 => _ = stage.buffers.pop(),
        _ => _ = graph.stages.remove(nth),
    }
}

fn mutate_layer(graph: &mut Graph, random: &mut Random, number: i64, id: u8) {
    let count = graph.layers.len();
    let (one, other) = (random.between(0, count as i64 - 1) as usize, random.between(0, count as i64 - 1) as usize);
    match random.between(0, 7) {
        0 => return graph.layers.swap(one, other),
        1 => return graph.layers[one].input = id,
        2 => return graph.layers[one].output = id,
        3 => {
            graph.layers.remove(one);
            return;
        }
        _ => {}
    }
    match &mut graph.layers[one].operator {
        Operator::Convolution { window, parameters } | Operator::Depthwise { window, parameters } => {
            match random.between(0, 6) {
                0 => window.size.0 = number as u8,
                1 => window.stride.1 = number as u8,
                2 => window.pad_rows.1 = number as u8,
                3 => window.pad_columns.0 = number as u8,
                4 => parameters.shift = number as u8,
                5 => parameters.bounds.0 = number as i16,
                _ => parameters.offset = number as u32,
            }
        }
        Operator::Dense { parameters } => match random.between(0, 2) {
            0 => parameters.offset = number as u32,
            1 => parameters.bounds.1 = number as i16,
            _ => parameters.shift = number as u8,
        },
        Operator::Pool { window, kind } => match (random.between(0, 4), kind) {
            (0, _) => window.size.1 = number as u8,
            (1, _) => window.stride.0 = number as u8,
            (2, _) => window.pad_rows.0 = number as u8,
            (3, PoolKind::Average { multiplier, .. }) => *multiplier = number as i32,
            (_, kind) => *kind = PoolKind::Max,
        },
        Operator::Gate { gate, multiplier, shift } => match random.between(0, 2) {
            0 => *gate = id,
            1 => *multiplier = number as i32,
            _ => *shift = number as u8,
        },
        Operator::Add { other, multipliers, shift, bounds } => match random.between(0, 3) {
            0 => *other = id,
            1 => multipliers.0 = number as i32,
            2 => bounds.0 = number as i16,
            _ => *shift = number as u8,
        },
    }
}
