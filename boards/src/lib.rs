//! The boards that Fude knows.
//!
//! A board is one folder of this crate:
//!
//! | file | is | read by |
//! |---|---|---|
//! | `board.toml` | what the board is: core, target, memory, model partition, counter, emulator | the host |
//! | `memory.x` | the same memory regions for the linker; none under an operating system | `firmware/build.rs` |
//! | `board.rs` | start-up and drivers behind [`Board`] | the firmware, under the board's feature |
//!
//! What boards share is a file each: [`display`], and for Cortex-M `memory.rs`, `stack.rs`, the drivers `systick.rs` and
//! `cmsdk_uart.rs`, and `mps.rs`, which makes a board of Arm's MPS designs in one call.
//!
//! The crate has two readers, and neither pays for the other:
//!
//! - The **host** uses it without features. [`BUILT_IN`] holds the text of every `board.toml`, so that the
//!   installed `fude` knows these boards without the source tree.
//! - The **firmware** switches on exactly one board's feature. That board is then `Selected`, and everything
//!   above it sees only the trait [`Board`]. Start and end are [`BareMetal`]'s, which a program under an operating
//!   system does without.
//!
//! # Adding a board
//!
//! Copy a folder, describe the board in its `board.toml` and, where a linker script lays its memory out, `memory.x`
//! (a test of this crate holds the two together), implement [`Board`] and [`BareMetal`] for a type `Selected`. Then
//! add a feature of the folder's name here (with `cortex-m`, and `mps` for one of Arm's designs) and in the firmware (with
//! `image`), and in this file the lines that make the feature's `selected` module and that list it in [`BUILT_IN`].
//! `firmware/build.sh NAME` builds its image.

#![no_std]
#![deny(missing_docs)]
// Registers are reached by address. Each use says why it is sound; nothing else in the crate may be unsafe.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
#![cfg_attr(not(feature = "cortex-m"), forbid(unsafe_code))]

#[cfg(feature = "mps")]
mod cmsdk_uart;
pub mod display;
#[cfg(feature = "cortex-m")]
mod memory;
#[cfg(feature = "mps")]
mod mps;
#[cfg(feature = "cortex-m")]
mod stack;
#[cfg(feature = "mps")]
mod systick;

use core::fmt;

use embedded_io::{Read, Write};
use serde::{Deserialize, Serialize};

use display::Display;

// The board decides where the log goes: linking this crate installs its `defmt::global_logger`.
#[cfg(feature = "cortex-m")]
use defmt_semihosting as _;

#[cfg(feature = "qemu-m0")]
#[path = "../qemu-m0/board.rs"]
mod selected;
#[cfg(feature = "qemu-m3")]
#[path = "../qemu-m3/board.rs"]
mod selected;
#[cfg(feature = "qemu-m4")]
#[path = "../qemu-m4/board.rs"]
mod selected;
#[cfg(feature = "qemu-m7")]
#[path = "../qemu-m7/board.rs"]
mod selected;
#[cfg(feature = "qemu-m33")]
#[path = "../qemu-m33/board.rs"]
mod selected;
#[cfg(feature = "qemu-m55")]
#[path = "../qemu-m55/board.rs"]
mod selected;
#[cfg(feature = "qemu-microbit")]
#[path = "../qemu-microbit/board.rs"]
mod selected;

#[cfg(feature = "cortex-m")]
pub use selected::Selected;

#[cfg(feature = "linux")]
#[path = "../rpi-linux/board.rs"]
pub mod linux;

#[cfg(feature = "linux")]
pub use linux::Selected;

/// The boards that ship with Fude: each name with the text of its `board.toml`.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("qemu-m0", include_str!("../qemu-m0/board.toml")),
    ("qemu-m3", include_str!("../qemu-m3/board.toml")),
    ("qemu-m4", include_str!("../qemu-m4/board.toml")),
    ("qemu-m7", include_str!("../qemu-m7/board.toml")),
    ("qemu-m33", include_str!("../qemu-m33/board.toml")),
    ("qemu-m55", include_str!("../qemu-m55/board.toml")),
    ("qemu-microbit", include_str!("../qemu-microbit/board.toml")),
    ("rpi-linux", include_str!("../rpi-linux/board.toml")),
    ("rpi-linux-armv7", include_str!("../rpi-linux-armv7/board.toml")),
];

/// A board, as the application above it sees one.
pub trait Board {
    /// The folder's name, as in [`BUILT_IN`].
    const NAME: &'static str;

    /// RAM set aside for the recogniser's tensors, in bytes.
    const ARENA_BYTES: usize;

    /// Most pixels of an image that the host may send.
    const MAX_PIXELS: usize;

    /// Most bytes of an output tensor, or of the display's picture, in one answer to the host.
    const MAX_OUTPUT_BYTES: usize;

    /// Pixels on their way to and from the display, a byte each: room for the largest input glyph that it shows, and
    /// for the part of its picture that the host reads back at a time. 0 on a board without a display, and only there;
    /// at most [`Self::MAX_OUTPUT_BYTES`].
    const PIXEL_BUFFER_BYTES: usize;

    /// The line to the host. Reading blocks until there is at least one byte.
    type Serial: Read + Write;

    /// The clock that costs are measured with.
    type Counter: Counter;

    /// What answers are shown on; [`display::NoDisplay`] on a board without.
    type Display: Display + 'static;

    /// The most bytes of stack that have been in use since the start; `None` where nobody looks, as under an operating
    /// system.
    fn stack_used() -> Option<u32> {
        None
    }
}

/// A board without an operating system, which the firmware itself starts and ends.
pub trait BareMetal: Board {
    /// Starts the counter, the serial line and the display. `None` when it was called before: there is one board.
    fn init() -> Option<Peripherals<Self::Serial, Self::Counter, Self::Display>>;

    /// Ends the program. An emulator ends with `code`; real hardware stops.
    fn exit(code: u8) -> !;
}

/// What a started board offers. The parts are independent: costs are measured while the line is in use.
pub struct Peripherals<S, C, D: 'static> {
    /// The line to the host.
    pub serial: S,
    /// The clock that costs are measured with.
    pub counter: C,
    /// What answers are shown on, if there is anything.
    pub display: Option<&'static mut D>,
    /// The whole model partition, package first. What follows the package is unspecified.
    pub model_partition: &'static [u8],
}

/// What a tick of a [`Counter`] is, and how many of them. The names are those of `[counter]` in `board.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tick {
    /// Instructions: a clock under an emulator that counts.
    #[serde(rename = "instructions_per_tick")]
    Instructions(u32),
    /// Time.
    #[serde(rename = "nanoseconds_per_tick")]
    Nanoseconds(u32),
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instructions(each) => write!(f, "{each} instructions"),
            Self::Nanoseconds(each) => write!(f, "{each} ns"),
        }
    }
}

/// A clock that counts whatever the board can count.
pub trait Counter {
    /// What a tick is; `[counter]` in `board.toml` tells the host the same, and the host compares.
    const TICK: Tick;

    /// Whether ticks say something of the board. Those of a clock in an emulator that does not count say something of
    /// the emulator, and nobody is shown them.
    fn is_of_the_board(&self) -> bool {
        true
    }

    /// Starts again from zero, at the beginning of a tick: what takes the same time then gives the same count.
    fn restart(&mut self);

    /// Ticks since the last restart. If they wrap at all, then not within minutes.
    fn ticks(&self) -> u64;
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::BUILT_IN;
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use std::{format, fs, string::String};

    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    /// The value of `key = value` in the table `[table]` of a `board.toml`, as it is written there.
    fn value<'t>(text: &'t str, table: &str, key: &str) -> &'t str {
        let (_, table) = text.split_once(&format!("[{table}]\n")).unwrap();
        let line = table.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_start_matches([' ', '='])
    }

    fn hexadecimal(text: &str) -> u64 {
        u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
    }

    /// Origin and length of a region of `memory.x`.
    fn region(script: &str, name: &str) -> Option<(u64, u64)> {
        let line = script.lines().find(|line| line.split(':').next().unwrap().trim() == name)?;
        let mut numbers = line.split(['=', ',']).map(str::trim).filter(|part| part.starts_with("0x")).map(hexadecimal);
        Some((numbers.next().unwrap(), numbers.next().unwrap()))
    }

    #[test]
    fn every_folder_with_a_description_is_built_in() {
        let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
        let described = entries.filter(|entry| entry.path().join("board.toml").is_file());
        let described: BTreeSet<_> = described.map(|entry| entry.file_name().into_string().unwrap()).collect();
        let built_in: BTreeSet<_> = BUILT_IN.iter().map(|(name, _)| String::from(*name)).collect();
        assert_eq!(described, built_in);
    }

    #[test]
    fn the_linker_and_the_host_read_the_same_memory_regions() {
        for (board, text) in BUILT_IN {
            let script = fs::read_to_string(folder().join(board).join("memory.x"));
            // An operating system lays its programs out itself.
            if !text.contains("-none-") {
                assert!(script.is_err(), "{board} needs no memory.x");
                continue;
            }
            let script = script.unwrap();
            let (mut ram, stack) = (region(&script, "RAM").unwrap(), region(&script, "STACK"));
            // A stack of its own is a part of the RAM.
            if let Some((origin, length)) = stack {
                assert_eq!(origin + length, ram.0, "{board}: the stack should end where the rest begins");
                ram = (origin, length + ram.1);
            }
            let (flash, model) = (region(&script, "FLASH").unwrap(), region(&script, "MODEL").unwrap());
            for (found, table) in [(flash, "memory.flash"), (model, "memory.model"), (ram, "memory.ram")] {
                let number = |key| hexadecimal(&value(text, table, key).replace('_', ""));
                assert_eq!(found, (number("address"), number("size")), "{board}/memory.x: {table}");
            }
        }
    }
}
