//! Links a board image: finds the selected board's `memory.x` and adds the linker scripts of start-up and log.
//!
//! Without a board's feature there is nothing to do: the library needs no linker script.

#![forbid(unsafe_code)]

use std::path::Path;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_IMAGE").is_none() {
        return Ok(());
    }
    let boards = Path::new("../boards");
    let board = selected_board(boards)?;
    let board_dir = fs::canonicalize(boards.join(board))?;
    println!("cargo:rerun-if-changed={}", board_dir.join("memory.x").display());
    println!("cargo:rustc-link-search={}", board_dir.display());
    // Sections start at 4-byte boundaries and not at pages: the image is for flash, not for a loader.
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    // Without a filter defmt drops every message.
    println!("cargo:rerun-if-env-changed=DEFMT_LOG");
    if env::var_os("DEFMT_LOG").is_none() {
        println!("cargo:rustc-env=DEFMT_LOG=info");
    }
    Ok(())
}

/// The one folder of `boards` whose feature is on.
fn selected_board(boards: &Path) -> Result<String, Box<dyn Error>> {
    let mut selected = Vec::new();
    for entry in fs::read_dir(boards)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let feature = format!("CARGO_FEATURE_{}", name.to_uppercase().replace('-', "_"));
        if env::var_os(feature).is_some() {
            selected.push(name);
        }
    }
    match selected.as_slice() {
        [board] => Ok(board.clone()),
        [] => Err("the feature `image` needs a board's feature beside it, for example `qemu-m4`".into()),
        several => Err(format!("an image is for one board, not for {}", several.join(" and ")).into()),
    }
}
