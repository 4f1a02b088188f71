//! Instructions of one glyph through the reference network on the cores of Raspberry Pis, beside tract's; `make bench-pi` runs
//! it.
//!
//! All of it is emulated: QEMU's user mode runs the programs and its log says what they ran. Outputs of Fude are compared
//! with the oracle in the same run. Counted is a whole inference: Fude from an INT8 tensor to the last one, tract from one
//! float tensor to another, by its optimised plan and after a first run.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use fude_runtime::trial::{Kernel, SHAPES};
use fude_trainer::device::trials::benchmark::{CLASSES, Counts, NETWORK, count_linux, network};
use fude_trainer::device::trials::description::describe;
use fude_trainer::device::trials::linux::{CORES, Core, differing, run_program};
use fude_trainer::device::trials::summary;
use fude_trainer::files::write_atomically;
use fude_trainer::model::Preset;
use serde::Serialize;
use tempfile::NamedTempFile;

/// The most of tract's instructions that Fude is to run.
const TARGET_RATIO: f64 = 0.35;

#[derive(Parser)]
struct Arguments {
    /// The program of `tract/`, built for AArch64.
    #[arg(long, value_name = "FILE")]
    tract: PathBuf,
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

/// What a core came to.
#[derive(Serialize)]
struct Record {
    emulated: &'static str,
    weights: &'static str,
    fude: Counts,
    tract: Rival,
    ratio_to_tract: f64,
}

/// The same network in float.
#[derive(Serialize)]
struct Rival {
    version: String,
    instructions: u64,
    per_mac: f64,
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
    let trial = network(Preset::Reference, CLASSES);
    let mut description = NamedTempFile::new()?;
    description.write_all(&serde_json::to_vec(&describe(trial.graph()))?)?;
    let macs = trial.graph().total_cost().macs;
    let mut records = BTreeMap::new();
    let mut wrong = 0;
    for core in &CORES {
        let fude = count_linux(core)?;
        let tract = count_tract(core, &arguments.tract, description.path(), macs)?;
        let ratio_to_tract = fude[NETWORK].instructions as f64 / tract.instructions as f64;
        let record = Record { emulated: core.cpu, weights: core.weights.name(), fude, tract, ratio_to_tract };
        print(&record, macs);
        records.insert(core.name, record);
        wrong += compare(core, arguments.trials)?;
    }
    if let Some(path) = &arguments.out {
        let mut text = serde_json::to_vec_pretty(&records)?;
        text.push(b'\n');
        write_atomically(path, &text)?;
        println!("\nwritten to {}", path.display());
    }
    Ok(wrong)
}

/// Runs tract's program.
fn count_tract(core: &Core, program: &Path, description: &Path, macs: u64) -> Result<Rival, Box<dyn Error>> {
    // By the core's number tract chooses its kernels, and the emulator shows the host's.
    let environment = [("TRACT_CPU_AARCH64_OVERRIDE_CPU_PART", core.part)];
    let command = [program, description].map(AsRef::<OsStr>::as_ref);
    let (text, sums) = run_program(core, &command, &environment, true)?;
    let version = text.trim().to_owned();
    let [instructions] = sums[..] else { return Err("tract's program marks one run".into()) };
    Ok(Rival { version, instructions, per_mac: instructions as f64 / macs as f64 })
}

/// Random trials of every kernel; how many outputs were not the oracle's.
fn compare(core: &Core, trials: u64) -> Result<usize, Box<dyn Error>> {
    let mut wrong = 0;
    for kernel in Kernel::ALL.into_iter().filter(|_| trials > 0) {
        let differing = differing(core, kernel, trials)?;
        println!("{}", summary(kernel, trials, &differing));
        wrong += differing.len();
    }
    Ok(wrong)
}

fn print(record: &Record, macs: u64) {
    let Record { emulated, weights, fude, tract, ratio_to_tract } = record;
    println!("\n{emulated} (emulated), weights `{weights}`{:>24} {:>9}", "instructions", "per MAC");
    let line = |name: &str, instructions: u64, per_mac: f64| println!("{name:<42} {instructions:>12} {per_mac:>9.4}");
    for shape in SHAPES {
        let count = &fude[shape.name];
        line(&format!("{} {}", shape.name, shape.description), count.instructions, count.per_mac);
    }
    let count = &fude[NETWORK];
    line(&format!("the reference network, {:.1} M MACs", macs as f64 / 1e6), count.instructions, count.per_mac);
    line(&format!("the same in tract {}, float", tract.version), tract.instructions, tract.per_mac);
    println!("Fude / tract {ratio_to_tract:.3}, at most {TARGET_RATIO} is wanted");
}
