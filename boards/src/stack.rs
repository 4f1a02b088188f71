//! How much of the stack has been used: start-up code has painted all of it.

use core::ops::Range;

use cortex_m_rt::STACK_PAINT_VALUE;

/// Bytes from the lowest word that is no longer as it was painted to where the stack starts.
pub fn used() -> u32 {
    let Range { start: mut word, end } = words();
    // SAFETY: the words between the two symbols are the stack's, from the end of all statics to where it starts; those
    // below the stack pointer belong to nobody, and reading the others changes nothing.
    while word < end && unsafe { word.read_volatile() } == STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    (end.addr() - word.addr()) as u32
}

/// The words of the stack.
fn words() -> Range<*const u32> {
    unsafe extern "C" {
        static _stack_start: u32;
        static _stack_end: u32;
    }
    (&raw const _stack_end)..(&raw const _stack_start)
}
