//! Instructions of the kernels on every emulated core, beside CMSIS-NN's; `make bench-boards` runs it.
//!
//! Inputs and weights are random, outputs are compared with the oracle in the same run. Counted is everything from an
//! INT8 tensor in NHWC to an INT8 tensor in NHWC.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fude_runtime::layout::WeightLayout;
use fude_runtime::trial::{Kernel, SHAPES, TrialBuilder};
use fude_trainer::device::board::Board;
use fude_trainer::device::trials::{self, expected_hash};
use rayon::prelude::*;
use serde::Serialize;

/// Instructions per multiplication of CMSIS-NN (commit 99f736a6, arm-none-eabi-gcc 12.2 -O3) under the same emulator,
/// shapes a to f.
const CMSIS_NN: [(&str, [f64; 6]); 6] = [
    ("m4", [8.75, 8.75, 2.058, 1.629, 2.067, 1.761]),
    ("m7", [8.81, 8.60, 2.023, 1.597, 2.068, 1.761]),
    ("m33", [8.71, 8.60, 2.050, 1.627, 2.067, 1.761]),
    ("m55", [2.81, 2.30, 0.393, 0.226, 0.517, 0.205]),
    ("m3", [8.83, 9.93, 3.08, 2.69, 3.48, 2.67]),
    ("m0", [19.30, 38.70, 7.53, 6.44, 6.37, 6.33]),
];

#[derive(Parser)]
struct Arguments {
    /// Cores, all unless some are named.
    #[arg(long = "core", value_name = "CORE")]
    cores: Vec<String>,
    /// Random trials of each kernel beside the shapes, to compare with the oracle.
    #[arg(long, default_value_t = 0)]
    trials: u64,
    /// Where the counts go.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Serialize)]
struct Count {
    instructions: u64,
    macs: u64,
    per_mac: f64,
    output_hash: String,
}

type Counts = BTreeMap<&'static str, Count>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut all: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut wrong = 0;
    for (core, rivals) in CMSIS_NN {
        if !arguments.cores.is_empty() && !arguments.cores.iter().any(|named| named == core) {
            continue;
        }
        match measure(core, arguments.trials) {
            Ok((counts, mismatches)) => {
                print(core, &counts, rivals);
                wrong += mismatches;
                all.insert(core, counts);
            }
            Err(error) => {
                eprintln!("{core}: {error}");
                wrong += 1;
            }
        }
    }
    if let Some(path) = arguments.out {
        let text = serde_json::to_vec_pretty(&all).expect("numbers and strings");
        if let Err(error) = fude_trainer::files::write_atomically(&path, &text) {
            eprintln!("{error}");
            wrong += 1;
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The counts of a core, and how many outputs were not the oracle's.
fn measure(core: &str, random: u64) -> Result<(Counts, usize), Box<dyn std::error::Error>> {
    let board = Board::find(&format!("qemu-{core}"))?;
    let shapes: Vec<TrialBuilder> = SHAPES.iter().map(|shape| shape.trial(1)).collect();
    let outcomes = trials::run(&board, board.weights, &shapes)?;
    let mut counts = Counts::new();
    let mut wrong = 0;
    for ((shape, trial), outcome) in SHAPES.iter().zip(&shapes).zip(outcomes) {
        if expected_hash(trial) != outcome.hash {
            eprintln!("{core}, shape {}: not the oracle's output", shape.name);
            wrong += 1;
        }
        let count = Count {
            instructions: outcome.instructions,
            macs: shape.macs,
            per_mac: outcome.instructions as f64 / shape.macs as f64,
            output_hash: format!("{:08x}", outcome.hash),
        };
        counts.insert(shape.name, count);
    }
    wrong += compare(&board, board.weights, random)?;
    Ok((counts, wrong))
}

/// Random trials of every kernel; how many outputs were not the oracle's.
fn compare(board: &Board, layout: WeightLayout, random: u64) -> Result<usize, Box<dyn std::error::Error>> {
    let mut wrong = 0;
    for kernel in Kernel::ALL {
        if random == 0 {
            break;
        }
        let drawn: Vec<TrialBuilder> = (0..random).into_par_iter().map(|seed| kernel.draw(seed, layout)).collect();
        let expected: Vec<u32> = drawn.par_iter().map(expected_hash).collect();
        let outcomes = trials::run(board, layout, &drawn)?;
        let differing: Vec<usize> = (0..drawn.len()).filter(|&seed| outcomes[seed].hash != expected[seed]).collect();
        println!(
            "{} {kernel:?}: {} of {random} differ {:?}",
            board.name,
            differing.len(),
            &differing[..differing.len().min(5)]
        );
        wrong += differing.len();
    }
    Ok(wrong)
}

fn print(core: &str, counts: &Counts, rivals: [f64; 6]) {
    println!("\ninstructions per multiplication, {core} (emulated)");
    println!("{:<36} {:>8} {:>9} {:>7}", "", "Fude", "CMSIS-NN", "ratio");
    for (shape, rival) in SHAPES.iter().zip(rivals) {
        let Some(count) = counts.get(shape.name) else { continue };
        let ratio = count.per_mac / rival;
        println!("{} {:<34} {:>8.3} {rival:>9.3} {ratio:>7.2}", shape.name, shape.description, count.per_mac);
    }
}
