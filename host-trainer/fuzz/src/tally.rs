//! How many inputs get past the door: a target whose inputs are all refused tests little.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts inputs and says at every power of two how many were accepted.
pub struct Tally {
    name: &'static str,
    seen: AtomicU64,
    accepted: AtomicU64,
}

impl Tally {
    /// A tally of the target called `name`.
    pub const fn new(name: &'static str) -> Self {
        Self { name, seen: AtomicU64::new(0), accepted: AtomicU64::new(0) }
    }

    /// Counts one input.
    pub fn count(&self, is_accepted: bool) {
        let accepted = self.accepted.fetch_add(is_accepted.into(), Ordering::Relaxed) + u64::from(is_accepted);
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if seen >= 1 << 10 && seen.is_power_of_two() {
            eprintln!("{}: {accepted} of {seen} inputs accepted", self.name);
        }
    }
}
