//! The board's log: defmt frames, which only the image's own symbols can turn into text. A program under an operating
//! system logs text, since people read it there too.

use std::fmt;
use std::path::PathBuf;

use defmt_decoder::{DecodeError, Table};
use serde::Serialize;

use super::firmware::Firmware;

/// Decodes the log of one image.
pub struct Log {
    /// The image's defmt messages; `None` for one that has none and logs text, a line a message.
    table: Option<Table>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE`, or empty for a plain print.
    pub level: String,
    /// The message.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5} {}", self.level, self.text)
    }
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The image's table of messages cannot be read.
    #[error("{} has defmt messages that cannot be read: {reason}", image.display())]
    BadTable {
        /// The image.
        image: PathBuf,
        /// Why.
        reason: String,
    },
    /// The bytes are not this image's log.
    #[error("the board's log is damaged, or of another firmware than the one given")]
    Malformed,
}

impl Log {
    /// A decoder for the log of `firmware`.
    ///
    /// # Errors
    /// [`LogError::BadTable`] when the image was built with an incompatible version of defmt.
    pub fn of(firmware: &Firmware) -> Result<Self, LogError> {
        let bad_table = |reason| LogError::BadTable { image: firmware.path().into(), reason };
        Table::parse(firmware.elf()).map(|table| Self { table }).map_err(|error| bad_table(error.to_string()))
    }

    /// The messages in `bytes`, everything that the board wrote since it started. A last message that is not yet
    /// complete is left out.
    ///
    /// # Errors
    /// [`LogError::Malformed`] when `bytes` are not this image's log.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<LogLine>, LogError> {
        let Some(table) = &self.table else { return Ok(lines_of_text(bytes)) };
        let mut decoder = table.new_stream_decoder();
        decoder.received(bytes);
        let mut lines = Vec::new();
        loop {
            match decoder.decode() {
                Ok(frame) => lines.push(LogLine {
                    level: frame.level().map_or_else(String::new, |level| level.as_str().to_uppercase()),
                    text: frame.display_message().to_string(),
                }),
                Err(DecodeError::UnexpectedEof) => return Ok(lines),
                Err(DecodeError::Malformed) => return Err(LogError::Malformed),
            }
        }
    }
}

/// The complete lines in `bytes`, each with its level first, if it has one.
fn lines_of_text(bytes: &[u8]) -> Vec<LogLine> {
    let text = String::from_utf8_lossy(bytes);
    let complete = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let line = |line: &str| match line.split_once(' ') {
        Some((level @ ("ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE"), text)) => {
            LogLine { level: level.into(), text: text.trim_start().into() }
        }
        _ => LogLine { level: String::new(), text: line.into() },
    };
    complete.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_line_a_message() {
        let lines = lines_of_text(b"INFO  all well\nERROR gone: 7\nINFORMATION\n\nWARN  not yet");
        let lines: Vec<_> = lines.iter().map(|line| (line.level.as_str(), line.text.as_str())).collect();
        assert_eq!(lines, [("INFO", "all well"), ("ERROR", "gone: 7"), ("", "INFORMATION"), ("", "")]);
        assert_eq!(lines_of_text(b""), []);
    }
}
