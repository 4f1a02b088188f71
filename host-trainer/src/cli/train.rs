//! `fude train`: a float network from data.

use std::path::PathBuf;

use clap::Args;
use fude_runtime::package::Preprocessing;

use super::data::DataArguments;
use super::progress::say;
use super::recipe::{RecipeArguments, StageArguments};
use super::stage::{SittingArguments, StageOutcome, run_stage};
use super::{CliError, Outcome};
use crate::dataset::Dataset;
use crate::model::Network;
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
    pub recipe: RecipeArguments,
    #[command(flatten)]
    pub stage: StageArguments,
    /// Folder of the run.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Name of the model; the run folder's otherwise.
    #[arg(long)]
    pub name: Option<String>,
    /// Processor that trains.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
    #[command(flatten)]
    pub sitting: SittingArguments,
}

/// Runs the subcommand.
pub fn run(arguments: &TrainArguments) -> Result<Outcome, CliError> {
    let stage = train(arguments)?;
    stage.outcome(&format!("fude qat {}", arguments.out.display()))
}

/// Trains and writes the run.
pub fn train(arguments: &TrainArguments) -> Result<StageOutcome, CliError> {
    let mut config = arguments.recipe.resolve(&arguments.stage, |config| &mut config.float)?;
    let file_name = arguments.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = arguments.name.clone().or(config.run.name.take()).or(file_name).unwrap_or_else(|| "model".to_owned());
    config.run.name = Some(name.clone());
    let preset = config.model.preset;
    let device = compute_device(arguments.device, config.run.seed)?;
    let data_arguments = DataArguments::from(&config.data);
    let data = data_arguments.load_divided(true)?;
    let manifest = data_arguments.manifest(&data)?;
    let (dataset, validation) = data.training_and_validation();
    warn_of_missing(&dataset);
    preset.check_classes(dataset.classes.len())?;
    let settings = FitSettings { stage: Stage::Float, config: config.float.clone() };
    let info = RunInfo {
        name,
        preset,
        classes: dataset.classes.labels().to_vec(),
        preprocessing: Preprocessing::ink_box(preset.longer_side()),
        seed: config.run.seed,
        data: data_arguments.names(),
        samples: dataset.samples.len(),
        validation: validation.samples.len(),
        distortion: config.data.distortion,
        sampling: config.data.sampling.clone(),
        float: settings.clone(),
        qat: None,
    };
    check_names(&info)?;
    let folder = RunFolder::new(&arguments.out);
    let lock = RunLock::take(folder.path())?;
    manifest.write(folder.path())?;
    folder.write_config(&config)?;
    if arguments.sitting.resume.is_none() {
        // They would go on from float weights that are about to be replaced.
        Checkpoints::new(folder.path(), Stage::Qat { learn_ranges: false }).remove_all()?;
    }
    let network = Network::new(info.architecture(), &device);
    run_stage((&folder, &lock), info, settings, network, [dataset, validation], &device, &arguments.sitting)
}

fn warn_of_missing(dataset: &Dataset) {
    if let Some((face, character)) = dataset.missing.first() {
        say(&format!(
            "note: {} glyphs are missing from the data, the first {character} in {face}",
            dataset.missing.len()
        ));
    }
}
