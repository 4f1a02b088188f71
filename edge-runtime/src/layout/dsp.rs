//! The layout of `smlad`: two weights of 16 bits times two inputs of 16 bits in one instruction.
//!
//! Bytes are what flash has, so a 16-bit weight holds two of them: `256 · A + B`, the weights of two channels for one tap.
//! A sum of products with it is `256 · ΣxA + ΣxB`; a second sum with B alone, which one `sxtb16` cuts out, gives both.
//! Half of the weights need no widening.
//!
//! Channels are in groups of four. A group goes through the taps in pairs: a word `256·A + B` of the first two channels
//! for both taps of the pair, then a word of the other two channels. An odd last tap has one word of both.
//! Taps are in the order that `sxtb16` leaves: 0, 2, 1, 3 of each four. Channels that fill no group follow row by row,
//! their taps in the same order.

use std::vec;
use std::vec::Vec;

use super::{ArrangeError, WeightLayout};

/// Channels of a group.
const GROUP: usize = 4;

/// The tap at `place`: of each whole four the middle two change places.
const fn tap(place: usize, taps: usize) -> usize {
    let whole_fours = taps / 4 * 4;
    match place % 4 {
        1 if place < whole_fours => place + 1,
        2 if place < whole_fours => place - 1,
        _ => place,
    }
}

/// Where in a group the halfword of a pair of channels (0 or 1) for the tap at `place` lies, in bytes.
const fn halfword(place: usize, pair: usize, taps: usize) -> usize {
    let last_is_odd = taps % 2 == 1 && place == taps - 1;
    if last_is_odd { 4 * place + 2 * pair } else { place / 2 * 8 + pair * 4 + place % 2 * 2 }
}

/// `portable` is `[row][tap]`.
pub(super) fn arrange(portable: &[i8], rows: usize) -> Result<Vec<i8>, ArrangeError> {
    let taps = portable.len() / rows;
    if let Some(place) = portable.iter().position(|&weight| weight == i8::MIN) {
        return Err(ArrangeError::Extreme { layout: WeightLayout::Dsp, channel: place / taps });
    }
    let mut arranged = vec![0; portable.len()];
    for (first, row, place, low) in places(rows, taps) {
        let weight = portable[row * taps + tap(place, taps)];
        match low {
            None => arranged[first] = weight,
            Some(other) => {
                let value = 256 * i16::from(weight) + i16::from(portable[other * taps + tap(place, taps)]);
                arranged[first..first + 2].copy_from_slice(&value.to_le_bytes().map(|byte| byte as i8));
            }
        }
    }
    Ok(arranged)
}

/// The inverse.
pub(super) fn to_portable(arranged: &[i8], rows: usize) -> Vec<i8> {
    let taps = arranged.len() / rows;
    let mut portable = vec![0; arranged.len()];
    for (first, row, place, low) in places(rows, taps) {
        let tap = tap(place, taps);
        match low {
            None => portable[row * taps + tap] = arranged[first],
            Some(other) => {
                let (b, high) = (arranged[first], arranged[first + 1]);
                portable[other * taps + tap] = b;
                portable[row * taps + tap] = high.wrapping_add(i8::from(b < 0));
            }
        }
    }
    portable
}

/// Every place in the arranged weights: its first byte, the row and the place of the tap; and, where it holds two weights,
/// the row of the lower one.
fn places(rows: usize, taps: usize) -> impl Iterator<Item = (usize, usize, usize, Option<usize>)> {
    let grouped = rows / GROUP * GROUP;
    let pairs = (0..grouped / 2).flat_map(move |pair| {
        let (group, row) = (pair / 2, 2 * pair);
        (0..taps).map(move |place| (group * GROUP * taps + halfword(place, pair % 2, taps), row, place, Some(row + 1)))
    });
    let rest = (grouped..rows).flat_map(move |row| (0..taps).map(move |place| (row * taps + place, row, place, None)));
    pairs.chain(rest)
}
