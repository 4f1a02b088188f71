//! `fude repack`: the same model, laid out for another instruction set.

use std::path::PathBuf;

use clap::Args;
use fude_runtime::layout::WeightLayout;
use serde::Serialize;

use super::outcome::{grouped, rows};
use super::{CliError, Outcome};
use crate::device::board::Board;
use crate::files::write_atomically;
use crate::package::PackageFile;

/// Lay a package's weights out for the kernels of another instruction set.
#[derive(Debug, Args)]
#[command(after_help = "Weights are as many bytes in every layout, and answers are the same to the bit.

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
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct LayoutArguments {
    /// The layout.
    #[arg(long, value_name = "LAYOUT", value_parser = parse_layout)]
    pub layout: Option<WeightLayout>,
    /// The board whose kernels are to run it: a built-in name or a folder with a `board.toml`.
    #[arg(long = "board", value_name = "NAME")]
    pub layout_board: Option<String>,
}

/// The layout of a name.
pub fn parse_layout(name: &str) -> Result<WeightLayout, String> {
    let names = WeightLayout::ALL.map(WeightLayout::name).join(", ");
    WeightLayout::from_name(name).ok_or_else(|| format!("there are {names}"))
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
    let layout = match (&arguments.layout.layout, &arguments.layout.layout_board) {
        (Some(layout), _) => *layout,
        (None, Some(board)) => Board::find(board)?.weights,
        (None, None) => return Err("give --layout or --board".into()),
    };
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
