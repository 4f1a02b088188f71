//! `fude compare`: several runs in one table.

use std::path::PathBuf;

use clap::Args;

use super::outcome::columns;
use super::{CliError, Outcome};
use crate::files::write_atomically;
use crate::report::compare::{Comparison, FRONT_NOTE, TITLES, TableFile};

/// Compare runs that have a report.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude compare runs/nano runs/micro runs/small
  fude compare runs/* --out compared.html

Refuses runs whose reports are of different samples, and runs that divided the same files otherwise.")]
pub struct CompareArguments {
    /// Folders of runs, or of reports.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Write the table to a file as well.
    #[arg(long, value_name = "FILE.html|FILE.csv")]
    pub out: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: &CompareArguments) -> Result<Outcome, CliError> {
    let comparison = Comparison::read(&arguments.runs)?;
    if let Some(path) = &arguments.out {
        let bytes = match TableFile::of(path) {
            Some(TableFile::Html) => comparison.html().into_bytes(),
            Some(TableFile::Csv) => comparison.csv().into_bytes(),
            None => return Err(format!("{}: the name must end in .html or .csv", path.display()).into()),
        };
        write_atomically(path, &bytes)?;
    }
    let mut table = vec![TITLES.map(str::to_owned)];
    table.extend(comparison.runs.iter().map(|run| run.cells()));
    Outcome::new(&comparison, format!("{}\n{FRONT_NOTE}", columns(&table)))
}
