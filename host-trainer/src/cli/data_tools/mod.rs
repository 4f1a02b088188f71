//! `fude data`: looking at data before it is trained on.

mod check;

use clap::Subcommand;

use super::{CliError, Outcome};

/// Look at data before training on it.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  fude data check idx:train-images-idx3-ubyte.gz")]
pub enum DataCommand {
    Check(check::CheckArguments),
}

/// Runs the subcommand.
pub fn run(command: &DataCommand) -> Result<Outcome, CliError> {
    match command {
        DataCommand::Check(arguments) => check::run(arguments),
    }
}
