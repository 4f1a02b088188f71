//! The image of the board whose feature is on: start-up, and what happens when something goes wrong.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, entry, exception};
use fude_boards::{BareMetal, Selected};
use fude_firmware::app::{self, Memory};
use fude_firmware::memory_of;

/// Exit code of a panic, as Rust programs on a host end with it.
const EXIT_PANIC: u8 = 101;
/// Exit code of a fault: an access to memory that is not there, an instruction that does not exist, and the like.
const EXIT_FAULT: u8 = 102;

#[entry]
fn main() -> ! {
    // `entry` hands the static out as `&mut`: it runs once.
    static mut MEMORY: memory_of!(Selected) = Memory::ZERO;

    let Some(peripherals) = Selected::init() else { panic!("the board was started before") };
    Selected::exit(app::run::<Selected, _, _, _, _>(peripherals, MEMORY))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The message only where it is a plain string: formatting others here would cost kilobytes of flash.
    let message = info.message().as_str().unwrap_or("(see the place)");
    match info.location() {
        Some(place) => defmt::error!("panic at {=str}:{=u32}: {=str}", place.file(), place.line(), message),
        None => defmt::error!("panic: {=str}", message),
    }
    Selected::exit(EXIT_PANIC)
}

/// Called by the core's fault exception, with the registers it saved; without this a fault would hang in silence.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("fault at {=u32:#010x}, called from {=u32:#010x}", frame.pc(), frame.lr());
    Selected::exit(EXIT_FAULT)
}
