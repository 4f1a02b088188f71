//! Cortex-M55 of an Arm MPS3 board with FPGA image AN547, **emulated** by QEMU (`-M mps3-an547`).
//!
//! The core starts in secure state and stays there.
//!
//! SysTick is the counter, the CMSDK APB UART0 the line to the host; exit code and log go by semihosting; the display
//! is memory. The board `qemu-m55` says more of each.

use cortex_m::singleton;
use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU8};

use crate::cmsdk_uart::CmsdkUart;
use crate::memory::model_partition;
use crate::systick::SysTickCounter;
use crate::{BareMetal, Board, Peripherals};

/// The emulated board.
pub struct Selected;

/// UART0 and the line of its receive interrupt (AN547, memory map and table of interrupts).
type Uart0 = CmsdkUart<0x5930_3000, 33>;
/// Four counts at 32 MHz are 125 instructions of 1 ns.
type SysTick = SysTickCounter<125, 4>;
/// Memory of the size of a common 7-inch display.
type Screen = Framebuffer<Gray8, RawU8, LittleEndian, 800, 480, { buffer_size::<Gray8>(800, 480) }>;

impl Board for Selected {
    const NAME: &'static str = "qemu-m55";
    const ARENA_BYTES: usize = 1024 * 1024;
    const MAX_PIXELS: usize = 128 * 128;
    const MAX_OUTPUT_BYTES: usize = 16 * 1024;
    const MAX_GLYPH_PIXELS: usize = 64 * 64;
    type Serial = Uart0;
    type Counter = SysTick;
    type Display = Screen;
}

impl BareMetal for Selected {
    fn init() -> Option<Peripherals<Uart0, SysTick, Screen>> {
        let core = cortex_m::Peripherals::take()?;
        Some(Peripherals {
            counter: SysTick::start(core.SYST),
            // SAFETY: address and line are UART0's, and `take` has let us come here once.
            serial: unsafe { Uart0::start() },
            display: singleton!(: Screen = Screen::new()),
            model_partition: model_partition(),
        })
    }

    fn exit(code: u8) -> ! {
        semihosting::process::exit(i32::from(code))
    }
}
