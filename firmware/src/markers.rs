//! Where an emulator's trace of what it runs gets interesting: programs that run trials call one of these before each and
//! the other behind it.
//!
//! No part of the library: a source file of each of those programs, whose symbols they must be.

use core::hint::black_box;

/// The beginning.
// The name is the program's own. With other code than its counterpart's the linker does not make one of the two.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn trial_begins() {
    black_box(0);
}

/// The end.
// As above.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn trial_ends() {
    black_box(1);
}
