//! `fude repack`: the same model, laid out for another instruction set.

use std::path::PathBuf;

use clap::Args;
use fude_runtime::layout::WeightLayout;
use serde::Serialize;

use super::outcome::{grouped, rows};
use super::{CliError, Outcome};
use crate::device::board::{Board, BoardError, parse_layout};
use crate::files::write_atomically;
use crate::package::PackageFile;

/// Lay a package's weights out for the kernels of another instruction set.
#[derive(Debug, Args)]
#[command(mut_group("LayoutArguments", |group| group.required(true)), after_help = "Weights are as many bytes in every layout, and answers are the same to the bit.

Examples:
  fude repack kanji.fude --board qemu-m4 --out kanji-m4.fude
  fude repack kanji-m4.fude --layout portable --out kanji.fude")]
pub struct RepackArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// For which kernels.
    #[command(flatten)]
    pub layout: LayoutArguments,
    /// The package to write.
    #[arg(long, value_name = "FILE.fude")]
    pub out: PathBuf,
}

/// Which layout, by its own name or by a board's.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub struct LayoutArguments {
    /// The kernels that the weights are laid out for.
    #[arg(long, value_name = "LAYOUT", value_parser = parse_layout)]
    pub layout: Option<WeightLayout>,
    /// The board for whose kernels they are: a built-in name or a folder with a `board.toml`.
    #[arg(long = "board", value_name = "NAME|FOLDER")]
    pub layout_board: Option<String>,
}

impl LayoutArguments {
    /// The board, if one is named.
    ///
    /// # Errors
    /// Where there is no such board.
    pub fn board(&self) -> Result<Option<Board>, BoardError> {
        self.layout_board.as_deref().map(Board::find).transpose()
    }

    /// The layout that is named, or that of `board`, which is what [`Self::board`] found.
    pub fn layout(&self, board: Option<&Board>) -> Option<WeightLayout> {
        self.layout.or(board.map(|board| board.weights))
    }
}

#[derive(Debug, Serialize)]
struct Repacked {
    package: PathBuf,
    from: &'static str,
    to: &'static str,
    package_bytes: usize,
    arena_bytes: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &RepackArguments) -> Result<Outcome, CliError> {
    let board = arguments.layout.board()?;
    let layout = arguments.layout.layout(board.as_ref()).ok_or("give --layout or --board")?;
    let file = PackageFile::read(&arguments.package)?;
    write_atomically(&arguments.out, &file.repacked(layout)?)?;
    let written = PackageFile::read(&arguments.out)?;
    let package = written.as_stored()?;
    let repacked = Repacked {
        package: arguments.out.clone(),
        from: file.as_stored()?.header().layout.name(),
        to: layout.name(),
        package_bytes: package.package_bytes(),
        arena_bytes: package.arena_bytes(),
    };
    let table = rows(&[
        ("package", repacked.package.display().to_string()),
        ("weights for", format!("{} (was {})", repacked.to, repacked.from)),
        ("bytes", grouped(repacked.package_bytes as u64)),
        ("arena bytes", grouped(repacked.arena_bytes as u64)),
    ]);
    Outcome::new(&repacked, table)
}
