//! SysTick as a [`Counter`], extended beyond its 24 bits by its exception.

use core::sync::atomic::{AtomicU32, Ordering, compiler_fence};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

use crate::{Counter, Tick};

/// SysTick counts down through this many counts and starts again.
const PERIOD: u32 = 1 << 24;

/// How often SysTick has reached zero.
static WRAPS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Not `fetch_add`, which ARMv6-M lacks: nothing interrupts this handler that writes here as well.
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// How often SysTick has wrapped since the counter was last restarted: every 0.5 to 0.9 s on the emulated boards.
pub fn wraps() -> u32 {
    WRAPS.load(Ordering::Relaxed)
}

/// SysTick under an emulator that counts instructions: a tick is `INSTRUCTIONS` instructions, and `COUNTS` counts.
///
/// `COUNTS` is 1 unless a count of SysTick is no whole number of instructions.
pub struct SysTickCounter<const INSTRUCTIONS: u32, const COUNTS: u64 = 1>(SYST);

impl<const INSTRUCTIONS: u32, const COUNTS: u64> SysTickCounter<INSTRUCTIONS, COUNTS> {
    /// Starts SysTick and its exception.
    pub fn start(mut systick: SYST) -> Self {
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(PERIOD - 1);
        systick.enable_interrupt();
        systick.enable_counter();
        let mut counter = Self(systick);
        counter.restart();
        counter
    }
}

impl<const INSTRUCTIONS: u32, const COUNTS: u64> Counter for SysTickCounter<INSTRUCTIONS, COUNTS> {
    const TICK: Tick = Tick::Instructions(INSTRUCTIONS);

    fn restart(&mut self) {
        // Writing it clears the counter, and makes QEMU's count begin at this very instruction.
        self.0.clear_current();
        compiler_fence(Ordering::SeqCst);
        WRAPS.store(0, Ordering::Relaxed);
    }

    fn ticks(&self) -> u64 {
        // A wrap between the two reads of the high half would pair it with the wrong low half.
        loop {
            let high = wraps();
            // Cleared, and when its exception fires, the counter is 0; then it goes down from the period's end.
            // The compiler keeps volatile and atomic accesses in the order of the text only where fences say so.
            compiler_fence(Ordering::SeqCst);
            let elapsed = (PERIOD - SYST::get_current()) % PERIOD;
            compiler_fence(Ordering::SeqCst);
            if wraps() == high {
                return (u64::from(high) * u64::from(PERIOD) + u64::from(elapsed)) / COUNTS;
            }
        }
    }
}
