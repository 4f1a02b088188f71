//! `fude data`: looking at data before training on it.

mod check;

use clap::{Args, Subcommand};

use super::{CliError, Outcome};

/// Look at data before training on it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude data check idx:train-images-idx3-ubyte.gz")]
pub struct DataToolArguments {
    #[command(subcommand)]
    tool: DataTool,
}

#[derive(Debug, Subcommand)]
enum DataTool {
    Check(check::CheckArguments),
}

/// Runs the tool.
pub fn run(arguments: &DataToolArguments) -> Result<Outcome, CliError> {
    match &arguments.tool {
        DataTool::Check(arguments) => check::run(arguments),
    }
}
