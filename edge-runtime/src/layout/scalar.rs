//! The layout for multiplications of 32 bits: as many sums of products of 8 bits in an accumulator as it has room for.
//!
//! Channels are in groups of four. A group goes through the taps; a tap has the four weights one after the other, each 128
//! too large. A word is then four unsigned bytes, which a core without SIMD instructions takes apart with the fewest
//! instructions, and multiplies two at a time; the 128 is a constant for each window. Channels that fill no group follow row
//! by row as they are.

#[cfg(feature = "std")]
use std::{vec, vec::Vec};

/// Channels of a group.
pub const GROUP: usize = 4;
/// Windows that are multiplied together.
pub const WINDOWS: usize = 3;
/// Taps after which the sums of three windows are told apart: 64 · 2^14 = 2^20, of 21 bits.
pub const TAPS: usize = 64;
/// Taps after which the sums of four channels are told apart. 511 would be possible, in 24 bits.
pub const VECTOR_TAPS: usize = 256;
/// Groups whose sums a vector product keeps at a time.
pub const VECTOR_GROUPS: usize = 16;

/// Groups whose sums a matrix product keeps at a time. Few for the memory's sake, unless windows are packed in parts: these
/// are packed again for each so many groups.
pub const fn matrix_groups(taps: usize) -> usize {
    if taps <= TAPS { 6 } else { 16 }
}

/// Three windows packed into two words a tap, behind two words that accumulators start with; and sums.
pub const fn product_bytes(taps: usize) -> usize {
    let packed = if taps < TAPS { taps } else { TAPS };
    (2 * (1 + packed) + matrix_groups(taps) * GROUP * WINDOWS) * size_of::<u32>()
}

/// A window in words, and sums.
pub const fn vector_bytes(taps: usize) -> usize {
    let widened = if taps < VECTOR_TAPS { taps } else { VECTOR_TAPS };
    (widened + VECTOR_GROUPS * GROUP) * size_of::<u32>()
}

// A window or two that are left of a matrix product are vector products in the same memory.
const _: () = assert!(vector_bytes(1) <= product_bytes(1) && vector_bytes(TAPS) <= product_bytes(TAPS));
const _: () = assert!(vector_bytes(VECTOR_TAPS) <= product_bytes(TAPS + 1));

/// `portable` is `[row][tap]`.
#[cfg(feature = "std")]
pub fn arrange(portable: &[i8], rows: usize) -> Vec<i8> {
    let mut arranged = vec![0; portable.len()];
    for (from, to, difference) in places(portable.len(), rows) {
        arranged[to] = portable[from] ^ difference;
    }
    arranged
}

/// The inverse.
#[cfg(feature = "std")]
pub fn to_portable(arranged: &[i8], rows: usize) -> Vec<i8> {
    let mut portable = vec![0; arranged.len()];
    for (to, from, difference) in places(arranged.len(), rows) {
        portable[to] = arranged[from] ^ difference;
    }
    portable
}

/// The place of every weight in the portable order, its place in this one, and the bits in which the two bytes differ.
#[cfg(feature = "std")]
fn places(weights: usize, rows: usize) -> impl Iterator<Item = (usize, usize, i8)> {
    let taps = weights / rows;
    (0..weights).map(move |place| {
        let (row, tap) = (place / taps, place % taps);
        if row < rows / GROUP * GROUP {
            (place, (row / GROUP * taps + tap) * GROUP + row % GROUP, i8::MIN)
        } else {
            (place, place, 0)
        }
    })
}
