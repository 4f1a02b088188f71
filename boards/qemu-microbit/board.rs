//! Cortex-M0 of a micro:bit (Nordic nRF51822), **emulated** by QEMU (`-M microbit`).
//!
//! 16 KB of RAM: tiny models, small images, no display. [`timer`] counts, [`uart`] is the line to the host; exit code
//! and log go by semihosting.

mod timer;
mod uart;

use crate::display::NoDisplay;
use crate::memory::model_partition;
use crate::{BareMetal, Board, Peripherals};
use timer::TimerCounter;
use uart::Uart;

/// The emulated board.
pub struct Selected;

impl Board for Selected {
    const NAME: &'static str = "qemu-microbit";
    const ARENA_BYTES: usize = 4 * 1024;
    const MAX_PIXELS: usize = 32 * 32;
    const MAX_OUTPUT_BYTES: usize = 256;
    const PIXEL_BUFFER_BYTES: usize = 0;
    type Serial = Uart;
    type Counter = TimerCounter;
    type Display = NoDisplay;

    fn stack_used() -> Option<u32> {
        Some(crate::stack::used())
    }
}

impl BareMetal for Selected {
    fn init() -> Option<Peripherals<Uart, TimerCounter, NoDisplay>> {
        cortex_m::Peripherals::take()?;
        Some(Peripherals {
            // SAFETY: `take` has let us come here once, and nothing else drives TIMER0.
            counter: unsafe { TimerCounter::start() },
            // SAFETY: as above, of the UART and TIMER1.
            serial: unsafe { Uart::start() },
            display: None,
            model_partition: model_partition(),
        })
    }

    fn exit(code: u8) -> ! {
        semihosting::process::exit(i32::from(code))
    }
}

/// Reads a register.
///
/// # Safety
/// At `address` is a 32-bit register that may be read now.
unsafe fn read_register(address: usize) -> u32 {
    // SAFETY: the caller's.
    unsafe { (address as *const u32).read_volatile() }
}

/// Writes a register.
///
/// # Safety
/// At `address` is a 32-bit register that may be written now, without an effect on memory.
unsafe fn write_register(address: usize, value: u32) {
    // SAFETY: the caller's.
    unsafe { (address as *mut u32).write_volatile(value) }
}
