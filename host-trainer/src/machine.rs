//! What this machine has: programs, shared libraries, fonts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Where Linux distributions install fonts.
pub const FONT_FOLDER: &str = "/usr/share/fonts";

/// Where Linux keeps shared libraries, besides `LD_LIBRARY_PATH` and what `ldconfig` knows; the last two are
/// those of WSL and of the NVIDIA container toolkit.
const LIBRARY_FOLDERS: [&str; 8] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/local/cuda/lib64",
    "/usr/local/lib",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
];

/// The first line of what `program --version` prints; `None` where there is no such program.
pub fn program_version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or(program).trim().to_owned())
}

/// The file of the shared library whose name begins with `name`, such as `libcuda.so`.
pub fn shared_library(name: &str) -> Option<PathBuf> {
    let search_path = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = env::split_paths(&search_path).chain(LIBRARY_FOLDERS.map(PathBuf::from));
    folders.filter_map(|folder| library_in(&folder, name)).next().or_else(|| cached_library(name))
}

fn library_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten();
    files.map(|file| file.path()).filter(|path| path.exists()).find(|path| is_named(path, name))
}

/// Looks through the dynamic linker's cache.
fn cached_library(name: &str) -> Option<PathBuf> {
    let cache = ["ldconfig", "/sbin/ldconfig"].iter().find_map(|program| Command::new(program).arg("-p").output().ok());
    let cache = String::from_utf8_lossy(&cache?.stdout).into_owned();
    let paths = cache.lines().filter_map(|line| line.split(" => ").nth(1)).map(PathBuf::from);
    paths.into_iter().find(|path| is_named(path, name))
}

/// Whether `path` is the library `name` or a version of it: `libcuda.so`, `libcuda.so.1`.
fn is_named(path: &Path, name: &str) -> bool {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.strip_prefix(name).is_some_and(|version| version.is_empty() || version.starts_with('.'))
}

/// The files below a folder, among which fonts are sought by name.
pub struct FontFiles(Vec<PathBuf>);

impl FontFiles {
    /// Every file below `folder`, in sorted order; none where it cannot be read.
    pub fn below(folder: &Path) -> Self {
        let mut files = Vec::new();
        collect(folder, &mut files);
        Self(files)
    }

    /// The first that is called `face`, such as `ipaexg.ttf`.
    pub fn find(&self, face: &str) -> Option<&Path> {
        self.0.iter().find(|file| file.file_name().is_some_and(|name| name == face)).map(PathBuf::as_path)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fonts_are_found_by_name_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for file in ["z.ttf", "a/b/z.ttf", "a/other.ttf"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let files = FontFiles::below(folder.path());
        assert_eq!(files.find("z.ttf"), Some(folder.path().join("a/b/z.ttf").as_path()));
        assert_eq!(files.find("ttf"), None);
        assert_eq!(FontFiles::below(&folder.path().join("nowhere")).find("z.ttf"), None);
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(program_version("no-such-program"), None);
        assert!(program_version("cargo").unwrap().starts_with("cargo "));
    }

    #[test]
    fn versions_of_a_library_count_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["libcudart.so.13", "libcuda.so.1", "libcuda.a"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(library_in(folder.path(), "libcuda.so"), Some(folder.path().join("libcuda.so.1")));
        assert_eq!(library_in(folder.path(), "libnvrtc.so"), None);
        assert_eq!(library_in(&folder.path().join("nowhere"), "libcuda.so"), None);
    }

    #[test]
    fn the_c_library_is_found() {
        assert!(shared_library("libc.so").is_some());
    }
}
