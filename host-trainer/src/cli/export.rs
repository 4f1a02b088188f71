//! `fude export`: a checkpoint becomes a package.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::data::{DataArguments, Part};
use super::outcome::{grouped, rows};
use super::progress::say;
use super::repack::LayoutArguments;
use super::{CliError, Outcome};
use crate::budget;
use crate::evaluate::image_of;
use crate::files::write_atomically;
use crate::label_font::{DEFAULT_FACE, LabelFont};
use crate::machine::{FONT_FOLDER, FontFiles};
use crate::package::{PackageFile, PackingError, count_label_bitmaps, pack};
use crate::train::{ComputeChoice, RunFolder, TrainConfig, compute_device, image_to_input};

/// Golden vectors of a package.
const GOLDEN_VECTORS: usize = 4;

/// Pack a quantised run for boards.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude export runs/kanji --out kanji.fude
  fude export runs/kanji --out kanji-m4.fude --board qemu-m4 --arena 49152
  fude export runs/kanji --out kanji.fude --data folder:my-glyphs --label-font ipaexg.ttf

Weights are laid out for portable kernels unless others are named; `fude repack` changes it later. A package for a board
that has no memory or budget for it is not written: exit status 1.")]
pub struct ExportArguments {
    /// Folder that `fude train` and `fude qat` wrote.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The package to write.
    #[arg(long, value_name = "FILE.fude")]
    pub out: PathBuf,
    /// Data whose samples, the run's where none is named, become the board's self-test.
    #[command(flatten)]
    pub data: DataArguments,
    /// Font of the labels on a board's display: `installed` is GNU Unifont, `none` leaves the labels' bitmaps out.
    #[arg(long, value_name = "FILE|installed|none", default_value = "installed")]
    pub label_font: LabelFontChoice,
    /// For what; portable kernels where none are named.
    #[command(flatten)]
    pub layout: LayoutArguments,
}

/// Which font labels are drawn in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFontChoice {
    /// [`DEFAULT_FACE`], where it is installed.
    Installed,
    /// None: displays show code points.
    None,
    /// This one.
    File(PathBuf),
}

impl FromStr for LabelFontChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "installed" => Self::Installed,
            "none" => Self::None,
            path => Self::File(path.into()),
        })
    }
}

/// What was packed.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// The file.
    pub package: PathBuf,
    /// Its length.
    pub package_bytes: usize,
    /// Arena that it needs.
    pub arena_bytes: usize,
    /// Classes.
    pub classes: usize,
    /// Vectors of the board's self-test.
    pub golden_vectors: usize,
    /// Classes whose label a board can show as a bitmap.
    pub label_bitmaps: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &ExportArguments) -> Result<Outcome, CliError> {
    let exported = export(arguments)?;
    let table = rows(&[
        ("package", exported.package.display().to_string()),
        ("bytes", grouped(exported.package_bytes as u64)),
        ("arena bytes", grouped(exported.arena_bytes as u64)),
        ("classes", exported.classes.to_string()),
        ("golden vectors", exported.golden_vectors.to_string()),
        ("label bitmaps", exported.label_bitmaps.to_string()),
    ]);
    Outcome::new(&exported, table)
}

/// Packs and writes.
pub fn export(arguments: &ExportArguments) -> Result<Exported, CliError> {
    let folder = RunFolder::new(&arguments.run);
    let device = compute_device(ComputeChoice::Cpu, folder.read_info()?.seed)?;
    let checkpoint = folder.read_latest(&device)?;
    let info = &checkpoint.info;
    let label_font = label_font(&arguments.label_font)?;
    // Those of training, unless others are named.
    let data = match arguments.data.data.is_empty() {
        true => DataArguments::from(&TrainConfig::read(&folder.config())?.data),
        false => arguments.data.clone(),
    };
    let dataset = data.load(Part::Training, false)?;
    // Spread over the data, so that the vectors are of different classes.
    let step = (dataset.samples.len() / GOLDEN_VECTORS).max(1);
    let golden: Result<Vec<Vec<u8>>, PackingError> = dataset
        .samples
        .iter()
        .step_by(step)
        .take(GOLDEN_VECTORS)
        .map(|sample| Ok(image_to_input(&image_of(&sample.glyph)?, info.preprocessing, info.preset.side())))
        .collect();
    let board = arguments.layout.board()?;
    let packed = PackageFile::new(&pack(&checkpoint, &golden?, label_font.as_ref())?, &arguments.out)?;
    let bytes = arguments.layout.laid_out(&packed, board.as_ref())?;
    let file = PackageFile::new(&bytes, &arguments.out)?;
    if let Some(board) = &board {
        budget::check(board, None, &file)?;
    }
    write_atomically(&arguments.out, &bytes)?;
    let package = file.as_stored()?;
    Ok(Exported {
        package: arguments.out.clone(),
        package_bytes: package.package_bytes(),
        arena_bytes: package.arena_bytes(),
        classes: package.classes(),
        golden_vectors: package.golden().count(),
        label_bitmaps: count_label_bitmaps(&package),
    })
}

/// The font of `choice`. Where none is installed the package goes without, and a line says so.
fn label_font(choice: &LabelFontChoice) -> Result<Option<LabelFont>, CliError> {
    let installed = FontFiles::below(Path::new(FONT_FOLDER));
    let path = match choice {
        LabelFontChoice::None => return Ok(None),
        LabelFontChoice::File(path) => Some(path.as_path()),
        LabelFontChoice::Installed => installed.find(DEFAULT_FACE),
    };
    if path.is_none() {
        say("no label bitmaps: install fonts-unifont or give --label-font, else displays show code points");
    }
    Ok(path.map(LabelFont::read).transpose()?)
}
