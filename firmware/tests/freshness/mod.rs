//! Tests of an image are tests of the sources only if it was built of them. Every test crate that opens images has
//! this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What firmware is built of: in these folders of the repository the files with these extensions.
const FOLDERS: [&str; 3] = ["edge-runtime/src", "firmware/src", "boards"];
const EXTENSIONS: [&str; 4] = ["rs", "s", "toml", "x"];

/// The newest source, and when it was changed.
pub fn newest_source() -> (SystemTime, PathBuf) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let newest = FOLDERS.iter().filter_map(|folder| newest_in(&repository.join(folder)));
    newest.max().expect("there are sources")
}

fn newest_in(folder: &Path) -> Option<(SystemTime, PathBuf)> {
    let paths = fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("its entry").path());
    let newest = paths.filter_map(|path| {
        if path.is_dir() {
            return newest_in(&path);
        }
        let is_source = path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
        is_source.then(|| (modified(&path), path))
    });
    newest.max()
}

fn modified(path: &Path) -> SystemTime {
    path.metadata()
        .and_then(|metadata| metadata.modified())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Panics if `image` is older than a source that it may be built of; `remedy` is the command to run then.
pub fn assert_fresh(image: &Path, remedy: &str) {
    let (changed, source) = newest_source();
    assert!(modified(image) >= changed, "{} is older than {}; run `{remedy}`", image.display(), source.display());
}
