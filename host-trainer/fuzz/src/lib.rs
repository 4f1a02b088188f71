//! What each fuzz target does with its input.
//!
//! | target | input | door |
//! |---|---|---|
//! | [`package`] | a package | `Package::new_checked`, then everything that runs |
//! | [`link`] | a conversation on the device link | the board's application, or the host's `Link` |
//! | [`idx`] | an image file and a label file | `dataset::idx` |
//! | [`image`] | a picture | `dataset::load_glyph` |
//!
//! One crate for all four, and in the trainer's folder because the trainer alone may know all the others: one lock
//! file, and the sanitizer's build of the dependencies is made once. It does not depend on the trainer, whose Burn
//! takes many minutes to compile: the modules that read untrusted bytes need nothing of the rest, so their sources are
//! compiled here as they are. The runtime's tests lend their models and their oracle in the same way.
//!
//! `.ci/fuzz` runs the targets; `docs/reliability.md` says what came of it.

#![forbid(unsafe_code)]

pub mod idx;
pub mod image;
pub mod link;
pub mod package;
mod tally;

#[path = "../../src/dataset/mod.rs"]
pub mod dataset;
#[path = "../../src/device/link.rs"]
pub mod device_link;
#[path = "../../src/files.rs"]
pub mod files;

#[path = "../../../edge-runtime/tests/suite/exercise.rs"]
pub mod exercise;
#[path = "../../../edge-runtime/tests/suite/models.rs"]
pub mod models;
#[path = "../../../edge-runtime/tests/suite/mutations.rs"]
pub mod mutations;
