//! `fude report`: a page about a run.

use std::path::{Path, PathBuf};

use clap::Args;

use super::data::TestArguments;
use super::outcome::{grouped, percent, rows};
use super::progress::bar;
use super::{CliError, Outcome};
use crate::label_font::{DEFAULT_FACE, LabelFont};
use crate::machine::{FONT_FOLDER, FontFiles};
use crate::package::PackageFile;
use crate::report::{FOLDER, Form, Report, Subject};
use crate::train::{ComputeChoice, RunFolder, compute_device};

/// Write a page about a run: curves, accuracy in every form, confusions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude report runs/kanji --data fonts:YuseiMagic-Regular.ttf --characters grade1 --distortions 30
  fude report runs/mnist --data idx:train-images-idx3-ubyte.gz --hold-back 10000 --package mnist.fude

Writes RUN/report/index.html, which needs no network and no other file, and its parts beside it: charts (SVG),
matrices (PNG), tables (CSV), and every figure in metrics.json, which --json prints. docs/report.md explains them.")]
pub struct ReportArguments {
    /// Folder that `fude train` and `fude qat` wrote.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    #[command(flatten)]
    pub test: TestArguments,
    /// The package that was exported from the run; the run itself is made INT8 otherwise.
    #[arg(long, value_name = "FILE.fude")]
    pub package: Option<PathBuf>,
    /// Folder of the report; `report` within the run's otherwise.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: &ReportArguments) -> Result<Outcome, CliError> {
    let report = report(arguments)?;
    let font = FontFiles::below(Path::new(FONT_FOLDER)).find(DEFAULT_FACE).map(LabelFont::read).transpose()?;
    let folder = arguments.out.clone().unwrap_or_else(|| arguments.run.join(FOLDER));
    let page = report.write(&folder, font.as_ref())?;
    Outcome::new(&report.metrics, text(&report, &page))
}

/// Evaluates the run.
fn report(arguments: &ReportArguments) -> Result<Report, CliError> {
    let folder = RunFolder::new(&arguments.run);
    let info = folder.read_info()?;
    let device = compute_device(ComputeChoice::Cpu, info.seed)?;
    let package = arguments.package.as_deref().map(PackageFile::read).transpose()?;
    let set = arguments.test.load(&info.classes, true)?;
    let samples = set.glyphs.len();
    let subject = Subject { folder: &folder, set, data: arguments.test.data.names(), package };
    let progress = bar(samples * subject.forms(&info), "evaluating");
    let report = subject.measure(&device, |form, count| {
        progress.set_message(format!("evaluating {}", form.title()));
        progress.inc(count as u64);
    })?;
    progress.finish_and_clear();
    Ok(report)
}

fn text(report: &Report, page: &Path) -> String {
    let metrics = &report.metrics;
    let mut table = vec![("samples".to_owned(), grouped(metrics.samples.count as u64))];
    for form in &metrics.forms {
        let [low, high] = [form.top1_interval.low, form.top1_interval.high].map(percent);
        table.push((format!("{} top-1", form.form.title()), format!("{} ({low} to {high})", percent(form.top1))));
    }
    for agreement in metrics.agreement.iter().filter(|agreement| agreement.second == Form::FakeQuantized) {
        table.push(("INT8 as fake-quantised".to_owned(), percent(agreement.share)));
    }
    if let Some(package) = &metrics.package {
        table.push(("package bytes".to_owned(), grouped(package.package_bytes as u64)));
        table.push(("arena bytes".to_owned(), grouped(package.arena_bytes as u64)));
    }
    table.push(("page".to_owned(), page.display().to_string()));
    let table: Vec<(&str, String)> = table.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    rows(&table)
}
