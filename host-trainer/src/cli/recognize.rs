//! `fude recognize`: one picture, the best classes.

use std::path::PathBuf;

use clap::Args;
use fude_runtime::limits::MAX_TOP_K;
use fude_runtime::recognizer::Recognizer;
use serde::Serialize;

use super::{CliError, Outcome};
use crate::dataset::load_glyph;
use crate::evaluate::image_of;
use crate::package::PackageFile;

/// Recognise the character in a picture.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude recognize models/quickstart.fude glyph.png
  fude recognize models/quickstart.fude glyph.png --top-k 3 --json")]
pub struct RecognizeArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// A PNG or JPEG of one character, dark on light or light on dark.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// How many answers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=MAX_TOP_K as i64))]
    pub top_k: u8,
}

#[derive(Debug, Serialize)]
struct Recognition {
    answers: Vec<AnswerRow>,
}

#[derive(Debug, Serialize)]
struct AnswerRow {
    class: u16,
    label: String,
    /// The logit as a real number.
    logit: f32,
    /// Softmax over all classes.
    probability: f32,
}

/// Runs the subcommand.
pub fn run(arguments: &RecognizeArguments) -> Result<Outcome, CliError> {
    let file = PackageFile::read(&arguments.package)?;
    let glyph = load_glyph(&arguments.image)?;
    let package = file.open()?;
    let scale = package.output().scale;
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(package, &mut arena)?;
    let image = image_of(&glyph).map_err(|error| format!("{}: {error}", arguments.image.display()))?;
    let answers = recognizer.recognize(&image, arguments.top_k.into())?;

    let largest = answers.first().map_or(0.0, |answer| f32::from(answer.score) * scale);
    let total: f32 = recognizer.scores().map(|score| (f32::from(score) * scale - largest).exp()).sum();
    let answers = answers.iter().map(|answer| {
        let logit = f32::from(answer.score) * scale;
        let label = recognizer.package().label(answer.class.into()).to_owned();
        AnswerRow { class: answer.class, label, logit, probability: (logit - largest).exp() / total }
    });
    let recognition = Recognition { answers: answers.collect() };
    let lines = recognition.answers.iter().map(|answer| {
        let bar = "█".repeat((30.0 * answer.probability).round() as usize);
        format!("{}  {:6.2} %  {bar}\n", answer.label, 100.0 * answer.probability)
    });
    let text = lines.collect();
    Outcome::new(&recognition, text)
}
