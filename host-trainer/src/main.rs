//! `fude`: the command line. Everything it does is in the library.

#![recursion_limit = "256"]
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use fude_trainer::cli::Cli;
use mimalloc::MiMalloc;

// Training frees and asks for the same large blocks again and again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
