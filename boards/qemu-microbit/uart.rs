//! The UART of the nRF51 ("nRF51 Series Reference Manual" 3.0, 29).
//!
//! As with the other boards, the core sleeps until a byte has come, and after minutes of silence the line counts as
//! closed. TIMER1 wakes it now and then to see that time passes. No interrupt is ever taken.
//!
//! QEMU's UART has neither pins nor a speed, so none are set here; a micro:bit would need both.

use core::convert::Infallible;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorType, Read, Write};

use super::{read_register, write_register};

const UART: usize = 0x4000_2000;
const UART_TASKS_STARTRX: usize = UART;
const UART_TASKS_STARTTX: usize = UART + 0x008;
const UART_EVENTS_RXDRDY: usize = UART + 0x108;
const UART_EVENTS_TXDRDY: usize = UART + 0x11c;
const UART_INTENSET: usize = UART + 0x304;
const UART_ENABLE: usize = UART + 0x500;
const UART_RXD: usize = UART + 0x518;
const UART_TXD: usize = UART + 0x51c;
const UART_INTEN_RXDRDY: u32 = 1 << 2;
const UART_ENABLED: u32 = 4;

const TIMER: usize = 0x4000_9000;
const TIMER_TASKS_START: usize = TIMER;
const TIMER_EVENTS_COMPARE_0: usize = TIMER + 0x140;
const TIMER_INTENSET: usize = TIMER + 0x304;
const TIMER_PRESCALER: usize = TIMER + 0x510;
const TIMER_INTEN_COMPARE_0: u32 = 1 << 16;
/// 16 MHz by 512: the timer's 16 bits pass their compare register, which is 0, every 2.1 s.
const TIMER_PRESCALER_31_KHZ: u32 = 9;
/// In periods of the timer: about five minutes.
const SILENCE: u32 = 143;

const TRIGGER: u32 = 1;

/// The interrupts that end the core's sleep: an nRF51 peripheral's line is in its address.
#[derive(Clone, Copy)]
enum Wakes {
    Received = 2,
    Period = 9,
}

// SAFETY: both are lines of the nRF51.
unsafe impl InterruptNumber for Wakes {
    fn number(self) -> u16 {
        self as u16
    }
}

/// The line to the host.
pub struct Uart(());

impl Uart {
    /// Switches the UART on, and TIMER1.
    ///
    /// # Safety
    /// Nothing else drives either, nor unmasks their interrupts or relies on their being masked.
    pub unsafe fn start() -> Self {
        let uart = Self(());
        uart.write(UART_ENABLE, UART_ENABLED);
        uart.write(UART_TASKS_STARTRX, TRIGGER);
        uart.write(UART_TASKS_STARTTX, TRIGGER);
        uart.write(UART_INTENSET, UART_INTEN_RXDRDY);
        uart.write(TIMER_PRESCALER, TIMER_PRESCALER_31_KHZ);
        uart.write(TIMER_INTENSET, TIMER_INTEN_COMPARE_0);
        uart.write(TIMER_TASKS_START, TRIGGER);
        uart
    }

    /// Whether the event register `event` says that its event has happened, which is then forgotten.
    fn happened(&self, event: usize) -> bool {
        let happened = self.read(event) != 0;
        if happened {
            self.write(event, 0);
        }
        happened
    }

    /// Sleeps until a byte has come; `false` when none came for [`SILENCE`].
    fn wait_for_byte(&self) -> bool {
        let mut periods = 0;
        while !self.happened(UART_EVENTS_RXDRDY) {
            if self.happened(TIMER_EVENTS_COMPARE_0) {
                periods += 1;
            }
            if periods == SILENCE {
                return false;
            }
            // With all interrupts off, one that is unmasked ends the sleep without being taken. A level that is still high
            // pends it again: a byte that came since we looked is not slept over.
            cortex_m::interrupt::free(|_| {
                for wakes in [Wakes::Received, Wakes::Period] {
                    NVIC::unpend(wakes);
                    // SAFETY: no code relies on this interrupt being masked (see `start`), and it is masked again below.
                    unsafe { NVIC::unmask(wakes) };
                }
                cortex_m::asm::wfi();
                NVIC::mask(Wakes::Received);
                NVIC::mask(Wakes::Period);
            });
        }
        true
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: `register` is one of the constants above, which this value alone uses (see `start`).
        unsafe { read_register(register) }
    }

    fn write(&self, register: usize, value: u32) {
        // SAFETY: as for `read`; writing these registers has no effect on memory.
        unsafe { write_register(register, value) }
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
        *first = Self::read(self, UART_RXD) as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let Some(&first) = bytes.first() else { return Ok(0) };
        Self::write(self, UART_TXD, u32::from(first));
        while !self.happened(UART_EVENTS_TXDRDY) {}
        Ok(1)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        // `write` has waited until the byte was sent.
        Ok(())
    }
}
