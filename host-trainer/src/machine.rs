//! What this machine has: programs and shared libraries, found without loading or starting anything unsafe.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

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

#[cfg(test)]
mod tests {
    use super::*;

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
