//! Training speed on the reference network, beside PyTorch's on this machine in the same run.
//!
//! Both sides train the same network on the same kind of batch with the same optimiser: forward pass, backward pass and
//! update, without reading or drawing glyphs. They take turns, because a machine that others use too is now faster and
//! now slower, and the median of the turns counts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use fude_trainer::files::write_atomically;
use fude_trainer::model::{Mode, Network, Preset};
use fude_trainer::quantize::RangeSource;
use fude_trainer::train::{Batch, Learner, StageConfig, Step};
use mimalloc::MiMalloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Kanji of the ETL Character Database's first level.
const CLASSES: usize = 3036;
const NETWORK: Preset = Preset::Reference;

/// Measure training speed, beside PyTorch where a Python that has it is named.
#[derive(Debug, Parser)]
struct Arguments {
    /// Python with PyTorch.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Turns of each side.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Glyphs of a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Where the record is written, as JSON.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one side came to.
#[derive(Debug, Serialize)]
struct Side {
    /// Images a second: the median of the turns.
    images_per_second: f64,
    turns: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Record {
    network: &'static str,
    classes: usize,
    batch: usize,
    threads: usize,
    fude: Side,
    /// The quantisation-aware stage, which has no counterpart here.
    fude_fake_quantized: Side,
    pytorch: Option<Side>,
    pytorch_version: Option<String>,
    ratio_to_pytorch: Option<f64>,
}

/// A line of the Python side.
#[derive(Debug, Deserialize)]
struct Reading {
    images_per_second: f64,
    version: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let threads = std::thread::available_parallelism()?.get();
    let mut fude = Fude::new(arguments.batch);
    let (mut float, mut quantized, mut theirs, mut version) = (Vec::new(), Vec::new(), Vec::new(), None);
    for turn in 1..=arguments.turns {
        let say = |who, images_per_second: f64| {
            eprintln!("turn {turn} of {}: {who:<22} {images_per_second:7.1} images/s", arguments.turns);
            images_per_second
        };
        float.push(say("Fude", fude.turn(Mode::Float, arguments.seconds)));
        if let Some(python) = &arguments.python {
            let reading = pytorch(python, &arguments, threads)?;
            theirs.push(say("PyTorch", reading.images_per_second));
            version = Some(reading.version);
        }
        let mode = Mode::FakeQuantized(RangeSource::Observe);
        quantized.push(say("Fude, fake quantised", fude.turn(mode, arguments.seconds)));
    }
    let (fude, pytorch) = (Side::of(float), (!theirs.is_empty()).then(|| Side::of(theirs)));
    let record = Record {
        network: "reference",
        classes: CLASSES,
        batch: arguments.batch,
        threads,
        ratio_to_pytorch: pytorch.as_ref().map(|side| fude.images_per_second / side.images_per_second),
        fude,
        fude_fake_quantized: Side::of(quantized),
        pytorch,
        pytorch_version: version,
    };
    let text = serde_json::to_string_pretty(&record)? + "\n";
    print!("{text}");
    if let Some(path) = &arguments.out {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        write_atomically(path, text.as_bytes())?;
    }
    Ok(())
}

impl Side {
    fn of(turns: Vec<f64>) -> Self {
        let mut sorted = turns.clone();
        sorted.sort_by(f64::total_cmp);
        Self { images_per_second: sorted[sorted.len() / 2], turns }
    }
}

/// Our side.
struct Fude {
    learner: Option<Learner>,
    batch: Batch,
    steps: usize,
}

impl Fude {
    fn new(size: usize) -> Self {
        let device = burn::tensor::Device::flex();
        device.seed(1);
        let learner = Learner::new(
            Network::new(NETWORK.architecture(CLASSES), &device),
            &StageConfig { batch: size, ..StageConfig::default() },
            None,
            &device,
        );
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let pixels = (0..size * NETWORK.side() * NETWORK.side()).map(|_| rng.random()).collect();
        let labels = (0..size).map(|_| rng.random_range(0..CLASSES as u32)).collect();
        let mut fude = Self { learner: Some(learner), batch: Batch { pixels, labels }, steps: 0 };
        (0..3).for_each(|_| fude.step(Mode::Float));
        fude
    }

    fn step(&mut self, mode: Mode) {
        let step = Step { mode, learning_rate: 1e-3, seed: 1, number: self.steps };
        self.learner = self.learner.take().map(|learner| learner.step(&self.batch, step).0);
        self.steps += 1;
    }

    /// Images a second over some seconds.
    fn turn(&mut self, mode: Mode, seconds: f64) -> f64 {
        let (started, before) = (Instant::now(), self.steps);
        while started.elapsed().as_secs_f64() < seconds {
            self.step(mode);
        }
        ((self.steps - before) * self.batch.labels.len()) as f64 / started.elapsed().as_secs_f64()
    }
}

fn pytorch(python: &PathBuf, arguments: &Arguments, threads: usize) -> Result<Reading, Box<dyn std::error::Error>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/train/pytorch.py");
    let numbers =
        [CLASSES.to_string(), arguments.batch.to_string(), arguments.seconds.to_string(), threads.to_string()];
    let output = Command::new(python).arg(script).args(numbers).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", python.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
