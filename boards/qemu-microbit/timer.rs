//! TIMER0 of the nRF51 as the counter ("nRF51 Series Reference Manual" 3.0, 19).
//!
//! QEMU gives its nRF51 a SysTick, but the silicon has none, and at 16 MHz a count of it would be no whole number of
//! instructions. TIMER0 is on both.

use super::{read_register, write_register};
use crate::{Counter, Tick};

const BASE: usize = 0x4000_8000;
const TASKS_START: usize = 0x000;
const TASKS_CLEAR: usize = 0x00c;
const TASKS_CAPTURE_0: usize = 0x040;
const BITMODE: usize = 0x508;
const PRESCALER: usize = 0x510;
const CC_0: usize = 0x540;

const TRIGGER: u32 = 1;
const BITMODE_32: u32 = 3;
/// 16 MHz halved: a count is 125 ns.
const PRESCALER_8_MHZ: u32 = 1;

/// TIMER0 at 8 MHz. Its 32 bits last nine minutes.
pub struct TimerCounter(());

impl TimerCounter {
    /// Starts TIMER0.
    ///
    /// # Safety
    /// Nothing else drives TIMER0.
    pub unsafe fn start() -> Self {
        let timer = Self(());
        timer.write(BITMODE, BITMODE_32);
        timer.write(PRESCALER, PRESCALER_8_MHZ);
        timer.write(TASKS_START, TRIGGER);
        timer
    }

    fn write(&self, offset: usize, value: u32) {
        // SAFETY: every offset is one of the constants above: a register of TIMER0, which this value alone drives.
        unsafe { write_register(BASE + offset, value) }
    }
}

impl Counter for TimerCounter {
    // QEMU lets an instruction take 1 ns.
    const TICK: Tick = Tick::Instructions(125);

    fn restart(&mut self) {
        self.write(TASKS_CLEAR, TRIGGER);
    }

    fn ticks(&self) -> u64 {
        self.write(TASKS_CAPTURE_0, TRIGGER);
        // SAFETY: as in `write`.
        unsafe { read_register(BASE + CC_0) }.into()
    }
}
