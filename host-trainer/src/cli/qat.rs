//! `fude qat`: quantisation-aware training of a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::data::DataArguments;
use super::recipe::{RecipeArguments, StageArguments};
use super::stage::{SittingArguments, StageOutcome, run_stage};
use super::{CliError, Outcome};
use crate::train::{ComputeChoice, FitSettings, RunFolder, RunLock, Stage, compute_device};

/// Continue a float run with quantisation-aware training.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude qat runs/kanji
  fude qat runs/digits --epochs 1 --learn-ranges")]
pub struct QatArguments {
    /// Folder that `fude train` wrote.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    #[command(flatten)]
    pub recipe: RecipeArguments,
    #[command(flatten)]
    pub stage: StageArguments,
    /// Learn the activation ranges after they have been observed, instead of freezing them.
    #[arg(long)]
    pub learn_ranges: bool,
    /// Processor that trains.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
    #[command(flatten)]
    pub sitting: SittingArguments,
}

/// Runs the subcommand.
pub fn run(arguments: &QatArguments) -> Result<Outcome, CliError> {
    let stage = qat(arguments)?;
    stage.outcome(&format!("fude export {} --out model.fude", arguments.run.display()))
}

/// Trains and writes the run.
pub fn qat(arguments: &QatArguments) -> Result<StageOutcome, CliError> {
    let folder = RunFolder::new(&arguments.run);
    let mut info = folder.read_info()?;
    // What `fude train` was given, unless another file is named.
    let recipe = RecipeArguments {
        config: arguments.recipe.config.clone().or_else(|| Some(folder.config())),
        ..arguments.recipe.clone()
    };
    let mut config = recipe.resolve(&arguments.stage, |config| &mut config.qat)?;
    if config.model.preset != info.preset {
        let found =
            config.model.preset.to_possible_value().map_or(String::new(), |preset| preset.get_name().to_owned());
        return Err(format!(
            "{}: the run is of another preset than {found}; leave --preset out",
            arguments.run.display()
        )
        .into());
    }
    config.quantization.learn_ranges |= arguments.learn_ranges;
    let device = compute_device(arguments.device, info.seed)?;
    let network = folder.read_float(&device)?.network;
    let (dataset, validation) = DataArguments::from(&config.data).load_divided(true)?.training_and_validation();
    if dataset.classes.labels() != info.classes {
        let (found, expected) = (dataset.classes.len(), info.classes.len());
        return Err(format!(
            "{}: the data has other classes ({found}) than the run ({expected}); give the data of `fude train`",
            arguments.run.display()
        )
        .into());
    }
    let stage = Stage::Qat { learn_ranges: config.quantization.learn_ranges };
    let settings = FitSettings { stage, config: config.qat.clone() };
    info.qat = Some(settings.clone());
    (info.samples, info.validation) = (dataset.samples.len(), validation.samples.len());
    (info.distortion, info.sampling) = (config.data.distortion, config.data.sampling.clone());
    let lock = RunLock::take(folder.path())?;
    folder.write_config(&config)?;
    run_stage((&folder, &lock), info, settings, network, [dataset, validation], &device, &arguments.sitting)
}
