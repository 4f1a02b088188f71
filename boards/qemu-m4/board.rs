//! Cortex-M4F of an Arm MPS2 board with FPGA image AN386, **emulated** by QEMU (`-M mps2-an386`).
//!
//! Three pieces of hardware are used: SysTick as the counter, the CMSDK APB UART0 as the line to the host, and
//! semihosting for the exit code and the defmt log (which therefore appears on QEMU's standard output). QEMU shows
//! no display that an application could draw on, so this board draws into memory, which the host can read.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SYST};
use cortex_m::singleton;
use cortex_m_rt::exception;
// The board decides where the log goes: linking this crate installs its `defmt::global_logger`.
use defmt_semihosting as _;
use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU8};
use embedded_io::{ErrorType, Read, Write};

use crate::{Board, Counter, Peripherals, Tick};

/// The emulated board.
pub struct QemuM4;

/// Memory of the size of a common small display.
pub type Screen = Framebuffer<Gray8, RawU8, LittleEndian, 160, 128, { buffer_size::<Gray8>(160, 128) }>;

impl Board for QemuM4 {
    const NAME: &'static str = "qemu-m4";
    const ARENA_BYTES: usize = 1024 * 1024;
    type Serial = Uart;
    type Counter = SysTickCounter;
    type Display = Screen;

    fn init() -> Option<Peripherals<Uart, SysTickCounter, Screen>> {
        let core = cortex_m::Peripherals::take()?;
        Some(Peripherals {
            serial: Uart::init(),
            counter: SysTickCounter::init(core.SYST),
            display: singleton!(: Screen = Screen::new()),
            model_partition: model_partition(),
        })
    }

    fn exit(code: u8) -> ! {
        semihosting::process::exit(i32::from(code))
    }
}

fn model_partition() -> &'static [u8] {
    unsafe extern "C" {
        static _model_start: u8;
        static _model_end: u8;
    }
    let (start, end) = (&raw const _model_start, &raw const _model_end);
    // SAFETY: `memory.x` defines both symbols as the ends of one region of readable memory that holds nothing of the
    // firmware's. The emulator's loader writes it before the core starts, and nobody after.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// SysTick, extended beyond its 24 bits by its exception.
pub struct SysTickCounter(SYST);

/// SysTick counts down through this many ticks and starts again.
const SYSTICK_PERIOD: u32 = 1 << 24;

/// How often SysTick has reached zero.
static SYSTICK_WRAPS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    SYSTICK_WRAPS.fetch_add(1, Ordering::Relaxed);
}

impl SysTickCounter {
    fn init(mut systick: SYST) -> Self {
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(SYSTICK_PERIOD - 1);
        systick.enable_interrupt();
        systick.enable_counter();
        let mut counter = Self(systick);
        counter.restart();
        counter
    }
}

impl Counter for SysTickCounter {
    const TICK: Tick = Tick::Instructions(40);

    fn restart(&mut self) {
        // Writing it clears the counter, and makes QEMU's tick begin at this very instruction.
        self.0.clear_current();
        SYSTICK_WRAPS.store(0, Ordering::Relaxed);
    }

    fn ticks(&self) -> u64 {
        // A wrap between the two reads of the high half would pair it with the wrong low half.
        loop {
            let wraps = SYSTICK_WRAPS.load(Ordering::Relaxed);
            // Cleared, and when its exception fires, the counter is 0; then it goes down from the period's end.
            let elapsed = (SYSTICK_PERIOD - SYST::get_current()) % SYSTICK_PERIOD;
            if SYSTICK_WRAPS.load(Ordering::Relaxed) == wraps {
                return u64::from(wraps) * u64::from(SYSTICK_PERIOD) + u64::from(elapsed);
            }
        }
    }
}

/// The line on which UART0 says that it has received a byte (AN386, table of interrupts).
#[derive(Clone, Copy)]
struct ReceiveInterrupt;

// SAFETY: 0 is one of the 32 lines that AN386 connects, and this type has no other value.
unsafe impl InterruptNumber for ReceiveInterrupt {
    fn number(self) -> u16 {
        0
    }
}

/// CMSDK APB UART0 ("Arm Cortex-M System Design Kit Technical Reference Manual", 4.3).
///
/// The core sleeps until a byte has come: an emulated core that polls takes the host's time from the emulator's
/// input, and from a second emulator beside it. The interrupt only wakes the core and is never taken.
///
/// The UART cannot tell that the host is gone. A host that ends in good order ends its emulator; for one that was
/// killed, the line counts as closed after [`Uart::SILENCE`], so that no emulator outlives its host for ever.
pub struct Uart(());

impl Uart {
    const BASE: usize = 0x4000_4000;
    const DATA: usize = 0x00;
    const STATE: usize = 0x04;
    const CTRL: usize = 0x08;
    const INTCLEAR: usize = 0x0c;
    const BAUDDIV: usize = 0x10;

    const STATE_TX_FULL: u32 = 1 << 0;
    const STATE_RX_FULL: u32 = 1 << 1;
    const CTRL_TX_ENABLE: u32 = 1 << 0;
    const CTRL_RX_ENABLE: u32 = 1 << 1;
    const CTRL_RX_INTERRUPT: u32 = 1 << 3;
    const INTCLEAR_RX: u32 = 1 << 1;
    /// The smallest divider the UART accepts; the emulated line has no speed of its own.
    const BAUDDIV_MIN: u32 = 16;
    /// In wraps of SysTick (0.67 s at 25 MHz): about five minutes.
    const SILENCE: u32 = 450;

    fn init() -> Self {
        let uart = Self(());
        uart.write_register(Self::BAUDDIV, Self::BAUDDIV_MIN);
        uart.write_register(Self::CTRL, Self::CTRL_TX_ENABLE | Self::CTRL_RX_ENABLE | Self::CTRL_RX_INTERRUPT);
        uart
    }

    fn state(&self) -> u32 {
        self.read_register(Self::STATE)
    }

    fn is_empty(&self) -> bool {
        self.state() & Self::STATE_RX_FULL == 0
    }

    /// Sleeps until a byte has come; `false` when none came for [`Self::SILENCE`].
    fn wait_for_byte(&self) -> bool {
        let start = SYSTICK_WRAPS.load(Ordering::Relaxed);
        while self.is_empty() {
            if SYSTICK_WRAPS.load(Ordering::Relaxed).wrapping_sub(start) >= Self::SILENCE {
                return false;
            }
            // Masked, an interrupt ends the sleep without being taken; SysTick is taken between two sleeps.
            cortex_m::interrupt::free(|_| {
                // SAFETY: no code relies on this interrupt being masked, and it is masked again below.
                unsafe { NVIC::unmask(ReceiveInterrupt) };
                if self.is_empty() {
                    cortex_m::asm::wfi();
                }
                NVIC::mask(ReceiveInterrupt);
            });
        }
        self.write_register(Self::INTCLEAR, Self::INTCLEAR_RX);
        NVIC::unpend(ReceiveInterrupt);
        true
    }

    fn read_register(&self, offset: usize) -> u32 {
        // SAFETY: every offset is one of the constants above: an aligned 32-bit register of UART0, which this
        // value alone drives (`QemuM4::init` makes one).
        unsafe { ((Self::BASE + offset) as *const u32).read_volatile() }
    }

    fn write_register(&self, offset: usize, value: u32) {
        // SAFETY: as for `read_register`; writing these registers has no effect on memory.
        unsafe { ((Self::BASE + offset) as *mut u32).write_volatile(value) }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        if !self.wait_for_byte() {
            return Ok(0);
        }
        *first = self.read_register(Self::DATA) as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let Some(&first) = bytes.first() else { return Ok(0) };
        while self.state() & Self::STATE_TX_FULL != 0 {}
        self.write_register(Self::DATA, u32::from(first));
        Ok(1)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.state() & Self::STATE_TX_FULL != 0 {}
        Ok(())
    }
}
