//! `fude eval`: accuracy of a package or a checkpoint.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::data::TestArguments;
use super::outcome::{percent, rows};
use super::progress::bar;
use super::{CliError, Outcome};
use crate::evaluate::{Evaluation, evaluate_checkpoint, evaluate_package};
use crate::package::PackageFile;
use crate::train::{ComputeChoice, RunFolder, compute_device};

/// Measure accuracy.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude eval models/quickstart.fude --data fonts:YuseiMagic-Regular.ttf --characters grade1 --distortions 30
  fude eval kanji.fude --data idx:images-idx3-ubyte.gz --classes classes.tsv --json
  fude eval runs/kanji --stage float --data folder:my-glyphs")]
pub struct EvalArguments {
    /// A package, or the folder of a run.
    #[arg(value_name = "PACKAGE|RUN")]
    pub model: PathBuf,
    #[command(flatten)]
    pub test: TestArguments,
    /// Which weights of a run: the latest stage's otherwise.
    #[arg(long, value_enum)]
    pub stage: Option<StageChoice>,
}

/// A stage of a run, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StageChoice {
    /// The float network.
    Float,
    /// The fake-quantised network.
    Qat,
}

/// Runs the subcommand.
pub fn run(arguments: &EvalArguments) -> Result<Outcome, CliError> {
    let evaluation = evaluate(arguments)?;
    let mut text = rows(&[
        ("samples", evaluation.n.to_string()),
        ("skipped", evaluation.skipped.to_string()),
        ("top-1", percent(evaluation.top1)),
        ("top-5", percent(evaluation.top5)),
        ("top-10", percent(evaluation.top10)),
    ]);
    let confusions = evaluation.confusions.iter().take(8);
    let confusions: Vec<String> = confusions.map(|c| format!("{}→{} {}×", c.truth, c.answer, c.count)).collect();
    if !confusions.is_empty() {
        text.push_str(&format!("mistakes: {}\n", confusions.join("  ")));
    }
    Outcome::new(&evaluation, text)
}

/// Evaluates a run's network or a package.
pub fn evaluate(arguments: &EvalArguments) -> Result<Evaluation, CliError> {
    if arguments.model.is_dir() {
        return evaluate_run(arguments);
    }
    let file = PackageFile::read(&arguments.model)?;
    let labels: Vec<String> = file.open()?.labels().map(str::to_owned).collect();
    let set = arguments.test.load(&labels, true)?;
    let progress = bar(set.glyphs.len(), "evaluating the package");
    let evaluation = evaluate_package(&file, &set, |count| progress.inc(count))?;
    progress.finish_and_clear();
    Ok(evaluation)
}

fn evaluate_run(arguments: &EvalArguments) -> Result<Evaluation, CliError> {
    let folder = RunFolder::new(&arguments.model);
    let info = folder.read_info()?;
    let device = compute_device(ComputeChoice::Cpu, info.seed)?;
    let checkpoint = match arguments.stage {
        Some(StageChoice::Float) => folder.read_float(&device)?,
        Some(StageChoice::Qat) if info.qat.is_none() => {
            return Err(format!("{}: no qat stage yet; run `fude qat` on it first", arguments.model.display()).into());
        }
        Some(StageChoice::Qat) | None => folder.read_latest(&device)?,
    };
    let set = arguments.test.load(&checkpoint.info.classes, true)?;
    let progress = bar(set.glyphs.len(), "evaluating the network");
    let mode = checkpoint.stage.evaluation_mode();
    let evaluation = evaluate_checkpoint(&checkpoint, mode, &set, &device, |done| progress.set_position(done as u64))?;
    progress.finish_and_clear();
    Ok(evaluation)
}
