//! What crosses modules: gradients, folding, lowering, what is on disk, and the program `fude` as its users meet it.
//!
//! One binary, so that the recogniser of [`trained`] is trained once.

#![forbid(unsafe_code)]
#![recursion_limit = "256"]

mod bad_input;
mod budgets;
mod cli;
mod data_tools;
mod emulated_board;
mod files;
mod folding;
mod fude;
mod gradients;
mod kernel_counts;
mod lowering;
mod networks;
mod options;
mod packages;
mod preview;
mod ranges;
mod real_strokes;
mod recipe;
mod report;
mod resume;
mod run_folder;
mod simulate;
mod trained;
