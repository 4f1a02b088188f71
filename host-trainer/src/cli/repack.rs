//! `fude repack`: the same model, laid out for another instruction set or for a smaller arena.

use std::cmp::Ordering;
use std::path::PathBuf;

use clap::Args;
use fude_runtime::layout::WeightLayout;
use serde::Serialize;

use super::outcome::{grouped, rows};
use super::{CliError, Outcome};
use crate::device::board::{Board, BoardError, parse_layout};
use crate::files::write_atomically;
use crate::package::{PackageFile, PackingError};

/// Lay a package out for the kernels of another instruction set, or for a smaller arena.
#[derive(Debug, Args)]
#[command(
    after_help = "Weights are as many bytes in every layout, and answers are the same to the bit. A smaller arena costs
instructions: layers run band by band, and some of them twice.

Examples:
  fude repack kanji.fude --board qemu-m4 --out kanji-m4.fude
  fude repack kanji.fude --board qemu-m4 --arena 49152 --out kanji-m4.fude
  fude repack kanji-m4.fude --layout portable --out kanji.fude"
)]
pub struct RepackArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// For what; the package's own kernels where none are named.
    #[command(flatten)]
    pub layout: LayoutArguments,
    /// The package to write.
    #[arg(long, value_name = "FILE.fude")]
    pub out: PathBuf,
}

/// For which kernels, by their own name or by a board's, and for how large an arena.
#[derive(Debug, Clone, Default, Args)]
pub struct LayoutArguments {
    /// The kernels that the weights are laid out for.
    #[arg(long, value_name = "LAYOUT", value_parser = parse_layout, conflicts_with = "layout_board")]
    pub layout: Option<WeightLayout>,
    /// The board for whose kernels they are: a built-in name or a folder with a `board.toml`.
    #[arg(long = "board", value_name = "NAME|FOLDER")]
    pub layout_board: Option<String>,
    /// The most bytes of arena: where it takes that, layers run band by band, and some of them twice.
    #[arg(long, value_name = "BYTES")]
    pub arena: Option<usize>,
}

impl LayoutArguments {
    /// The board, if one is named.
    ///
    /// # Errors
    /// Where there is no such board.
    pub fn board(&self) -> Result<Option<Board>, BoardError> {
        self.layout_board.as_deref().map(Board::find).transpose()
    }

    /// The bytes of `file`, laid out as asked, for `board`, which is what [`Self::board`] found; in its own layout where
    /// none is asked for.
    ///
    /// # Errors
    /// Where the layout cannot hold the weights, or the layers need a larger arena.
    pub fn laid_out(&self, file: &PackageFile, board: Option<&Board>) -> Result<Vec<u8>, PackingError> {
        let asked = self.layout.or(board.map(|board| board.weights));
        let layout = asked.map_or_else(|| Ok(file.as_stored()?.header().layout), Ok::<_, PackingError>)?;
        match self.arena {
            Some(limit) => file.repacked_within(layout, limit),
            None => file.repacked(layout),
        }
    }
}

#[derive(Debug, Serialize)]
struct Repacked {
    package: PathBuf,
    from: &'static str,
    to: &'static str,
    package_bytes: usize,
    arena_bytes: usize,
    arena_bytes_before: usize,
    /// Multiplications of a glyph.
    macs: u64,
    macs_before: u64,
}

/// Runs the subcommand.
pub fn run(arguments: &RepackArguments) -> Result<Outcome, CliError> {
    let asked = &arguments.layout;
    if asked.layout.is_none() && asked.layout_board.is_none() && asked.arena.is_none() {
        return Err("nothing to change: give --layout, --board or --arena".into());
    }
    let file = PackageFile::read(&arguments.package)?;
    let bytes = asked.laid_out(&file, asked.board()?.as_ref())?;
    write_atomically(&arguments.out, &bytes)?;
    let written = PackageFile::read(&arguments.out)?;
    let (before, package) = (file.as_stored()?, written.as_stored()?);
    let repacked = Repacked {
        package: arguments.out.clone(),
        from: before.header().layout.name(),
        to: package.header().layout.name(),
        package_bytes: package.package_bytes(),
        arena_bytes: package.arena_bytes(),
        arena_bytes_before: before.arena_bytes(),
        macs: package.graph().total_cost().macs,
        macs_before: before.graph().total_cost().macs,
    };
    let change = |now: u64, before: u64| match now.cmp(&before) {
        Ordering::Equal => grouped(now),
        _ => {
            format!("{} (was {}, {:+.1} %)", grouped(now), grouped(before), 100.0 * (now as f64 / before as f64 - 1.0))
        }
    };
    let table = rows(&[
        ("package", repacked.package.display().to_string()),
        ("weights for", format!("{} (was {})", repacked.to, repacked.from)),
        ("bytes", grouped(repacked.package_bytes as u64)),
        ("arena bytes", change(repacked.arena_bytes as u64, repacked.arena_bytes_before as u64)),
        ("MACs", change(repacked.macs, repacked.macs_before)),
    ]);
    Outcome::new(&repacked, table)
}
