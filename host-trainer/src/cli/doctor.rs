//! `fude doctor`: what this machine has, what it lacks, and what to do about it.

use clap::Args;

use super::board::find_boards;
use super::quickstart::{TEST_FACE, TRAINING_FACES};
use super::{CliError, Outcome};
use crate::doctor::{Finding, State, examine, fonts};
use crate::label_font::DEFAULT_FACE;

/// Look for everything that fude needs on this machine, and say how to get what is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude doctor
  fude doctor --board qemu-m4

Exit status 1 where something is missing that the boards need.")]
pub struct DoctorArguments {
    /// Boards by name, or folders with a board.toml of your own; `all` for every board that ships with fude.
    #[arg(long, value_name = "NAME|FOLDER|all", value_delimiter = ',', default_value = "all")]
    pub board: Vec<String>,
}

/// Runs the subcommand.
pub fn run(arguments: &DoctorArguments) -> Result<Outcome, CliError> {
    let boards = find_boards(&arguments.board)?;
    let mut findings = examine(&boards);
    findings.push(fonts(&[&TRAINING_FACES[..], &[TEST_FACE]].concat(), "the quickstart"));
    findings.push(Finding { optional: true, ..fonts(&[DEFAULT_FACE], "labels on displays") });
    let success = !findings.iter().any(Finding::is_trouble);
    Ok(Outcome::new(&findings, text(&findings))?.succeeding(success))
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (mark, detail) = match &finding.state {
            State::Found(detail) => ("ok     ", detail),
            State::Missing(remedy) if finding.optional => ("-      ", remedy),
            State::Missing(remedy) => ("MISSING", remedy),
        };
        text.push_str(&format!("{mark}  {}, for {}\n         {detail}\n", finding.what, finding.needed_for));
    }
    let missing = findings.iter().filter(|finding| finding.is_trouble()).count();
    match missing {
        0 => text.push_str("\nEverything that is needed is here.\n"),
        _ => text.push_str(&format!("\n{missing} of {} things are missing.\n", findings.len())),
    }
    text
}
