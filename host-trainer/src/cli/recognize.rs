//! `fude recognize`: one picture, the best classes.

use std::path::PathBuf;

use clap::Args;
use fude_runtime::limits::MAX_TOP_K;
use fude_runtime::recognizer::Recognizer;

use super::answers::Recognition;
use super::{CliError, Outcome};
use crate::dataset::load_glyph;
use crate::evaluate::image_of;
use crate::package::PackageFile;
use crate::simulate::{is_stroke_file, read_strokes, written};

/// Recognise the character in a picture, or one written by a pen.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude recognize models/quickstart.fude glyph.png
  fude recognize models/quickstart.fude strokes.json
  fude recognize models/quickstart.fude glyph.png --top-k 3 --json")]
pub struct RecognizeArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// A PNG or JPEG of one character, dark on light or light on dark; or a .json file of its strokes, as
    /// `fude simulate` takes it.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// How many answers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=MAX_TOP_K as i64))]
    pub top_k: u8,
}

/// Runs the subcommand.
pub fn run(arguments: &RecognizeArguments) -> Result<Outcome, CliError> {
    let path = arguments.image.as_path();
    let file = PackageFile::read(&arguments.package)?;
    let package = file.open()?;
    let glyph = if is_stroke_file(path) {
        match read_strokes(path)?.as_slice() {
            [strokes] => written(strokes),
            several => {
                let count = several.len();
                return Err(format!("{}: holds {count} characters; use `fude simulate`", path.display()).into());
            }
        }
    } else {
        load_glyph(path)?
    };
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena)?;
    let image = image_of(&glyph).map_err(|error| format!("{}: {error}", path.display()))?;
    let best = recognizer.recognize(&image, arguments.top_k.into())?;

    let recognition = Recognition::of(&recognizer, &best);
    Outcome::new(&recognition, recognition.text())
}
