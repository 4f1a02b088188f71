//! Instructions of the kernels on every emulated core, beside CMSIS-NN's; `make bench-boards` runs it.
//!
//! Inputs and weights are random, outputs are compared with the oracle in the same run. Counted is everything from an
//! INT8 tensor in NHWC to an INT8 tensor in NHWC.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fude_runtime::trial::{Kernel, SHAPES};
use fude_trainer::device::board::Board;
use fude_trainer::device::trials::benchmark::{BANDED_NETWORK, CORES, Count, Counts, NETWORK, count, estimate_cycles};
use fude_trainer::device::trials::{differing, summary};

/// Instructions per multiplication of CMSIS-NN (commit 99f736a6, arm-none-eabi-gcc 12.2 -O3) under the same emulator:
/// the shapes on each of [`CORES`].
const CMSIS_NN: [[f64; 6]; 6] = [
    [8.75, 8.75, 2.058, 1.629, 2.067, 1.761],
    [8.81, 8.60, 2.023, 1.597, 2.068, 1.761],
    [8.71, 8.60, 2.050, 1.627, 2.067, 1.761],
    [2.81, 2.30, 0.393, 0.226, 0.517, 0.205],
    [8.83, 9.93, 3.08, 2.69, 3.48, 2.67],
    [19.30, 38.70, 7.53, 6.44, 6.37, 6.33],
];

#[derive(Parser)]
struct Arguments {
    /// Cores, all unless some are named.
    #[arg(long = "core", value_name = "CORE", value_parser = CORES)]
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

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("{wrong} outputs were not the oracle's");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints and writes; how many random trials gave another output than the oracle's.
fn run(arguments: &Arguments) -> Result<usize, Box<dyn Error>> {
    let mut all: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut wrong = 0;
    for (core, rivals) in CORES.into_iter().zip(CMSIS_NN) {
        if !arguments.cores.is_empty() && !arguments.cores.iter().any(|named| named == core) {
            continue;
        }
        let mut counts = count(core)?;
        estimate_cycles(core, &mut counts)?;
        print(core, &counts, rivals);
        all.insert(core, counts);
        wrong += compare(core, arguments.trials)?;
    }
    if let Some(path) = &arguments.out {
        fude_trainer::files::write_atomically(path, &serde_json::to_vec_pretty(&all)?)?;
        println!("\nwritten to {}", path.display());
    }
    Ok(wrong)
}

/// Random trials of every kernel; how many outputs were not the oracle's.
fn compare(core: &str, trials: u64) -> Result<usize, Box<dyn Error>> {
    let board = Board::find(&format!("qemu-{core}"))?;
    let mut wrong = 0;
    for kernel in Kernel::ALL.into_iter().filter(|_| trials > 0) {
        let differing = differing(&board, kernel, trials)?;
        println!("{}", summary(kernel, trials, &differing));
        wrong += differing.len();
    }
    Ok(wrong)
}

fn print(core: &str, counts: &Counts, rivals: [f64; 6]) {
    println!("\ninstructions per multiplication, {core} (emulated); cycles are estimated");
    println!("{:<36} {:>8} {:>9} {:>7} {:>9} {:>7}", "", "Fude", "CMSIS-NN", "ratio", "cycles", "stack");
    let cycles = |count: &Count| count.estimated_cycles.map_or(f64::NAN, |cycles| cycles as f64 / count.macs as f64);
    for (shape, rival) in SHAPES.iter().zip(rivals) {
        let count = &counts[shape.name];
        let (per_mac, name) = (count.per_mac, format!("{} {}", shape.name, shape.description));
        let (ratio, cycles, stack) = (per_mac / rival, cycles(count), count.stack.unwrap_or_default());
        println!("{name:<36} {per_mac:>8.3} {rival:>9.3} {ratio:>7.2} {cycles:>9.3} {stack:>7}");
    }
    for (network, name) in [(NETWORK, "the reference network"), (BANDED_NETWORK, "… in an arena of 48 KB")] {
        let count = &counts[network];
        let name = format!("{name}, {:.2} M", count.instructions as f64 / 1e6);
        println!("{name:<36} {:>8.3} {:>27.3} {:>7}", count.per_mac, cycles(count), count.stack.unwrap_or_default());
    }
}
