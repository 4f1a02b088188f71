//! Trains handwriting recognisers, makes them INT8, packs them and checks them on boards.
//!
//! ```text
//!  dataset ─► model ─► train ─► quantize ─► package ─► device
//!  fonts,     float    fit,     QAT grids,  .fude       emulated or real board
//!  idx, PNG   network  runs     lowering    bytes       answers compared
//! ```
//!
//! - [`dataset`]: glyphs from fonts, IDX files, folders and the ETL database; checks, splits, sampling, distortions.
//! - [`model`]: an architecture is a list of nodes; a network is one with weights.
//! - [`operators`]: the operations that training spends its time in.
//! - [`train`]: batches, the loop, run folders.
//! - [`quantize`]: fake quantisation in training, integers afterwards.
//! - [`package`]: from a checkpoint to the bytes that a board reads.
//! - [`label_font`]: labels as bitmaps for displays.
//! - [`evaluate`]: accuracy of a network or of a package, the latter by the device's own kernels.
//! - [`report`]: a page about a run, its parts, and runs held against each other.
//! - [`memory`]: which tensors lie where in the arena, and when.
//! - [`profile`]: where a recognition's instructions or its time go.
//! - [`plot`]: what charts look like.
//! - [`device`]: boards, emulators and the device link.
//! - [`simulate`]: a board's application in a window of this machine.
//! - [`budget`]: what a package may take of a board.
//! - [`doctor`] and [`machine`]: what is installed, and the remedy for what is not.
//! - [`verify`]: boards held against the host, byte for byte.
//! - [`cli`]: one file a subcommand of `fude`.

#![recursion_limit = "256"]
#![forbid(unsafe_code)]

pub mod budget;
pub mod card;
pub mod cli;
pub mod dataset;
pub mod device;
pub mod doctor;
pub mod evaluate;
pub mod files;
pub mod label_font;
pub mod machine;
pub mod memory;
pub mod model;
pub mod numbers;
pub mod operators;
pub mod package;
pub mod plot;
pub mod profile;
pub mod quantize;
pub mod report;
pub mod simulate;
pub mod tensors;
pub mod train;
pub mod verify;
