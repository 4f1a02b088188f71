//! `fude`: the command line. Everything it does is in the library.

#![recursion_limit = "256"]
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use fude_trainer::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
