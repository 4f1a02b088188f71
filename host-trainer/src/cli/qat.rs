//! `fude qat`: quantisation-aware training of a run.

use std::path::PathBuf;

use clap::Args;

use super::data::{DataArguments, at_least_one};
use super::stage::{CheckpointArguments, StageOutcome, run_stage};
use super::{CliError, Outcome};
use crate::train::{ComputeChoice, FitSettings, RunFolder, RunLock, Stage, compute_device};

/// Continue a float run with quantisation-aware training.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude qat runs/kanji --data fonts:/usr/share/fonts --characters grade1
  fude qat runs/digits --data idx:train-images-idx3-ubyte.gz --hold-back 10000 --epochs 1 --learn-ranges")]
pub struct QatArguments {
    /// Folder that `fude train` wrote.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    #[command(flatten)]
    pub data: DataArguments,
    /// Passes over the data.
    #[arg(long, default_value_t = 12, value_parser = at_least_one())]
    pub epochs: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 5e-4)]
    pub learning_rate: f64,
    /// Learn the activation ranges after they have been observed, instead of freezing them.
    #[arg(long)]
    pub learn_ranges: bool,
    /// Processor that trains.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
    #[command(flatten)]
    pub checkpoints: CheckpointArguments,
}

/// Runs the subcommand.
pub fn run(arguments: &QatArguments) -> Result<Outcome, CliError> {
    let stage = qat(arguments)?;
    stage.outcome(&format!("fude export {} --out model.fude", arguments.run.display()))
}

/// Trains and writes the run.
pub fn qat(arguments: &QatArguments) -> Result<StageOutcome, CliError> {
    let folder = RunFolder::new(&arguments.run);
    let seed = folder.read_info()?.seed;
    let device = compute_device(arguments.device, seed)?;
    let checkpoint = folder.read_float(&device)?;
    let (dataset, validation) = arguments.data.load_divided(true)?.training_and_validation();
    if dataset.classes.labels() != checkpoint.info.classes {
        let (found, expected) = (dataset.classes.len(), checkpoint.info.classes.len());
        return Err(format!(
            "{}: the data has other classes ({found}) than the run ({expected}); give the data of `fude train`",
            arguments.run.display()
        )
        .into());
    }
    let settings = FitSettings {
        stage: Stage::Qat { learn_ranges: arguments.learn_ranges },
        epochs: arguments.epochs,
        learning_rate: arguments.learning_rate,
        weight_decay: 0.0,
        label_smoothing: checkpoint.info.float.label_smoothing,
    };
    let mut info = checkpoint.info;
    info.qat = Some(settings);
    (info.samples, info.validation) = (dataset.samples.len(), validation.samples.len());
    let lock = RunLock::take(folder.path())?;
    run_stage(
        (&folder, &lock),
        info,
        &settings,
        checkpoint.network,
        [dataset, validation],
        &device,
        &arguments.checkpoints,
    )
}
