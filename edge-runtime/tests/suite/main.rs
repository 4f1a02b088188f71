//! What crosses modules: kernels against the oracle, plans against the reader, packages against their door.
//!
//! One binary, so that the models of [`models`] are built once. It needs the writer: `--features std`.

mod compatibility;
mod door;
mod format_page;
mod graph_check;
mod ink;
mod kernels;
mod models;
mod plan;
mod recognizer;
mod strokes;

/// Whether expected files are to be written instead of compared: `FUDE_BLESS=1 cargo test`.
fn blessing() -> bool {
    std::env::var_os("FUDE_BLESS").is_some()
}
