//! Finding installed fonts by the names of their files.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Linux distributions install fonts.
pub const FOLDER: &str = "/usr/share/fonts";

/// Every file below `folder`, in sorted order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files
}

/// The first of `files` that is called `face`.
pub fn find<'f>(files: &'f [PathBuf], face: &str) -> Option<&'f PathBuf> {
    files.iter().find(|file| file.file_name().is_some_and(|name| name == face))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
