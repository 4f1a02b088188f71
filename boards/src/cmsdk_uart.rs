//! The CMSDK APB UART of Arm's MPS boards ("Arm Cortex-M System Design Kit Technical Reference Manual", 4.3).

use core::convert::Infallible;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorType, Read, Write};

use crate::systick;

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
/// In wraps of SysTick: four to six minutes.
const SILENCE: u32 = 450;

/// The UART at address `BASE`, which says by interrupt `RECEIVED` that it has received a byte.
///
/// The core sleeps until a byte has come: an emulated core that polls takes the host's time from the emulator's
/// input, and from a second emulator beside it. The interrupt only wakes the core and is never taken.
///
/// The UART cannot tell that the host is gone. A host that ends in good order ends its emulator; for one that was
/// killed, the line counts as closed after minutes of silence, so that no emulator outlives its host for ever.
/// SysTick measures them: it must have been started.
pub struct CmsdkUart<const BASE: usize, const RECEIVED: u16>(());

/// The line on which the UART says that it has received a byte.
#[derive(Clone, Copy)]
struct Received<const LINE: u16>;

// SAFETY: who makes a `CmsdkUart` vouches for its line, and nobody else makes this.
unsafe impl<const LINE: u16> InterruptNumber for Received<LINE> {
    fn number(self) -> u16 {
        LINE
    }
}

impl<const BASE: usize, const RECEIVED: u16> CmsdkUart<BASE, RECEIVED> {
    /// Switches the UART on.
    ///
    /// # Safety
    /// At `BASE` are the registers of a CMSDK APB UART that nothing else drives, and `RECEIVED` is the line of its
    /// receive interrupt, which nothing else unmasks or relies on being masked.
    pub unsafe fn start() -> Self {
        let uart = Self(());
        uart.write_register(BAUDDIV, BAUDDIV_MIN);
        uart.write_register(CTRL, CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_RX_INTERRUPT);
        uart
    }

    fn state(&self) -> u32 {
        self.read_register(STATE)
    }

    fn is_empty(&self) -> bool {
        self.state() & STATE_RX_FULL == 0
    }

    /// Sleeps until a byte has come; `false` when none came for [`SILENCE`].
    fn wait_for_byte(&self) -> bool {
        let start = systick::wraps();
        while self.is_empty() {
            if systick::wraps().wrapping_sub(start) >= SILENCE {
                return false;
            }
            // Masked, an interrupt ends the sleep without being taken; SysTick is taken between two sleeps.
            cortex_m::interrupt::free(|_| {
                // SAFETY: no code relies on this interrupt being masked (see `start`), and it is masked again below.
                unsafe { NVIC::unmask(Received::<RECEIVED>) };
                if self.is_empty() {
                    cortex_m::asm::wfi();
                }
                NVIC::mask(Received::<RECEIVED>);
            });
        }
        self.write_register(INTCLEAR, INTCLEAR_RX);
        NVIC::unpend(Received::<RECEIVED>);
        true
    }

    fn read_register(&self, offset: usize) -> u32 {
        // SAFETY: every offset is one of the constants above: an aligned 32-bit register of the UART that this value
        // alone drives (see `start`).
        unsafe { ((BASE + offset) as *const u32).read_volatile() }
    }

    fn write_register(&self, offset: usize, value: u32) {
        // SAFETY: as for `read_register`; writing these registers has no effect on memory.
        unsafe { ((BASE + offset) as *mut u32).write_volatile(value) }
    }
}

impl<const BASE: usize, const RECEIVED: u16> ErrorType for CmsdkUart<BASE, RECEIVED> {
    type Error = Infallible;
}

impl<const BASE: usize, const RECEIVED: u16> Read for CmsdkUart<BASE, RECEIVED> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        if !self.wait_for_byte() {
            return Ok(0);
        }
        *first = self.read_register(DATA) as u8;
        Ok(1)
    }
}

impl<const BASE: usize, const RECEIVED: u16> Write for CmsdkUart<BASE, RECEIVED> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let Some(&first) = bytes.first() else { return Ok(0) };
        while self.state() & STATE_TX_FULL != 0 {}
        self.write_register(DATA, u32::from(first));
        Ok(1)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.state() & STATE_TX_FULL != 0 {}
        Ok(())
    }
}
