//! The board's log: defmt frames, which only the image's own symbols can turn into text.

use std::fmt;
use std::path::PathBuf;

use defmt_decoder::{DecodeError, Table};
use serde::Serialize;

use super::firmware::Firmware;

/// Decodes the log of one image.
pub struct Log {
    table: Table,
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
    /// The image has no table of messages.
    #[error("{} has no defmt messages in it: {reason}", image.display())]
    NoTable {
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
    /// [`LogError::NoTable`] when the image was built without a defmt logger, or with an incompatible one.
    pub fn of(firmware: &Firmware) -> Result<Self, LogError> {
        let no_table = |reason| LogError::NoTable { image: firmware.path().into(), reason };
        match Table::parse(firmware.elf()) {
            Ok(Some(table)) => Ok(Self { table }),
            Ok(None) => Err(no_table("the section .defmt is missing".into())),
            Err(error) => Err(no_table(error.to_string())),
        }
    }

    /// The messages in `bytes`, everything that the board wrote since it started. A last message that is not yet
    /// complete is left out.
    ///
    /// # Errors
    /// [`LogError::Malformed`] when `bytes` are not this image's log.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<LogLine>, LogError> {
        let mut decoder = self.table.new_stream_decoder();
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
