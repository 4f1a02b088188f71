//! Pictures: PNG and JPEG files as glyphs. An input is the file.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::dataset::load_glyph;
use crate::tally::Tally;

static TALLY: Tally = Tally::new("image");
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for the file"));
static PICTURE: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("picture"));

/// Loads the picture; its glyph must have as many pixels as its sides say.
///
/// # Panics
/// Where the reader has a defect.
pub fn run(input: &[u8]) {
    fs::write(&*PICTURE, input).expect("the folder takes a file");
    let loaded = load_glyph(&PICTURE);
    TALLY.count(loaded.is_ok());
    match loaded {
        Ok(glyph) => assert_eq!(glyph.pixels.len(), usize::from(glyph.width) * usize::from(glyph.height)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
