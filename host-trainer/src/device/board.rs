//! Board descriptions: `board.toml`, built in or a user's own.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use fude_boards::Tick;
use fude_runtime::layout::WeightLayout;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What a board is, as its `board.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The name, as the board's folder is called.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Emulated or real: reports repeat it beside every figure.
    pub status: Status,
    /// The core, as LLVM names it.
    pub core: String,
    /// The Rust target triple.
    pub target: String,
    /// How weights lie for the kernels of its firmware.
    #[serde(deserialize_with = "layout")]
    pub weights: WeightLayout,
    /// Where things lie; `None` under an operating system, which places the program itself.
    pub memory: Option<Memory>,
    /// The most that a package may take of it.
    #[serde(default)]
    pub budget: Budget,
    /// The line to the host.
    pub serial: Serial,
    /// What [`ticks`](fude_firmware::link::message::Recognition::ticks) are.
    pub counter: Counter,
    /// How to emulate the board, where that is possible.
    pub emulator: Option<Emulation>,
}

/// Whether a figure from this board was measured on silicon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Runs in an emulator: instructions are exact, time says nothing.
    Emulated,
    /// Runs on hardware.
    Hardware,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emulated => "emulated",
            Self::Hardware => "hardware",
        })
    }
}

/// The memory regions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The firmware's own.
    pub flash: Region,
    /// The model partition: the package lies at its start.
    pub model: Region,
    /// Working memory.
    pub ram: Region,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// First address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
}

impl Region {
    /// Whether `address` lies in the region.
    pub fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|offset| offset < self.size)
    }
}

/// The serial line of the device link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    /// Which peripheral.
    pub name: String,
    /// Its registers; `None` under an operating system.
    pub address: Option<u64>,
}

/// The board's counter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Which peripheral.
    pub name: String,
    /// What a tick is. An emulated board's time says nothing and is never shown.
    #[serde(flatten)]
    pub tick: Tick,
}

/// The table `[budget]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Most bytes of firmware and package together.
    pub flash: Option<u64>,
    /// Most bytes of arena.
    pub arena: Option<u64>,
    /// Most bytes of stack from boot through recognising a glyph, on a board that counts instructions and measures its stack.
    pub stack: Option<u64>,
    /// Most instructions of recognising one glyph, on a board that counts them.
    pub instructions: Option<u64>,
}

/// The emulator's command line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emulation {
    /// The program, found on `PATH`.
    pub program: String,
    /// Its arguments, with `{port}`, `{firmware}`, `{package}` and `{model_address}` in them.
    pub arguments: Vec<String>,
    /// Further arguments that make ticks exact.
    pub count_arguments: Vec<String>,
}

/// Why there is no such board.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// Neither a built-in name nor a folder.
    #[error("no board {name:?}: neither built in ({known}) nor a folder with a board.toml")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in names.
        known: String,
    },
    /// The description could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The description says something else than a board.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
}

impl Board {
    /// Finds a board: the built-in one of this name, or the one described in the folder of this path.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn find(name_or_folder: &str) -> Result<Self, BoardError> {
        let built_in = fude_boards::BUILT_IN.iter().find(|(name, _)| *name == name_or_folder);
        if let Some((name, text)) = built_in {
            return parse(text, &Path::new("boards").join(name).join("board.toml"));
        }
        let folder = Path::new(name_or_folder);
        if !folder.is_dir() {
            let names: Vec<_> = fude_boards::BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(BoardError::Unknown { name: name_or_folder.into(), known: names.join(", ") });
        }
        let path = folder.join("board.toml");
        match fs::read_to_string(&path) {
            Ok(text) => parse(&text, &path),
            Err(source) => Err(BoardError::Read { path, source }),
        }
    }

    /// The boards that ship with Fude.
    pub fn built_in() -> impl Iterator<Item = Self> {
        fude_boards::BUILT_IN.iter().map(|(name, _)| Self::find(name).expect("a test parses every built-in board"))
    }

    /// Whether its emulator can count instructions exactly.
    pub fn counts_instructions(&self) -> bool {
        self.instructions(1).is_some()
    }

    /// Instructions that `ticks` of this board's counter are, when the emulator counted them; `None` where it cannot.
    pub fn instructions(&self, ticks: u64) -> Option<u64> {
        let counts = self.emulator.as_ref().is_some_and(|emulator| !emulator.count_arguments.is_empty());
        match self.counter.tick {
            Tick::Instructions(instructions) if counts => Some(ticks.saturating_mul(instructions.into())),
            _ => None,
        }
    }
}

fn layout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WeightLayout, D::Error> {
    let name = String::deserialize(deserializer)?;
    parse_layout(&name).map_err(|known| D::Error::custom(format!("no layout {name:?}; {known}")))
}

/// The layout of a name; else says which names there are.
pub fn parse_layout(name: &str) -> Result<WeightLayout, String> {
    let names = WeightLayout::ALL.map(WeightLayout::name).join(", ");
    WeightLayout::from_name(name).ok_or_else(|| format!("there are {names}"))
}

fn parse(text: &str, path: &Path) -> Result<Board, BoardError> {
    toml::from_str(text).map_err(|source| BoardError::Parse { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_board_is_described_under_its_own_name() {
        for (name, _) in fude_boards::BUILT_IN {
            let board = Board::find(name).unwrap();
            assert_eq!(board.name, *name);
            if let Some(memory) = board.memory {
                assert!(!memory.flash.contains(memory.model.address), "{name}: the model overlaps the firmware");
            }
        }
    }

    #[test]
    fn time_is_never_taken_for_instructions() {
        let mut board = Board::find("qemu-m4").unwrap();
        assert_eq!((board.counts_instructions(), board.instructions(3)), (true, Some(120)));
        board.counter.tick = Tick::Nanoseconds(40);
        assert_eq!((board.counts_instructions(), board.instructions(3)), (false, None));
    }

    #[test]
    fn a_budget_is_read_and_a_mistake_in_it_found() {
        let folder = tempfile::tempdir().unwrap();
        let (_, text) = fude_boards::BUILT_IN[0];
        let own = |budget: &str| {
            fs::write(folder.path().join("board.toml"), format!("{text}\n[budget]\n{budget}\n")).unwrap();
            Board::find(folder.path().to_str().unwrap())
        };
        let board = own("flash = 1_000\narena = 0x10\nstack = 90\ninstructions = 7").unwrap();
        assert_eq!(board.budget, Budget { flash: Some(1000), arena: Some(16), stack: Some(90), instructions: Some(7) });
        let typo = own("arenas = 16").unwrap_err().to_string();
        assert!(typo.contains("board.toml") && typo.contains("arenas"), "{typo}");
    }

    #[test]
    fn an_unknown_board_names_the_known_ones() {
        let message = Board::find("nonesuch").unwrap_err().to_string();
        assert!(message.contains("nonesuch") && message.contains("qemu-m4"), "{message}");
    }

    #[test]
    fn a_folder_of_ones_own_is_a_board() {
        let folder = tempfile::tempdir().unwrap();
        let own = |text: &str| {
            fs::write(folder.path().join("board.toml"), text).unwrap();
            Board::find(folder.path().to_str().unwrap())
        };
        let (name, text) = fude_boards::BUILT_IN[0];
        assert_eq!(own(text).unwrap(), Board::find(name).unwrap());
        let typo = own(&text.replace("[counter]", "[conuter]")).unwrap_err().to_string();
        assert!(typo.contains("board.toml") && typo.contains("conuter"), "{typo}");
        for tick in ["", "ticks = 1", "instructions_per_tick = 1\nnanoseconds_per_tick = 1"] {
            own(&text.replace("instructions_per_tick = 40", tick)).expect_err(tick);
        }
        fs::remove_file(folder.path().join("board.toml")).unwrap();
        assert!(matches!(Board::find(folder.path().to_str().unwrap()), Err(BoardError::Read { .. })));
    }
}
