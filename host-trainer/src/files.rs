//! Writing files so that nothing written before is lost.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use thiserror::Error;

/// A file that cannot be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// Reading failed.
    #[error("{path}: cannot be read: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed; whatever was there before is untouched.
    #[error("{path}: cannot be written: {source}; free space or choose another place (nothing was overwritten)")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// A failed read of `path`.
    pub fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// A failed write of `path`.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError::Read`] naming the file.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError::read(path, source))
}

/// Writes `bytes` to a temporary file beside `path` and renames it: `path` holds the old bytes or the new,
/// never a part. Missing folders are created.
///
/// # Errors
/// [`FileError::Write`] naming the file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // Created as `File::create` would: readable as the user's mask says, not by the owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| FileError::write(path, source))
}

/// The file of this `path` in Fude's source tree, if the current folder is in it: below it or a folder above.
pub fn in_source_tree(path: &Path) -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(path)).find(|path| path.is_file())
}
