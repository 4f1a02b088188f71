//! `fude data`: looking at data before it is trained on.

mod check;
mod preview;
mod sheet;

use clap::Subcommand;

use super::{CliError, Outcome};

/// Look at data before training on it.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  fude data check idx:train-images-idx3-ubyte.gz
  fude data preview strokes:kanjivg.xml.gz --out sheet.png")]
pub enum DataCommand {
    Check(check::CheckArguments),
    Preview(preview::PreviewArguments),
}

/// Runs the subcommand.
pub fn run(command: &DataCommand) -> Result<Outcome, CliError> {
    match command {
        DataCommand::Check(arguments) => check::run(arguments),
        DataCommand::Preview(arguments) => preview::run(arguments),
    }
}
