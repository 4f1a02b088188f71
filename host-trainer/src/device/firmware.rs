//! Firmware images: where they are, and how much of the board they take.

use std::path::{Path, PathBuf};
use std::{fs, io};

use object::{Object, ObjectSegment};

use super::board::{Board, Memory};
use crate::files::in_source_tree;

/// A board's image, an ELF file.
pub struct Firmware {
    path: PathBuf,
    elf: Vec<u8>,
    size: Option<FirmwareSize>,
}

/// What an image takes of the board, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirmwareSize {
    /// Code, constants and the initial values of variables.
    pub flash: u64,
    /// Variables, the arena among them. The stack has the rest of the RAM.
    pub ram: u64,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum FirmwareError {
    /// It was not built.
    #[error(
        "no firmware for the board {board:?}: build it with `make firmware BOARD={board}`, or give `--firmware FILE`"
    )]
    NotBuilt {
        /// The board's name.
        board: String,
    },
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is no firmware image: {reason}", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Firmware {
    /// Opens the image `given`, or else `firmware/build/BOARD.elf` here or in a folder above.
    ///
    /// # Errors
    /// [`FirmwareError`].
    pub fn find(board: &Board, given: Option<&Path>) -> Result<Self, FirmwareError> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => built(&board.name).ok_or_else(|| FirmwareError::NotBuilt { board: board.name.clone() })?,
        };
        let elf = fs::read(&path).map_err(|source| FirmwareError::Read { path: path.clone(), source })?;
        match measure(&elf, board.memory.as_ref()) {
            Ok(size) => Ok(Self { path, elf, size }),
            Err(reason) => Err(FirmwareError::NotAnImage { path, reason }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's content.
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// What the image takes of the board; `None` for a program under an operating system, which has no flash of its
    /// own and is given memory as it goes.
    pub fn size(&self) -> Option<FirmwareSize> {
        self.size
    }
}

pub(super) fn built(board: &str) -> Option<PathBuf> {
    in_source_tree(&Path::new("firmware/build").join(format!("{board}.elf")))
}

/// Sums the segments that the ELF file loads: what lies in flash, and what takes RAM when it runs.
fn measure(elf: &[u8], memory: Option<&Memory>) -> Result<Option<FirmwareSize>, String> {
    let file = object::File::parse(elf).map_err(|error| error.to_string())?;
    let Some(memory) = memory else { return Ok(None) };
    let mut size = FirmwareSize { flash: 0, ram: 0 };
    for segment in file.segments() {
        let (_, bytes_in_file) = segment.file_range();
        size.flash += bytes_in_file;
        if memory.ram.contains(segment.address()) {
            size.ram += segment.size();
        } else if !memory.flash.contains(segment.address()) {
            return Err(format!("it has a segment at {:#x}, where the board has no memory", segment.address()));
        }
    }
    if size.flash == 0 {
        return Err("it has nothing to load".into());
    }
    Ok(Some(size))
}
