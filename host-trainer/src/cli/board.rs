//! Arguments that name boards.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::device::board::Board;
use crate::device::firmware::Firmware;

/// A board and what runs on it besides the package.
#[derive(Debug, Args)]
pub struct BoardArguments {
    /// A board's name, or a folder with a board.toml of your own.
    #[arg(long, value_name = "NAME|FOLDER")]
    pub board: String,
    /// The board's firmware; `firmware/build/BOARD.elf` otherwise.
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,
}

impl BoardArguments {
    /// Finds the board and its firmware.
    ///
    /// # Errors
    /// Where there is no such board, or its firmware was not built.
    pub fn find(&self) -> Result<(Board, Firmware), CliError> {
        let board = Board::find(&self.board)?;
        let firmware = Firmware::find(&board, self.firmware.as_deref())?;
        Ok((board, firmware))
    }
}

/// The boards of these names or folders, in order; `all` is every board that ships with fude.
///
/// # Errors
/// Where there is no such board.
pub fn find_boards(names: &[String]) -> Result<Vec<Board>, CliError> {
    if names == ["all"] {
        return Ok(Board::built_in().collect());
    }
    Ok(names.iter().map(|name| Board::find(name)).collect::<Result<_, _>>()?)
}
