//! The layouts for vectors of bytes, on x86-64 and AArch64.
//!
//! `x86` and `dotprod` have four taps of 16 channels in 64 bytes, what one `vpdpbusd` or four `sdot` add to 16 sums:
//!
//! ```text
//! [group of 16 channels] [tap / 4][channel][tap % 4]
//!                        [tap][channel] of the taps that remain
//! ```
//!
//! The last group has the channels that remain, in the same order. The bytes of `x86` have the sign bit flipped, which
//! makes them unsigned: `vpdpbusd` multiplies unsigned by signed bytes.
//!
//! `neon` has rows of 16 taps for `smull` and `smlsl2`, the second eight of each complemented so that two products fit
//! 16 bits; the kernels say why:
//!
//! ```text
//! [group of 4 channels] [tap / 16][channel][tap % 16]
//!                       [channel][tap] of eight taps more, where there are, as they are
//!                       [tap][channel] of the taps that remain
//! [channel][tap] of the channels that remain
//! ```

#[cfg(feature = "std")]
use std::{vec, vec::Vec};

use super::WeightLayout;
use super::memory::LANES;

/// Channels that `neon` holds together.
pub(crate) const ROWS: usize = 4;

/// Where the weight of a channel and a tap lies among `channels` · `taps`, and what is exclusive-ored to it.
pub(crate) const fn place(
    layout: WeightLayout,
    (channels, taps): (usize, usize),
    channel: usize,
    tap: usize,
) -> (usize, i8) {
    match layout {
        WeightLayout::Neon => row_place(channels, taps, channel, tap),
        WeightLayout::X86 => (lane_place(channels, taps, channel, tap), i8::MIN),
        _ => (lane_place(channels, taps, channel, tap), 0),
    }
}

const fn lane_place(channels: usize, taps: usize, channel: usize, tap: usize) -> usize {
    let first = channel / LANES * LANES;
    let (lane, group) = (channel - first, if channels - first < LANES { channels - first } else { LANES });
    let within = if tap < taps / 4 * 4 { tap / 4 * (4 * group) + lane * 4 + tap % 4 } else { tap * group + lane };
    first * taps + within
}

const fn row_place(channels: usize, taps: usize, channel: usize, tap: usize) -> (usize, i8) {
    let (sixteens, eights) = (taps / 16 * 16, taps / 8 * 8);
    let first = channel / ROWS * ROWS;
    let row = channel - first;
    let (within, flip) = if first + ROWS > channels {
        (row * taps + tap, 0)
    } else if tap < sixteens {
        (tap / 16 * (16 * ROWS) + row * 16 + tap % 16, if tap % 16 < 8 { 0 } else { -1 })
    } else if tap < eights {
        (sixteens * ROWS + row * 8 + tap % 8, 0)
    } else {
        (tap * ROWS + row, 0)
    };
    (first * taps + within, flip)
}

/// `portable` is `[row][tap]`.
#[cfg(feature = "std")]
pub(super) fn arrange(layout: WeightLayout, portable: &[i8], rows: usize) -> Vec<i8> {
    let taps = portable.len() / rows;
    let mut arranged = vec![0; portable.len()];
    for (index, &weight) in portable.iter().enumerate() {
        let (place, flip) = place(layout, (rows, taps), index / taps, index % taps);
        arranged[place] = weight ^ flip;
    }
    arranged
}

/// The inverse.
#[cfg(feature = "std")]
pub(super) fn to_portable(layout: WeightLayout, arranged: &[i8], rows: usize) -> Vec<i8> {
    let taps = arranged.len() / rows;
    let weight = |index| {
        let (place, flip) = place(layout, (rows, taps), index / taps, index % taps);
        arranged[place] ^ flip
    };
    (0..arranged.len()).map(weight).collect()
}
