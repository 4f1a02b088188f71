//! A board, as the host sees it: find its image, start it, talk to it, read its log.
//!
//! ```text
//!  board::Board ─┐                              ┌─ link::Link        requests and answers (TCP, UART of the board)
//!  firmware::Firmware ─┼─► Device::boot ─► Device ─┼─ emulator::Emulator  the process, its exit code
//!  a package ────┘                              └─ log::Log          messages: defmt of an image, text of a program
//! ```
//!
//! [`Device`] is the whole: it notices when the board ends in the middle of a request and then says why, with the
//! board's own last words. Today every board is emulated; a serial port will be a second line under [`link::Link`].

pub mod board;
pub mod emulator;
pub mod firmware;
pub mod link;
pub mod log;
pub mod trials;

#[cfg(test)]
pub(crate) mod tests;

use std::net::TcpStream;
use std::path::Path;

use fude_boards::Tick;
use fude_firmware::link::message::{Hello, Image, Recognition};

use board::Board;
use emulator::{Emulator, EmulatorError};
use firmware::Firmware;
use link::{Link, LinkError, Screenshot};
use log::{Log, LogError, LogLine};

use crate::package::ModelId;

/// A running board with a package on it.
pub struct Device {
    link: Link<TcpStream>,
    emulator: Emulator,
    log: Log,
}

/// Why a board cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The emulator could not be started.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The board's log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A request went wrong, and the board still runs.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The board ended by itself.
    #[error("the board ended with exit code {code}; {}", last_words(.log))]
    Ended {
        /// The exit code, as `firmware/src/app.rs` and `bin/board.rs` give them; 128 + signal for a killed emulator.
        code: i32,
        /// Everything it logged.
        log: Vec<LogLine>,
    },
    /// The image is another board's.
    #[error("the firmware is built for the board {found:?}, not for {expected:?}: give the matching `--firmware`")]
    WrongBoard {
        /// The board that was started.
        expected: String,
        /// The board that answered.
        found: String,
    },
    /// The image counts otherwise than the board's description says, so that figures would be wrong.
    #[error(
        "a tick of the board {board:?} is {found} to its firmware and {expected} to its board.toml: correct \
        [counter], or build the firmware again with `make firmware BOARD={board}`"
    )]
    OtherTick {
        /// The board.
        board: String,
        /// What its description says.
        expected: Tick,
        /// What its firmware says.
        found: Tick,
    },
    /// The package on the board is another than the host's.
    #[error("the board runs the model {found}, not {expected}: put the package that you named on the board")]
    OtherModel {
        /// The host's model.
        expected: ModelId,
        /// The board's.
        found: ModelId,
    },
}

fn last_words(log: &[LogLine]) -> String {
    match log.last() {
        Some(line) => format!("its last log line: {line}"),
        None => "it logged nothing".into(),
    }
}

impl Device {
    /// Starts `board` with `firmware` and the package in the file `package`, and waits for it to serve.
    ///
    /// With `counting` an emulator runs one instruction in a fixed time, so that ticks are exact and repeatable;
    /// it is slower.
    ///
    /// # Errors
    /// [`DeviceError::Ended`] when the firmware refuses the package, [`DeviceError::WrongBoard`] and
    /// [`DeviceError::OtherTick`] when it is not what `board` describes, besides everything that can go wrong on the
    /// way there.
    pub fn boot(board: &Board, firmware: &Firmware, package: &Path, counting: bool) -> Result<Self, DeviceError> {
        let log = Log::of(firmware)?;
        let mut emulator = Emulator::start(board, firmware.path(), package, counting)?;
        let link = Link::new(emulator.line()?);
        let mut device = Self { link, emulator, log };
        let Hello { board: found, tick, .. } = device.hello()?;
        if found != board.name {
            return Err(DeviceError::WrongBoard { expected: board.name.clone(), found: found.to_owned() });
        }
        if tick != board.counter.tick {
            let (board, expected) = (board.name.clone(), board.counter.tick);
            return Err(DeviceError::OtherTick { board, expected, found: tick });
        }
        Ok(device)
    }

    /// Checks that the board runs this model: classes of another would get the wrong labels.
    ///
    /// # Errors
    /// [`DeviceError::OtherModel`], and as [`Device::hello`].
    pub fn check_model(&mut self, expected: &ModelId) -> Result<(), DeviceError> {
        let hello = self.hello()?;
        let found = ModelId { name: hello.model.to_owned(), id: hello.model_id };
        if found.id == expected.id {
            return Ok(());
        }
        Err(DeviceError::OtherModel { expected: expected.clone(), found })
    }

    /// Asks the board what it is and which package it runs.
    ///
    /// # Errors
    /// As for every request: [`DeviceError::Link`], or [`DeviceError::Ended`] when the board is gone.
    pub fn hello(&mut self) -> Result<Hello<'_>, DeviceError> {
        let Self { link, emulator, log } = self;
        link.hello().map_err(|error| explain(error, emulator, log))
    }

    /// Recognises one image on the board.
    ///
    /// # Errors
    /// As [`Device::hello`].
    pub fn recognize(&mut self, image: Image<'_>) -> Result<Recognition<'_>, DeviceError> {
        let Self { link, emulator, log } = self;
        link.recognize(image).map_err(|error| explain(error, emulator, log))
    }

    /// Recognises one image on the board and shows the answer on its display.
    ///
    /// # Errors
    /// As [`Device::hello`]; a board without a display refuses within [`DeviceError::Link`].
    pub fn show(&mut self, image: Image<'_>) -> Result<Recognition<'_>, DeviceError> {
        let Self { link, emulator, log } = self;
        link.show(image).map_err(|error| explain(error, emulator, log))
    }

    /// What the board's display shows.
    ///
    /// # Errors
    /// As [`Device::show`].
    pub fn screen(&mut self) -> Result<Screenshot, DeviceError> {
        let Self { link, emulator, log } = self;
        link.screen().map_err(|error| explain(error, emulator, log))
    }

    /// Has the board run the package's golden vectors again; returns how many there are.
    ///
    /// # Errors
    /// As [`Device::hello`]; a vector that differs is a refusal within [`DeviceError::Link`].
    pub fn self_test(&mut self) -> Result<u16, DeviceError> {
        let Self { link, emulator, log } = self;
        link.self_test().map_err(|error| explain(error, emulator, log))
    }

    /// What the board has logged so far.
    ///
    /// # Errors
    /// [`LogError`] when the log does not belong to the image.
    pub fn log(&self) -> Result<Vec<LogLine>, LogError> {
        self.log.decode(&self.emulator.output())
    }

    /// Ends the board's program and returns its whole log.
    ///
    /// # Errors
    /// As [`Device::hello`]; [`DeviceError::Ended`] when it ends with another code than 0.
    pub fn shutdown(mut self) -> Result<Vec<LogLine>, DeviceError> {
        let Self { link, emulator, log } = &mut self;
        link.shutdown(0).map_err(|error| explain(error, emulator, log))?;
        let code = emulator.wait()?;
        let log = log.decode(&emulator.output())?;
        if code == 0 { Ok(log) } else { Err(DeviceError::Ended { code, log }) }
    }
}

/// Turns the failure of a request into the board's own account of it, where the board is gone.
fn explain(error: LinkError, emulator: &mut Emulator, log: &Log) -> DeviceError {
    if !matches!(error, LinkError::HungUp) {
        return error.into();
    }
    match emulator.wait() {
        Ok(code) => match log.decode(&emulator.output()) {
            Ok(log) => DeviceError::Ended { code, log },
            Err(error) => error.into(),
        },
        Err(error) => error.into(),
    }
}
