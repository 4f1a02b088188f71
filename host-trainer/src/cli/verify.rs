//! `fude verify`: the boards' answers against the host's.

use std::path::PathBuf;

use clap::Args;

use super::board::find_boards;
use super::data::TestArguments;
use super::outcome::{columns, grouped, percent, rows};
use super::progress::bar;
use super::{CliError, Outcome};
use crate::device::board::Board;
use crate::device::firmware::Firmware;
use crate::package::PackageFile;
use crate::verify::{BoardOutcome, BoardReport, Comparison, Target, Verification, verify as compare};

/// Check that boards give the host's answers, to the byte.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude verify models/quickstart.fude --board qemu-m4 --data folder:my-glyphs
  fude verify models/quickstart.fude --board all --data folder:my-glyphs
  fude verify digits.fude --board qemu-m4,qemu-m33 --data idx:train-images-idx3-ubyte.gz --hold-back 10000

Exit status 1 where a single byte differs, or where a board could not be asked. A board that is too small for the
package, by its memory or the budget in its board.toml, counts as such only when it is named; `all` passes it over.")]
pub struct VerifyArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// Boards by name, or folders with a board.toml of your own; `all` for every board that ships with fude.
    #[arg(long, value_name = "NAME|FOLDER|all", value_delimiter = ',', required = true)]
    pub board: Vec<String>,
    /// The board's firmware, if it is one board; `firmware/build/BOARD.elf` otherwise.
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,
    #[command(flatten)]
    pub test: TestArguments,
}

impl VerifyArguments {
    /// Whether every board is meant, rather than named ones.
    fn is_for_all(&self) -> bool {
        self.board == ["all"]
    }

    fn boards(&self) -> Result<Vec<Board>, CliError> {
        let boards = find_boards(&self.board)?;
        match (&self.firmware, boards.as_slice()) {
            (None, _) | (Some(_), [_]) => Ok(boards),
            (Some(_), _) => Err("--firmware is one board's image; name one --board with it".into()),
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: &VerifyArguments) -> Result<Outcome, CliError> {
    let verification = verify(arguments)?;
    let passes = |report: &BoardReport| match &report.outcome {
        BoardOutcome::Compared(comparison) => comparison.mismatches == 0,
        BoardOutcome::TooSmall { .. } => arguments.is_for_all(),
        BoardOutcome::Failed { .. } => false,
    };
    let compared = verification.boards.iter().any(|report| report.comparison().is_some());
    let success = compared && verification.boards.iter().all(passes);
    Ok(Outcome::new(&verification, text(&verification))?.succeeding(success))
}

/// Boots the boards and compares.
///
/// # Errors
/// Where the package, the data, or a board's description or firmware cannot be read. What goes wrong on a board is
/// in its report.
pub fn verify(arguments: &VerifyArguments) -> Result<Verification, CliError> {
    let package = PackageFile::read(&arguments.package)?;
    let boards = arguments.boards()?;
    let firmwares: Vec<Firmware> =
        boards.iter().map(|board| Firmware::find(board, arguments.firmware.as_deref())).collect::<Result<_, _>>()?;
    let targets: Vec<Target<'_>> =
        boards.iter().zip(&firmwares).map(|(board, firmware)| Target { board, firmware }).collect();
    let labels: Vec<String> = package.open()?.labels().map(str::to_owned).collect();
    let set = arguments.test.load(&labels, false)?;

    let names = if let [board] = boards.as_slice() { board.name.clone() } else { format!("{} boards", boards.len()) };
    let progress = bar(set.glyphs.len() * boards.len(), &format!("verifying on {names}"));
    let verification = compare(&targets, &package, &set, || progress.inc(1))?;
    progress.finish_and_clear();
    Ok(verification)
}

fn text(verification: &Verification) -> String {
    let Verification { n, skipped, host_top1, boards } = verification;
    let summary = rows(&[
        ("glyphs", grouped(*n as u64)),
        ("skipped", grouped(*skipped as u64)),
        ("host top-1", top1(*host_top1)),
    ]);
    let mut table = vec![["board", "", "mismatches", "top-1", "instructions/glyph"].map(str::to_owned)];
    let mut remarks = String::new();
    for report in boards {
        let cells = match &report.outcome {
            BoardOutcome::Compared(comparison) => compared(comparison),
            BoardOutcome::TooSmall { .. } => ["too small", "", ""].map(str::to_owned),
            BoardOutcome::Failed { .. } => ["failed", "", ""].map(str::to_owned),
        };
        let [mismatches, top1, instructions] = cells;
        table.push([report.board.clone(), report.status.to_string(), mismatches, top1, instructions]);
        if let Some(remark) = remark(&report.outcome) {
            remarks.push_str(&format!("{}: {remark}\n", report.board));
        }
    }
    format!("{summary}\n{}\n{remarks}", columns(&table))
}

fn compared(comparison: &Comparison) -> [String; 3] {
    let instructions = comparison.instructions_per_glyph.map_or_else(|| "not counted".to_owned(), grouped);
    [grouped(comparison.mismatches as u64), top1(comparison.top1), instructions]
}

fn top1(share: Option<f64>) -> String {
    share.map_or_else(|| "no labels".to_owned(), percent)
}

/// What the table has no room for.
fn remark(outcome: &BoardOutcome) -> Option<String> {
    match outcome {
        BoardOutcome::Compared(comparison) => comparison.first_mismatch.map(|mismatch| {
            let place = mismatch.layer.map_or("in the answer".to_owned(), |layer| format!("at layer {layer}"));
            format!("first mismatch in glyph {}, {place}", mismatch.glyph)
        }),
        BoardOutcome::TooSmall { too_small } => Some(too_small.clone()),
        BoardOutcome::Failed { error } => Some(error.clone()),
    }
}
