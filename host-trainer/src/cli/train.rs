//! `fude train`: a float network from data.

use std::path::PathBuf;

use clap::Args;
use fude_runtime::package::Preprocessing;

use super::data::{DataArguments, at_least_one};
use super::progress::say;
use super::stage::{CheckpointArguments, StageOutcome, run_stage};
use super::{CliError, Outcome};
use crate::dataset::{Dataset, Sampling};
use crate::model::{Network, Preset};
use crate::package::check_names;
use crate::train::{Checkpoints, ComputeChoice, FitSettings, RunFolder, RunInfo, RunLock, Stage, compute_device};

/// Train a float network.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude train --data fonts:/usr/share/fonts --characters grade1 --out runs/kanji
  fude train --data idx:train-images-idx3-ubyte.gz --preset micro --mild --hold-back 10000 --epochs 8 --out runs/mnist
  fude train --data folder:my-glyphs --out runs/mine")]
pub struct TrainArguments {
    #[command(flatten)]
    pub data: DataArguments,
    /// Folder of the run.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Name of the model; the run folder's otherwise.
    #[arg(long)]
    pub name: Option<String>,
    /// Architecture.
    #[arg(long, value_enum, default_value = "small")]
    pub preset: Preset,
    /// Passes over the data, every pass with other distortions.
    #[arg(long, default_value_t = 60, value_parser = at_least_one())]
    pub epochs: usize,
    /// Glyphs a batch.
    #[arg(long, default_value_t = 64, value_parser = at_least_one())]
    pub batch: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 4e-3)]
    pub learning_rate: f64,
    /// Seed of weights, order and distortions.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Distort less: for samples that are handwriting already.
    #[arg(long)]
    pub mild: bool,
    /// How often an epoch sees each class: `uniform` (every sample once), `balanced` (every class equally often),
    /// `power=P` (as often as its number of samples to the power P) or `weights=FILE` (lines of label, tab, weight).
    #[arg(long, value_name = "HOW", default_value = "uniform")]
    pub sampling: Sampling,
    /// Processor that trains.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
    #[command(flatten)]
    pub checkpoints: CheckpointArguments,
}

/// Runs the subcommand.
pub fn run(arguments: &TrainArguments) -> Result<Outcome, CliError> {
    let stage = train(arguments)?;
    stage.outcome(&format!("fude qat {} --data …", arguments.out.display()))
}

/// Trains and writes the run.
pub fn train(arguments: &TrainArguments) -> Result<StageOutcome, CliError> {
    let device = compute_device(arguments.device, arguments.seed)?;
    let data = arguments.data.load_divided(true)?;
    let manifest = arguments.data.manifest(&data)?;
    let (dataset, validation) = data.training_and_validation();
    warn_of_missing(&dataset);
    let folder = RunFolder::new(&arguments.out);
    let file_name = arguments.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let settings = FitSettings {
        stage: Stage::Float,
        epochs: arguments.epochs,
        learning_rate: arguments.learning_rate,
        weight_decay: 0.02,
        label_smoothing: 0.05,
    };
    let info = RunInfo {
        name: arguments.name.clone().or(file_name).unwrap_or_else(|| "model".to_owned()),
        preset: arguments.preset,
        classes: dataset.classes.labels().to_vec(),
        preprocessing: Preprocessing::ink_box(arguments.preset.longer_side()),
        seed: arguments.seed,
        data: arguments.data.names(),
        samples: dataset.samples.len(),
        batch: arguments.batch,
        mild: arguments.mild,
        validation: validation.samples.len(),
        sampling: arguments.sampling.clone(),
        float: settings,
        qat: None,
    };
    check_names(&info)?;
    let lock = RunLock::take(folder.path())?;
    manifest.write(folder.path())?;
    if arguments.checkpoints.resume.is_none() {
        // They would go on from float weights that are about to be replaced.
        Checkpoints::new(folder.path(), Stage::Qat { learn_ranges: false }).remove_all()?;
    }
    let network = Network::new(info.architecture(), &device);
    run_stage((&folder, &lock), info, &settings, network, [dataset, validation], &device, &arguments.checkpoints)
}

fn warn_of_missing(dataset: &Dataset) {
    if let Some((face, character)) = dataset.missing.first() {
        say(&format!(
            "note: {} glyphs are missing from the data, the first {character} in {face}",
            dataset.missing.len()
        ));
    }
}
