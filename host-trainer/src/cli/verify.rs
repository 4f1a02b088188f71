//! `fude verify`: the board's answers against the host's.

use std::path::PathBuf;

use clap::Args;

use super::data::TestArguments;
use super::outcome::{grouped, percent, rows};
use super::progress::bar;
use super::{CliError, Outcome};
use crate::device::board::Board;
use crate::device::firmware::Firmware;
use crate::package::PackageFile;
use crate::verify::{Target, Verification, verify as compare};

/// Check that a board gives the host's answers, to the byte.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude verify models/quickstart.fude --board qemu-m4 --data folder:my-glyphs
  fude verify digits.fude --board qemu-m4 --data idx:train-images-idx3-ubyte.gz --hold-back 10000 --limit 1000

Exit status 1 where a single byte differs.")]
pub struct VerifyArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// A board's name, or a folder with a board.toml of your own.
    #[arg(long, value_name = "NAME|FOLDER")]
    pub board: String,
    /// The board's image; `firmware/build/BOARD.elf` otherwise.
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,
    #[command(flatten)]
    pub test: TestArguments,
}

/// Runs the subcommand.
pub fn run(arguments: &VerifyArguments) -> Result<Outcome, CliError> {
    let verification = verify(arguments)?;
    let top1 = |share: Option<f64>| share.map_or_else(|| "no labels".to_owned(), percent);
    let mut table = vec![
        ("board", format!("{} ({})", verification.board, verification.status)),
        ("glyphs", verification.n.to_string()),
        ("skipped", verification.skipped.to_string()),
        ("mismatches", verification.mismatches.to_string()),
        ("host top-1", top1(verification.host_top1)),
        ("board top-1", top1(verification.board_top1)),
    ];
    if let Some(instructions) = verification.instructions_per_glyph {
        table.push(("instructions/glyph", grouped(instructions)));
    }
    if let Some(mismatch) = &verification.first_mismatch {
        let place = mismatch.layer.map_or("in the answer".to_owned(), |layer| format!("at layer {layer}"));
        table.push(("first mismatch", format!("glyph {} {place}", mismatch.glyph)));
    }
    let success = verification.mismatches == 0;
    Ok(Outcome::new(&verification, rows(&table))?.succeeding(success))
}

/// Boots the board and compares.
pub fn verify(arguments: &VerifyArguments) -> Result<Verification, CliError> {
    let package = PackageFile::read(&arguments.package)?;
    let board = Board::find(&arguments.board)?;
    let firmware = Firmware::find(&board, arguments.firmware.as_deref())?;
    let labels: Vec<String> = package.open()?.labels().map(str::to_owned).collect();
    let set = arguments.test.load(&labels, false)?;
    let progress = bar(set.glyphs.len(), &format!("verifying on {}", board.name));
    let target = Target { board: &board, firmware: &firmware, package: &package };
    let verification = compare(target, &set, || progress.inc(1))?;
    progress.finish_and_clear();
    Ok(verification)
}
