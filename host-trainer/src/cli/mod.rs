//! The command line: one file a subcommand, and what they share.
//!
//! A subcommand returns an [`Outcome`]: a JSON document, the same as text, and whether it went well. Progress
//! goes to standard error and vanishes when that is no terminal; with `--json` standard output is exactly one
//! document.

mod answers;
mod board;
mod compare;
mod data;
mod data_tools;
mod display;
mod doctor;
mod eval;
mod export;
mod inspect;
mod lr_find;
mod outcome;
mod profile;
mod progress;
mod qat;
mod quickstart;
mod recipe;
mod recognize;
mod repack;
mod report;
mod run;
mod simulate;
mod stage;
mod train;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use outcome::Outcome;

/// Any error of a subcommand: its text names file, place and remedy.
type CliError = Box<dyn std::error::Error>;

/// Trains handwriting recognisers, makes them INT8, packs them and checks them on boards.
#[derive(Debug, Parser)]
#[command(name = "fude", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Print exactly one JSON document to standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::TrainArguments),
    LrFind(lr_find::LrFindArguments),
    Qat(qat::QatArguments),
    Export(export::ExportArguments),
    Eval(eval::EvalArguments),
    Report(report::ReportArguments),
    Compare(compare::CompareArguments),
    Repack(repack::RepackArguments),
    Inspect(inspect::InspectArguments),
    Recognize(recognize::RecognizeArguments),
    Profile(profile::ProfileArguments),
    Verify(verify::VerifyArguments),
    Run(run::RunArguments),
    Simulate(simulate::SimulateArguments),
    Quickstart(quickstart::QuickstartArguments),
    #[command(subcommand)]
    Data(data_tools::DataCommand),
    Doctor(doctor::DoctorArguments),
}

impl Cli {
    /// Runs the subcommand, prints its outcome, and returns the exit status: 0 only where all went well.
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Train(arguments) => train::run(&arguments),
            Command::LrFind(arguments) => lr_find::run(&arguments),
            Command::Qat(arguments) => qat::run(&arguments),
            Command::Export(arguments) => export::run(&arguments),
            Command::Eval(arguments) => eval::run(&arguments),
            Command::Report(arguments) => report::run(&arguments),
            Command::Compare(arguments) => compare::run(&arguments),
            Command::Repack(arguments) => repack::run(&arguments),
            Command::Inspect(arguments) => inspect::run(&arguments),
            Command::Recognize(arguments) => recognize::run(&arguments),
            Command::Profile(arguments) => profile::run(&arguments),
            Command::Verify(arguments) => verify::run(&arguments),
            Command::Run(arguments) => run::run(&arguments),
            Command::Simulate(arguments) => simulate::run(&arguments),
            Command::Quickstart(arguments) => quickstart::run(&arguments),
            Command::Data(command) => data_tools::run(&command),
            Command::Doctor(arguments) => doctor::run(&arguments),
        };
        match result {
            Ok(outcome) => outcome.print(self.json),
            Err(error) => {
                eprintln!("fude: {error}");
                if error.is::<stage::Interrupted>() {
                    ExitCode::from(stage::INTERRUPTED_STATUS)
                } else {
                    ExitCode::FAILURE
                }
            }
        }
    }
}
