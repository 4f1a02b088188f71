//! The benchmark of the kernels: the shapes `a` to `f` and a whole network on every emulated core.

use std::collections::BTreeMap;

use fude_runtime::graph::{self, ElementType, Layer, Parameters, PoolKind, Window};
use fude_runtime::trial::{Random, SHAPES, TrialBuilder};
use serde::{Deserialize, Serialize};

use super::{TrialsError, cycles, expected_hash, linux, run};
use crate::device::board::Board;
use crate::model::{Activation, Operation, Preset};

/// The cores, each the end of the name of the board that emulates it.
pub const CORES: [&str; 6] = ["m4", "m7", "m33", "m55", "m3", "m0"];
/// What the whole network is called beside the shapes.
pub const NETWORK: &str = "net";
/// The same in half the arena, its first layers band by band; its multiplications are counted as those of [`NETWORK`].
pub const BANDED_NETWORK: &str = "net48";
/// Bytes of that arena.
const BANDED_ARENA: usize = 48 * 1024;
/// Classes of the network: those of ETL9G.
pub const CLASSES: usize = 3036;
/// Shift of the layers with weights, and of the mean: their multipliers follow it.
const SHIFT: u8 = 40;
const MEAN_SHIFT: u8 = 36;

/// What a layer or a network costs on a core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Instructions from an INT8 tensor in the arena to the last one.
    pub instructions: u64,
    /// Multiplications.
    pub macs: u64,
    /// The quotient of the two.
    pub per_mac: f64,
    /// Cycles, estimated from the core's reference manual ([`cycles`]); of microcontrollers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cycles: Option<u64>,
    /// Bytes of stack, by a pattern painted over it; of microcontrollers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<u32>,
    /// CRC-32 of the output, the oracle's.
    pub output_hash: String,
}

/// The counts of a core by shape.
pub type Counts = BTreeMap<String, Count>;

/// Runs the shapes and the network on the board that emulates `core`, and compares their outputs with the oracle. Cycles
/// are left to [`estimate_cycles`].
///
/// # Errors
/// [`TrialsError`]; [`TrialsError::Output`] where an output is not the oracle's.
pub fn count(core: &str) -> Result<Counts, TrialsError> {
    let board = Board::find(&format!("qemu-{core}"))?;
    let (names, trials): (Vec<&str>, Vec<TrialBuilder>) = named_trials().into_iter().unzip();
    let outcomes = run(&board, board.weights, &trials)?;
    let costs = outcomes.into_iter().map(|outcome| (outcome.instructions, Some(outcome.stack), outcome.hash));
    checked(&board.name, &names, &trials, costs)
}

/// As [`count`], on a core of a Raspberry Pi.
///
/// # Errors
/// As of [`count`].
pub fn count_linux(core: &linux::Core) -> Result<Counts, TrialsError> {
    let (names, trials): (Vec<&str>, Vec<TrialBuilder>) = named_trials().into_iter().unzip();
    let (hashes, instructions) = linux::run(core, &trials, true)?;
    let costs = instructions.into_iter().zip(hashes).map(|(instructions, hash)| (instructions, None, hash));
    checked(core.cpu, &names, &trials, costs)
}

/// The counts of trials whose output is the oracle's, by their instructions, stack and hash.
fn checked(
    board: &str,
    names: &[&str],
    trials: &[TrialBuilder],
    costs: impl Iterator<Item = (u64, Option<u32>, u32)>,
) -> Result<Counts, TrialsError> {
    let count = |((&name, trial), (instructions, stack, hash)): ((&&str, &TrialBuilder), _)| {
        if expected_hash(trial) != hash {
            return Err(TrialsError::Output { board: board.to_owned(), trial: name.to_owned() });
        }
        let macs = trial.graph().total_cost().macs;
        let per_mac = instructions as f64 / macs as f64;
        let output_hash = format!("{hash:08x}");
        Ok((name.to_owned(), Count { instructions, macs, per_mac, estimated_cycles: None, stack, output_hash }))
    };
    names.iter().zip(trials).zip(costs).map(count).collect()
}

/// Adds the cycles that a core's manual gives for what the emulator ran; some seconds a core.
///
/// # Errors
/// [`TrialsError`].
pub fn estimate_cycles(core: &str, counts: &mut Counts) -> Result<(), TrialsError> {
    let board = Board::find(&format!("qemu-{core}"))?;
    for (name, trial) in named_trials() {
        if let Some(count) = counts.get_mut(name) {
            count.estimated_cycles = cycles::estimate(&board, &trial)?;
        }
    }
    Ok(())
}

fn named_trials() -> Vec<(&'static str, TrialBuilder)> {
    let shapes = SHAPES.iter().map(|shape| (shape.name, shape.trial(1)));
    let network = network(Preset::Reference, CLASSES);
    shapes.chain([(NETWORK, network.clone()), (BANDED_NETWORK, network.within(BANDED_ARENA))]).collect()
}

/// The layers of a preset with random weights over a random glyph: what they cost does not depend on what they know.
pub fn network(preset: Preset, classes: usize) -> TrialBuilder {
    let mut random = Random::new(1);
    let architecture = preset.architecture(classes);
    let shapes = architecture.shapes();
    let tensor = |index: usize, zero_point, element| graph::Tensor {
        height: shapes[index].height as u16,
        width: shapes[index].width as u16,
        channels: shapes[index].channels as u16,
        element,
        zero_point,
        scale: 1.0,
        offset: 0,
    };
    let mut trial = TrialBuilder::new();
    let glyph = tensor(0, -128, ElementType::Int8);
    let pixels = (0..glyph.elements()).map(|_| random.word() as i8).collect();
    trial.input(glyph, pixels);
    for (index, node) in architecture.nodes.iter().enumerate() {
        let is_last = index + 1 == architecture.nodes.len();
        // As after training: a ReLU's zero is the smallest integer.
        let zero_point = if node.operation.activation() == Activation::Relu { -128 } else { 0 };
        let element = if is_last { ElementType::Int16 } else { ElementType::Int8 };
        let output = trial.tensor(tensor(index + 1, zero_point, element));
        let (low, high) = element.range();
        let operator = operator(node.operation, shapes[node.input], (low as i16, high as i16));
        trial.random_layer(Layer { operator, input: node.input as u8, output }, &mut random);
    }
    trial
}

fn operator(operation: Operation, input: crate::model::Shape, bounds: (i16, i16)) -> graph::Operator {
    let parameters = Parameters { offset: 0, shift: SHIFT, bounds };
    let window = |size: usize, stride: usize, padding: usize| Window::square(size as u8, stride as u8, padding as u8);
    match operation {
        Operation::Convolution { .. } if (input.height, input.width) == (1, 1) => graph::Operator::Dense { parameters },
        Operation::Convolution { size, stride, padding, .. } => {
            graph::Operator::Convolution { window: window(size, stride, padding), parameters }
        }
        Operation::Depthwise { size, stride, padding } => {
            graph::Operator::Depthwise { window: window(size, stride, padding), parameters }
        }
        Operation::GlobalAverage => {
            let window = Window { size: (input.height as u8, input.width as u8), ..window(1, 1, 0) };
            let multiplier = ((1_u64 << MEAN_SHIFT) / (16 * input.height as u64 * input.width as u64)) as i32;
            graph::Operator::Pool { window, kind: PoolKind::Average { multiplier, shift: MEAN_SHIFT } }
        }
        Operation::Gate { gate } => graph::Operator::Gate { gate: gate as u8, multiplier: 1 << 30, shift: 38 },
        Operation::Add { other, .. } => {
            graph::Operator::Add { other: other as u8, multipliers: (1 << 19, 1 << 19), shift: 20, bounds }
        }
    }
}
