//! `fude quickstart`: the whole path on one page, from fonts to a board.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use fude_runtime::package::set_measured_hash;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::data::{DataArguments, DataOptions, TestArguments};
use super::eval::{EvalArguments, StageChoice, evaluate};
use super::export::{ExportArguments, LabelFontChoice, export};
use super::outcome::{grouped, percent, rows};
use super::progress::say;
use super::qat::{QatArguments, qat};
use super::recipe::{RecipeArguments, StageArguments};
use super::repack::LayoutArguments;
use super::stage::SittingArguments;
use super::train::{TrainArguments, train};
use super::verify::{VerifyArguments, verify};
use super::{CliError, Outcome};
use crate::card;
use crate::dataset::DataSpec;
use crate::device::board::{Board, Status};
use crate::device::firmware::Firmware;
use crate::files::{self, write_atomically};
use crate::label_font::DEFAULT_FACE;
use crate::machine::{FONT_FOLDER, FontFiles};
use crate::package::PackageFile;
use crate::train::ComputeChoice;
use crate::verify::{BoardOutcome, Comparison};

/// Faces that are trained on: printed ones, and one written with a pencil (Klee).
pub const TRAINING_FACES: [&str; 11] = [
    "KleeOne-Regular.ttf",
    "ipaexg.ttf",
    "ipaexm.ttf",
    "BIZUDGothic-Regular.ttf",
    "BIZUDGothic-Bold.ttf",
    "BIZUDMincho-Regular.ttf",
    "MTLc3m.ttf",
    "MTLmr3m.ttf",
    "sawarabi-gothic-medium.ttf",
    "sawarabi-mincho-medium.ttf",
    "VL-Gothic-Regular.ttf",
];
/// The handwriting face that is only tested on.
pub const TEST_FACE: &str = "YuseiMagic-Regular.ttf";
/// Distortions of each test glyph: 80 × 30 = 2,400 test images.
const TEST_DISTORTIONS: u64 = 30;
/// Seed of the test's distortions.
const TEST_SEED: u64 = 2;

/// Train, quantise, pack and verify a recogniser of the 80 first-grade kanji.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude quickstart
  fude quickstart --epochs 2 --qat-epochs 1 --out runs/try --models runs/try")]
pub struct QuickstartArguments {
    /// Folder that is searched for the fonts.
    #[arg(long, default_value = FONT_FOLDER)]
    pub fonts: PathBuf,
    /// Folder of the run and of summary.json.
    #[arg(long, default_value = "runs/quickstart")]
    pub out: PathBuf,
    /// Folder of the package and its card.
    #[arg(long, default_value = "models")]
    pub models: PathBuf,
    /// Board to verify on.
    #[arg(long, default_value = "qemu-m4")]
    pub board: String,
    /// Passes of float training.
    #[arg(long, default_value_t = 180)]
    pub epochs: usize,
    /// Passes of quantisation-aware training.
    #[arg(long, default_value_t = 20)]
    pub qat_epochs: usize,
    /// What to train on.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
}

#[derive(Debug, Serialize)]
struct Summary {
    classes: usize,
    train_images: usize,
    test_images: usize,
    float_top1: f64,
    fakequant_top1: f64,
    int8_host_top1: f64,
    board: String,
    board_top1: f64,
    mismatches: usize,
    package_bytes: usize,
    arena_bytes: usize,
    /// Firmware and package; `None` on a board that has no flash of their own.
    flash_bytes: Option<u64>,
    instructions_per_glyph: Option<u64>,
    seconds: Seconds,
}

#[derive(Debug, Default, Serialize)]
struct Seconds {
    train: f64,
    qat: f64,
    export: f64,
    evaluate: f64,
    verify: f64,
    total: f64,
}

/// Runs the subcommand.
pub fn run(arguments: &QuickstartArguments) -> Result<Outcome, CliError> {
    let started = Instant::now();
    // Looked for first: what is missing should show before minutes of training.
    let board = Board::find(&arguments.board)?;
    let firmware = Firmware::find(&board, None)?;
    let training = data(find_fonts(&arguments.fonts, &TRAINING_FACES)?);
    let test = TestArguments {
        data: data(find_fonts(&arguments.fonts, &[TEST_FACE])?),
        distortions: Some(TEST_DISTORTIONS),
        distortion_seed: TEST_SEED,
        limit: None,
        strict: true,
    };
    let package = arguments.models.join("quickstart.fude");
    let mut seconds = Seconds::default();

    say("1/5  float training");
    let train_arguments = train_arguments(arguments, training.clone());
    let trained = timed(&mut seconds.train, || train(&train_arguments))?;
    say("2/5  quantisation-aware training");
    let qat_arguments = QatArguments {
        run: arguments.out.clone(),
        recipe: RecipeArguments::default(),
        stage: StageArguments { epochs: Some(arguments.qat_epochs), ..StageArguments::default() },
        learn_ranges: false,
        device: arguments.device,
        sitting: sitting(),
    };
    timed(&mut seconds.qat, || qat(&qat_arguments))?;
    say("3/5  packing");
    let label_font = match FontFiles::below(&arguments.fonts).find(DEFAULT_FACE) {
        Some(path) => LabelFontChoice::File(path.to_owned()),
        None => LabelFontChoice::Installed,
    };
    let export_arguments = ExportArguments {
        run: arguments.out.clone(),
        out: package.clone(),
        data: training,
        label_font,
        layout: LayoutArguments::default(),
    };
    let exported = timed(&mut seconds.export, || export(&export_arguments))?;
    say("4/5  evaluating float, fake-quantised and INT8");
    let evaluated =
        |model: &Path, stage| evaluate(&EvalArguments { model: model.to_owned(), test: test.clone(), stage });
    let (float, fakequant, int8) = timed(&mut seconds.evaluate, || {
        let float = evaluated(&arguments.out, Some(StageChoice::Float))?;
        let fakequant = evaluated(&arguments.out, Some(StageChoice::Qat))?;
        Ok((float, fakequant, evaluated(&package, None)?))
    })?;
    say(&format!("5/5  verifying all {} test images on {}", int8.n, arguments.board));
    let verify_arguments =
        VerifyArguments { package: package.clone(), board: vec![arguments.board.clone()], firmware: None, test };
    let verification = timed(&mut seconds.verify, || compare_with_board(&verify_arguments))?;
    seconds.total = started.elapsed().as_secs_f64();

    let flash_bytes = firmware.size().map(|size| size.flash + exported.package_bytes as u64);
    let summary = Summary {
        classes: exported.classes,
        train_images: trained.samples() * arguments.epochs,
        test_images: int8.n,
        float_top1: float.top1,
        fakequant_top1: fakequant.top1,
        int8_host_top1: int8.top1,
        board: board.name.clone(),
        board_top1: verification.top1.unwrap_or(0.0),
        mismatches: verification.mismatches,
        package_bytes: exported.package_bytes,
        arena_bytes: exported.arena_bytes,
        flash_bytes,
        instructions_per_glyph: verification.instructions_per_glyph,
        seconds,
    };
    write_atomically(&arguments.out.join("summary.json"), &serde_json::to_vec_pretty(&summary)?)?;
    leave_model(&package, &summary, &board)?;
    let success = summary.mismatches == 0;
    Ok(Outcome::new(&summary, table(&summary, board.status, &package))?.succeeding(success))
}

/// Verifies on the one board that is named.
fn compare_with_board(arguments: &VerifyArguments) -> Result<Comparison, CliError> {
    let report = verify(arguments)?.boards.swap_remove(0);
    match report.outcome {
        BoardOutcome::Compared(comparison) => Ok(comparison),
        BoardOutcome::TooSmall { too_small: reason } | BoardOutcome::Failed { error: reason } => {
            Err(format!("{}: {reason}", report.board).into())
        }
    }
}

fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    let started = Instant::now();
    let result = work();
    *seconds = started.elapsed().as_secs_f64();
    result
}

fn data(fonts: Vec<PathBuf>) -> DataArguments {
    let options = DataOptions { characters: Some("grade1".to_owned()), ..DataOptions::default() };
    DataArguments { data: vec![DataSpec::Fonts(fonts)], options }
}

fn train_arguments(arguments: &QuickstartArguments, data: DataArguments) -> TrainArguments {
    TrainArguments {
        recipe: RecipeArguments { data, ..RecipeArguments::default() },
        stage: StageArguments { epochs: Some(arguments.epochs), ..StageArguments::default() },
        out: arguments.out.clone(),
        name: Some("quickstart".to_owned()),
        device: arguments.device,
        sitting: sitting(),
    }
}

/// A quickstart always begins at the beginning.
const fn sitting() -> SittingArguments {
    SittingArguments { resume: None, restart: true, checkpoint_seconds: 120.0, keep: 1, tui: false }
}

/// Finds each face below `folder`.
fn find_fonts(folder: &Path, faces: &[&str]) -> Result<Vec<PathBuf>, CliError> {
    let files = FontFiles::below(folder);
    let find = |face: &&str| {
        let remedy = "run `make setup`, or name another folder with --fonts";
        let missing = || format!("{}: no {face} below it; {remedy}", folder.display()).into();
        files.find(face).map(Path::to_owned).ok_or_else(missing)
    };
    faces.iter().map(find).collect()
}

/// Writes the measurements and the card beside the package, and the measurements' hash into it.
fn leave_model(package: &Path, summary: &Summary, board: &Board) -> Result<(), CliError> {
    let file = PackageFile::read(package)?;
    let view = file.as_stored()?;
    let measured = json!({
        "model": view.manifest().name.as_str(),
        "model_id": format!("{:08x}", view.model_id()),
        "test": {
            "what": format!("{TEST_DISTORTIONS} seeded distortions of each of {} glyphs", summary.classes),
            "face": TEST_FACE,
            "seed": TEST_SEED,
            "images": summary.test_images,
        },
        "top1": {
            "float": summary.float_top1,
            "fake_quantized": summary.fakequant_top1,
            "int8_host": summary.int8_host_top1,
            "int8_board": summary.board_top1,
        },
        "board": {
            "name": summary.board,
            "status": board.status,
            "mismatches": summary.mismatches,
            "instructions_per_glyph": summary.instructions_per_glyph,
            "flash_bytes": summary.flash_bytes,
            "arena_bytes": summary.arena_bytes,
        },
    });
    let measured_text = format!("{:#}\n", measured);
    write_atomically(&package.with_extension("measured.json"), measured_text.as_bytes())?;
    write_atomically(&package.with_extension("card.md"), card::markdown(&view, &measured, &card_facts()).as_bytes())?;

    let mut bytes = files::read(package)?;
    set_measured_hash(&mut bytes, &Sha256::digest(measured_text.as_bytes()).into())?;
    write_atomically(package, &bytes)?;
    Ok(())
}

fn card_facts() -> card::Facts {
    card::Facts {
        purpose: "the 80 kanji of the first school year in Japan, as a first model to look at".to_owned(),
        data: vec![
            format!("trained on the faces {}, distorted anew in every pass", TRAINING_FACES.join(", ")),
            format!(
                "tested on {TEST_FACE}, a handwriting face that is never trained on; an earlier recipe's mistakes on it \
                 were seen before the bold face was added, so the accuracy is slightly optimistic"
            ),
            "all faces are Debian packages under open licences: OFL-1.1 (Klee, BIZ UD, Sawarabi Mincho, Yusei Magic), \
             IPA Font License 1.0 (IPAex), Apache-2.0 (Motoya), CC-BY-3.0 (Sawarabi Gothic), M+ and Sazanami (VL Gothic)"
                .to_owned(),
            "the labels' bitmaps, where the package has them, are GNU Unifont's (its name table: OFL-1.1, or GPL-2+ with \
             the GNU Font Embedding Exception; Debian's copyright file: GPL-2+)"
                .to_owned(),
        ],
        command: "make quickstart".to_owned(),
        limits: "knows 80 characters and answers with one of them whatever it is shown; trained on fonts, not on \
                 real handwriting"
            .to_owned(),
    }
}

fn table(summary: &Summary, status: Status, package: &Path) -> String {
    let mut table = vec![
        ("classes", summary.classes.to_string()),
        ("training images", grouped(summary.train_images as u64)),
        ("test images", grouped(summary.test_images as u64)),
        ("float top-1", percent(summary.float_top1)),
        ("fake-quantised top-1", percent(summary.fakequant_top1)),
        ("INT8 top-1, host", percent(summary.int8_host_top1)),
        ("INT8 top-1, board", format!("{} ({}, {status})", percent(summary.board_top1), summary.board)),
        ("mismatches", summary.mismatches.to_string()),
        ("package bytes", grouped(summary.package_bytes as u64)),
        ("arena bytes", grouped(summary.arena_bytes as u64)),
    ];
    if let Some(flash_bytes) = summary.flash_bytes {
        table.push(("flash bytes", format!("{} (firmware and package)", grouped(flash_bytes))));
    }
    if let Some(instructions) = summary.instructions_per_glyph {
        table.push(("instructions/glyph", grouped(instructions)));
    }
    table.push(("seconds", format!("{:.0}", summary.seconds.total)));
    table.push(("package", package.display().to_string()));
    rows(&table)
}
