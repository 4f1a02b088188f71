//! `fude train`: a float network from data.

use std::path::PathBuf;
use std::sync::Arc;

use burn::module::Module;
use clap::Args;
use fude_runtime::package::Preprocessing;
use serde::Serialize;

use super::data::{DataArguments, Part, at_least_one, glyph_side};
use super::outcome::rows;
use super::progress::{bar, say};
use super::{CliError, Outcome};
use crate::dataset::{Dataset, Distortion};
use crate::model::{Network, Preset};
use crate::package::check_names;
use crate::train::{
    BatchStream, ComputeChoice, EpochReport, FitSettings, RunFolder, RunInfo, Stage, compute_device, device_name, fit,
};

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
    /// Processor that trains.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
}

/// What a stage of training came to.
#[derive(Debug, Serialize)]
pub struct StageOutcome {
    run: PathBuf,
    classes: usize,
    samples: usize,
    last_epoch: Option<EpochReport>,
}

impl StageOutcome {
    /// Samples of one pass.
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// Prints the last epoch and what to do next.
    pub fn outcome(&self, next: &str) -> Result<Outcome, CliError> {
        let mut table = vec![
            ("run", self.run.display().to_string()),
            ("classes", self.classes.to_string()),
            ("samples", self.samples.to_string()),
        ];
        if let Some(epoch) = &self.last_epoch {
            table.push(("loss", format!("{:.4}", epoch.loss)));
            table.push(("seconds", format!("{:.0}", epoch.seconds)));
            table.push(("images/s", format!("{:.0}", epoch.images_per_second)));
        }
        table.push(("next", next.to_owned()));
        Outcome::new(self, rows(&table))
    }
}

/// Runs the subcommand.
pub fn run(arguments: &TrainArguments) -> Result<Outcome, CliError> {
    let stage = train(arguments)?;
    stage.outcome(&format!("fude qat {} --data …", arguments.out.display()))
}

/// Trains and writes the run.
pub fn train(arguments: &TrainArguments) -> Result<StageOutcome, CliError> {
    let device = compute_device(arguments.device, arguments.seed)?;
    let dataset = arguments.data.load(Part::Training, true)?;
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
        float: settings,
        qat: None,
    };
    check_names(&info)?;
    folder.prepare()?;
    let network = Network::new(info.architecture(), &device);
    say(&format!(
        "training {} parameters on {} samples of {} classes",
        network.num_params(),
        info.samples,
        info.classes.len()
    ));
    run_stage(&folder, info, &settings, network, dataset, &device)
}

/// Trains one stage with a bar and a line an epoch, and writes the run.
pub fn run_stage(
    folder: &RunFolder,
    info: RunInfo,
    settings: &FitSettings,
    network: Network,
    dataset: Dataset,
    device: &burn::tensor::Device,
) -> Result<StageOutcome, CliError> {
    let strength = if info.mild { Distortion::mild() } else { Distortion::default() };
    let stream = BatchStream {
        preprocessing: info.preprocessing,
        side: info.preset.side(),
        batch_size: info.batch,
        // Another stage sees other distortions.
        seed: info.seed ^ u64::from(settings.stage != Stage::Float) << 32,
        distortion: Distortion { side: glyph_side(&dataset.samples), ..strength },
        dataset: Arc::new(dataset),
    };
    say(&format!("{} epochs on the {}", settings.epochs, device_name(device)));
    let progress = bar(stream.batches_per_epoch() * settings.epochs, "training (batches)");
    let mut history = Vec::new();
    let network = fit(
        network,
        stream,
        settings,
        device,
        |step, _| progress.set_position(step as u64),
        |report| {
            let line = format!(
                "epoch {:>3}/{}  loss {:.4}  rate {:.1e}  {:.0} images/s",
                report.epoch, settings.epochs, report.loss, report.learning_rate, report.images_per_second
            );
            // Every line on a terminal would bury what came before; a log keeps about ten.
            if report.epoch == settings.epochs || report.epoch.is_multiple_of(settings.epochs.div_ceil(10)) {
                progress.suspend(|| say(&line));
            }
            history.push(*report);
        },
    )?;
    progress.finish_and_clear();
    folder.write(&info, settings.stage, &network)?;
    folder.append_history(&history)?;
    Ok(StageOutcome {
        run: folder.path().to_owned(),
        classes: info.classes.len(),
        samples: info.samples,
        last_epoch: history.last().copied(),
    })
}

fn warn_of_missing(dataset: &Dataset) {
    if let Some((face, character)) = dataset.missing.first() {
        say(&format!(
            "note: {} glyphs are missing from the data, the first {character} in {face}",
            dataset.missing.len()
        ));
    }
}
