//! An image that runs layers by themselves: the model partition holds trials ([`fude_runtime::trial`]), and of each the
//! serial line gets `INDEX TICKS STACK CRC-32`, the bytes of stack that it took and the checksum of its output, or
//! `INDEX refused`. An empty line ends the list.
//!
//! `make bench-boards` measures with it and the tests compare kernels with the oracle.

#![no_std]
#![no_main]

#[path = "../markers.rs"]
mod markers;

use core::fmt::Write as _;
use core::panic::PanicInfo;

use cortex_m_rt::entry;
use embedded_io::Write;
use fude_boards::{BareMetal, Counter, Peripherals, Selected};
use fude_runtime::package::CRC32;
use fude_runtime::trial::Trial;
use heapless::String;
use markers::{trial_begins, trial_ends};

/// Exit code of a panic, as Rust programs on a host end with it.
const EXIT_PANIC: u8 = 101;
const ARENA_BYTES: usize = 1024 * 1024;

#[repr(align(16))]
struct Arena([u8; ARENA_BYTES]);

#[entry]
fn main() -> ! {
    // `entry` hands the static out as `&mut`: it runs once.
    static mut ARENA: Arena = Arena([0; ARENA_BYTES]);

    let Some(Peripherals { mut serial, mut counter, model_partition, .. }) = Selected::init() else {
        panic!("the board was started before")
    };
    let mut trials = model_partition;
    let mut index = 0;
    while let Some((trial, rest)) = Trial::read(trials) {
        let prepared = trial.prepare(&mut ARENA.0);
        let stack = Stack::paint();
        counter.restart();
        trial_begins();
        let output = trial.run(&mut ARENA.0);
        trial_ends();
        let (ticks, stack) = (counter.ticks(), stack.used());
        let mut line = String::<48>::new();
        // The line is long enough for all of them.
        let _ = match output.filter(|_| prepared.is_some()) {
            Some(output) => writeln!(line, "{index} {ticks} {stack} {:08x}", CRC32.checksum(output)),
            None => writeln!(line, "{index} refused"),
        };
        let _ = serial.write_all(line.as_bytes());
        (trials, index) = (rest, index + 1);
    }
    let _ = serial.write_all(b"\n");
    let _ = serial.flush();
    Selected::exit(0)
}

/// The free part of the stack, filled with a pattern: what has changed of it since was used.
struct Stack {
    /// First word painted.
    bottom: *mut u32,
    /// The word behind the last one: below it are the frames of functions that are called from here on.
    top: *mut u32,
}

impl Stack {
    const PATTERN: u32 = 0x5afe_57ac;
    /// What is looked at: more than any kernel takes.
    const BYTES: usize = 16 * 1024;

    /// Left alone below the stack pointer: the compiler may read it before it opens the frame of `paint`.
    const FRAME: usize = 32;

    #[inline(never)]
    fn paint() -> Self {
        let top = cortex_m::register::msp::read() as usize - Self::FRAME;
        let stack = Self { bottom: (top - Self::BYTES) as *mut u32, top: top as *mut u32 };
        let mut word = stack.bottom;
        while word < stack.top {
            // SAFETY: the stack grows down from the end of a RAM of megabytes, so these words are below everything that
            // it holds now and above all statics.
            unsafe {
                word.write_volatile(Self::PATTERN);
                word = word.add(1);
            }
        }
        stack
    }

    /// Bytes from the lowest changed word to where the trial began.
    #[inline(never)]
    fn used(&self) -> usize {
        let mut word = self.bottom;
        // SAFETY: the words that `paint` wrote.
        while word < self.top && unsafe { word.read_volatile() } == Self::PATTERN {
            word = word.wrapping_add(1);
        }
        self.top as usize + Self::FRAME - word as usize
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    Selected::exit(EXIT_PANIC)
}
