//! What crosses modules: kernels against the oracle, plans against the reader, packages against their door.
//!
//! One binary, so that the models of [`models`] are built once. It needs the writer: `--features std`.

#![forbid(unsafe_code)]

mod compatibility;
mod door;
mod exercise;
mod format_page;
mod graph_check;
mod ink;
mod kernels;
mod models;
mod mutations;
mod plan;
mod recognizer;
mod stages;
mod strokes;

use proptest::prelude::ProptestConfig;

/// A property's configuration: the `usual` number of cases, or `PROPTEST_CASES` of them. Under Miri and Valgrind
/// (`.ci/sanitize`) everything is a hundred times slower.
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(usual))
}

/// Whether expected files are to be written instead of compared: `FUDE_BLESS=1 cargo test`.
fn blessing() -> bool {
    std::env::var_os("FUDE_BLESS").is_some()
}
