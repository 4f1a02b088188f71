//! From bytes to pairs of 16 bits.

use core::arch::asm;

/// Bytes 0 and 2, and bytes 1 and 3, of a word as signed halfwords.
#[inline(always)]
pub fn widen(word: [i8; 4]) -> (u32, u32) {
    let word = u32::from_le_bytes(word.map(|byte| byte as u8));
    let (even, odd): (u32, u32);
    // SAFETY: two instructions on registers; the build has the DSP extension.
    unsafe {
        asm!(
            "sxtb16 {even}, {word}",
            "sxtb16 {odd}, {word}, ror #8",
            even = out(reg) even,
            odd = lateout(reg) odd,
            word = in(reg) word,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    (even, odd)
}

/// A word of two halfwords.
pub const fn pair(low: i16, high: i16) -> u32 {
    low as u16 as u32 | (high as u16 as u32) << 16
}

/// What is left of a window after its whole fours, in the same order: a word for two, and one for an odd last tap.
fn rest(taps: &[i8]) -> [u32; 2] {
    match *taps {
        [first] => [pair(first.into(), 0), 0],
        [first, second] => [pair(first.into(), second.into()), 0],
        [first, second, third] => [pair(first.into(), second.into()), pair(third.into(), 0)],
        _ => [0; 2],
    }
}

/// Widens one window into words of two taps, in the order of the weights.
pub fn one_window(window: &[i8], words: &mut [u32]) {
    let (fours, last) = window.as_chunks::<4>();
    let Some((whole, end)) = words.split_at_mut_checked(2 * fours.len()) else { return };
    for (words, &four) in whole.as_chunks_mut::<2>().0.iter_mut().zip(fours) {
        let (even, odd) = widen(four);
        *words = [even, odd];
    }
    for (place, word) in end.iter_mut().zip(rest(last)) {
        *place = word;
    }
}

/// Widens two windows, their words in turn.
pub fn two_windows((first, second): (&[i8], &[i8]), words: &mut [u32]) {
    let ((fours, last), (fours2, last2)) = (first.as_chunks::<4>(), second.as_chunks::<4>());
    let Some((whole, end)) = words.split_at_mut_checked(4 * fours.len()) else { return };
    for ((words, &four), &four2) in whole.as_chunks_mut::<4>().0.iter_mut().zip(fours).zip(fours2) {
        let ((even, odd), (even2, odd2)) = (widen(four), widen(four2));
        *words = [even, even2, odd, odd2];
    }
    let (rest, rest2) = (rest(last), rest(last2));
    for ((words, word), word2) in end.as_chunks_mut::<2>().0.iter_mut().zip(rest).zip(rest2) {
        *words = [word, word2];
    }
}
