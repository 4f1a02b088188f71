//! One glyph through the reference network on one thread of this machine, beside LiteRT INT8, ONNX Runtime INT8 and tract;
//! `make bench-host` runs it.
//!
//! All take turns in one run and the best time of each counts: other work on the machine only ever adds.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use fude_runtime::graph::Graph;
use fude_runtime::kernels::arch;
use fude_runtime::package::AlignedBytes;
use fude_runtime::trial::Trial;
use fude_trainer::device::trials::benchmark::{CLASSES, network};
use fude_trainer::device::trials::description::describe;
use fude_trainer::files::write_atomically;
use fude_trainer::model::Preset;
use serde::{Deserialize, Serialize};

/// How long each turn of ours takes.
const TURN: Duration = Duration::from_secs(2);

#[derive(Parser)]
struct Arguments {
    /// A Python with ai-edge-litert, onnxruntime, onnx and tract.
    #[arg(long, value_name = "FILE")]
    python: PathBuf,
    /// Where the ratios go.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The best nanoseconds of each rival.
#[derive(Deserialize)]
struct Rivals {
    litert_int8: f64,
    onnxruntime_int8: f64,
    tract_fp32: f64,
}

#[derive(Serialize)]
struct Report {
    layout: &'static str,
    macs: u64,
    fude_ns: f64,
    litert_int8_ns: f64,
    onnxruntime_int8_ns: f64,
    tract_fp32_ns: f64,
    ratio_to_litert_int8: f64,
    ratio_to_onnxruntime_int8: f64,
    ratio_to_tract_fp32: f64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let trial = network(Preset::Reference, CLASSES);
    let layout = arch::preferred();
    let bytes = AlignedBytes::copy_of(&trial.write(layout)?);
    let (readable, _) = Trial::read(bytes.as_slice()).ok_or("the trial cannot be read back")?;
    let mut arena = AlignedBytes::copy_of(&vec![0; readable.arena_bytes()]);
    let mut ours = time(&readable, arena.as_mut_slice())?;
    let rivals = rivals(arguments, trial.graph())?;
    ours = ours.min(time(&readable, arena.as_mut_slice())?);

    let report = Report {
        layout: layout.name(),
        macs: trial.graph().total_cost().macs,
        fude_ns: ours,
        litert_int8_ns: rivals.litert_int8,
        onnxruntime_int8_ns: rivals.onnxruntime_int8,
        tract_fp32_ns: rivals.tract_fp32,
        ratio_to_litert_int8: ours / rivals.litert_int8,
        ratio_to_onnxruntime_int8: ours / rivals.onnxruntime_int8,
        ratio_to_tract_fp32: ours / rivals.tract_fp32,
    };
    println!("one glyph, one thread, {:.1} M multiplications, weights `{}`", report.macs as f64 / 1e6, report.layout);
    println!("{:<20} {:>10.1} µs", "Fude INT8", ours / 1e3);
    for (name, time) in [
        ("LiteRT INT8", rivals.litert_int8),
        ("ONNX Runtime INT8", rivals.onnxruntime_int8),
        ("tract, float", rivals.tract_fp32),
    ] {
        println!("{name:<20} {:>10.1} µs   ratio {:.3}", time / 1e3, ours / time);
    }
    if let Some(path) = &arguments.out {
        write_atomically(path, &serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

/// The least nanoseconds of an inference.
fn time(trial: &Trial<'_>, arena: &mut [u8]) -> Result<f64, Box<dyn Error>> {
    let (mut least, end) = (Duration::MAX, Instant::now() + TURN);
    while Instant::now() < end {
        trial.prepare(arena).ok_or("the arena is too small")?;
        let start = Instant::now();
        black_box(trial.run(arena).ok_or("the trial does not run")?);
        least = least.min(start.elapsed());
    }
    Ok(least.as_nanos() as f64)
}

fn rivals(arguments: &Arguments, graph: &Graph) -> Result<Rivals, Box<dyn Error>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/host/rivals.py");
    let mut child = Command::new(&arguments.python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let description = serde_json::to_vec(&describe(graph))?;
    child.stdin.take().ok_or("no standard input")?.write_all(&description)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{} failed: {}", arguments.python.display(), output.status).into());
    }
    // Libraries may talk before the last line, which is the answer.
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
}
