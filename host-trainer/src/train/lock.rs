//! One process at a time in a run's folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;

use thiserror::Error;

use crate::files::FileError;

/// Why a run's folder cannot be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// The folder or the lock's file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process trains there.
    #[error("{folder}: another fude (process {holder}) trains in this folder; wait for it, or give another --out")]
    Held {
        /// The run's folder.
        folder: PathBuf,
        /// What the lock says of who holds it.
        holder: String,
    },
}

/// A run's folder, held. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Makes the folder where it is missing, sees that it can be written to, and takes it. What a process that was
    /// killed left half written is removed.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("run.lock");
        let failed = |source| FileError::write(&path, source);
        fs::create_dir_all(folder).map_err(|source| FileError::write(folder, source))?;
        let options = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options().map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: without it the message still says what to do.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
                return Err(LockError::Held { folder: folder.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source).into()),
        }
        let mut note = || {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            write!(&file, "{}", process::id())
        };
        note().map_err(failed)?;
        remove_leftovers(folder);
        remove_leftovers(&folder.join("checkpoints"));
        Ok(Self { _file: file })
    }
}

/// Removes temporary files of writes that never ended: while the lock is held nobody writes here.
fn remove_leftovers(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tmp")) {
        // A leftover that stays costs space, nothing else.
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let lock = RunLock::take(&run).unwrap();
        let error = RunLock::take(&run).unwrap_err().to_string();
        assert!(error.contains(&process::id().to_string()), "{error}");
        assert!(error.starts_with(&run.display().to_string()), "{error}");
        drop(lock);
        RunLock::take(&run).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_half_written_goes() {
        let folder = tempfile::tempdir().unwrap();
        let half = folder.path().join("checkpoints/.tmpAbC123");
        fs::create_dir_all(half.parent().unwrap()).unwrap();
        fs::write(&half, b"half").unwrap();
        fs::write(folder.path().join("run.json"), b"{}").unwrap();
        RunLock::take(folder.path()).unwrap();
        assert!(!half.exists());
        assert!(folder.path().join("run.json").exists());
    }
}
