//! Cortex-M33 of an Arm MPS2 board with FPGA image AN505, **emulated** by QEMU (`-M mps2-an505`).
//!
//! The core starts in secure state and stays there, so every address is the secure alias.
//!
//! SysTick is the counter, the CMSDK APB UART0 the line to the host; exit code and log go by semihosting; the display
//! is memory. The board `qemu-m33` says more of each.

use cortex_m::singleton;
use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU1};

use crate::cmsdk_uart::CmsdkUart;
use crate::memory::model_partition;
use crate::systick::SysTickCounter;
use crate::{BareMetal, Board, Peripherals};

/// The emulated board.
pub struct Selected;

/// UART0 and the line of its receive interrupt (AN505, memory map and table of interrupts).
type Uart0 = CmsdkUart<0x5020_0000, 32>;
/// A count at 20 MHz is 50 instructions of 1 ns.
type SysTick = SysTickCounter<50>;
/// Memory of the size and colours of a common small OLED.
type Screen = Framebuffer<BinaryColor, RawU1, LittleEndian, 128, 64, { buffer_size::<BinaryColor>(128, 64) }>;

impl Board for Selected {
    const NAME: &'static str = "qemu-m33";
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
