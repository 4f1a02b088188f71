//! What a subcommand has to say.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::CliError;
pub use crate::numbers::{grouped, percent};

/// The result of a subcommand, for people and for scripts.
#[derive(Debug)]
pub struct Outcome {
    json: Value,
    text: String,
    success: bool,
}

impl Outcome {
    /// A result with its text.
    ///
    /// # Errors
    /// Where `document` has no JSON form, such as a map with keys that are not text.
    pub fn new(document: &impl Serialize, text: String) -> Result<Self, CliError> {
        Ok(Self { json: serde_json::to_value(document)?, text, success: true })
    }

    /// The same result with exit status 0 only where `success`.
    pub fn succeeding(self, success: bool) -> Self {
        Self { success, ..self }
    }

    /// Prints the document or the text.
    pub fn print(&self, json: bool) -> ExitCode {
        let written = if json {
            writeln!(io::stdout(), "{:#}", self.json)
        } else {
            writeln!(io::stdout(), "{}", self.text.trim_end())
        };
        match written {
            // A closed pipe (`fude … | head`) is the reader's choice, anything else is lost output.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                eprintln!("fude: standard output: cannot be written: {error}; free space or write it elsewhere");
                ExitCode::FAILURE
            }
            _ if self.success => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

/// Lays out rows of (name, value) in two columns.
pub fn rows(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// Lays out a table: the first two columns to the left, the others, which are numbers, to the right.
pub fn columns<const N: usize>(table: &[[String; N]]) -> String {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_columns() {
        let table = [["board", "", "n"], ["m4", "emulated", "1,000"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&table), "board                n\nm4     emulated  1,000\n");
    }

    #[test]
    fn aligns_values() {
        assert_eq!(rows(&[("a", "1".into()), ("long", "2".into())]), "a     1\nlong  2\n");
    }
}
