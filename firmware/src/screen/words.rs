//! What is written on the screen: numbers and labels as short ASCII text.
//!
//! Without `core::fmt`, whose machinery would take kilobytes of flash.

use fude_boards::Tick;
use heapless::String;

use super::Cost;

/// Longest text, "999 M instructions" among them; what is longer is cut off.
pub type Words = String<24>;

/// "97%", or "97" where there is no room for the sign.
pub fn percent(percent: u8, has_sign: bool) -> Words {
    let mut words = Words::new();
    push_number(&mut words, percent.into(), 10, 1);
    push(&mut words, if has_sign { "%" } else { "" });
    words
}

/// "10.9 M instructions", or in short "10.9 M instr."; "3.20 ms" either way; nothing where ticks say nothing.
pub fn cost(cost: Cost, is_long: bool) -> Words {
    let mut words = Words::new();
    match cost.tick {
        Some(Tick::Instructions(each)) => {
            push_significant(&mut words, cost.ticks.saturating_mul(each.into()), [" ", " k ", " M ", " G "]);
            push(&mut words, if is_long { "instructions" } else { "instr." });
        }
        Some(Tick::Nanoseconds(each)) => {
            push_significant(&mut words, cost.ticks.saturating_mul(each.into()), [" ns", " us", " ms", " s"]);
        }
        None => {}
    }
    words
}

/// "arena 27 KiB", or in short "27 KiB", rounded up.
pub fn memory(bytes: usize, is_long: bool) -> Words {
    let mut words = Words::new();
    push(&mut words, if is_long { "arena " } else { "" });
    push_number(&mut words, bytes.div_ceil(1024) as u32, 10, 1);
    push(&mut words, " KiB");
    words
}

/// A label in ASCII: itself, else its code point, else (several characters) the index of the class.
pub fn label(label: &str, class: u16) -> Words {
    let mut words = Words::new();
    let mut characters = label.chars();
    match (characters.next(), characters.next()) {
        (Some(_), _) if label.bytes().all(|byte| byte.is_ascii_graphic()) => push(&mut words, label),
        (Some(one), None) => {
            push(&mut words, "U+");
            push_number(&mut words, one.into(), 16, 4);
        }
        _ => {
            push(&mut words, "#");
            push_number(&mut words, class.into(), 10, 1);
        }
    }
    words
}

/// Three significant digits and the unit of their thousands: 10854520 is "10.9" and the third unit.
fn push_significant(words: &mut Words, value: u64, units: [&str; 4]) {
    // What is beyond the last unit stops there: 999 seconds are no recognition.
    let value = value.min(999_000_000_000);
    let mut power = 1;
    let mut exponent = 0_usize;
    while (value + power / 2) / power >= 1000 {
        power *= 10;
        exponent += 1;
    }
    let digits = ((value + power / 2) / power) as u32;
    let thousands = exponent.div_ceil(3);
    let (whole, decimals) = match 3 * thousands - exponent {
        0 => (digits, None),
        1 => (digits / 10, Some((digits % 10, 1))),
        _ => (digits / 100, Some((digits % 100, 2))),
    };
    push_number(words, whole, 10, 1);
    if let Some((decimals, places)) = decimals {
        push(words, ".");
        push_number(words, decimals, 10, places);
    }
    push(words, units.get(thousands).copied().unwrap_or_default());
}

/// `number` in base 10 or 16, with zeros before it up to `places`.
// Inlined, this and `push` would stand in flash a dozen times.
#[inline(never)]
fn push_number(words: &mut Words, number: u32, base: u32, places: usize) {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut count = 0;
    for place in digits.iter_mut().rev() {
        *place = b"0123456789ABCDEF".get((rest % base) as usize).copied().unwrap_or(b'?');
        rest /= base;
        count += 1;
        if rest == 0 && count >= places {
            break;
        }
    }
    digits.iter().skip(digits.len() - count).for_each(|&digit| push(words, char::from(digit).encode_utf8(&mut [0; 4])));
}

/// What does not fit the string would not fit the display either.
#[inline(never)]
fn push(words: &mut Words, text: &str) {
    let _ = words.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ascii() {
        let labels = ["A", "10", "\u{5C71}", "\u{20B9F}", "\u{304D}\u{3083}", "", "\u{E9}"];
        assert_eq!(labels.map(|text| label(text, 7)), ["A", "10", "U+5C71", "U+20B9F", "#7", "#7", "U+00E9"]);
    }

    #[test]
    fn costs_have_three_digits() {
        let instructions = |ticks, each| cost(Cost { ticks, tick: Some(Tick::Instructions(each)) }, false);
        assert_eq!(instructions(271_363, 40), "10.9 M instr.");
        let short = [0, 7, 999, 1000, 1234, 99_949, 99_950, 999_499, 999_500].map(|ticks| instructions(ticks, 1));
        let expected = ["0", "7", "999", "1.00 k", "1.23 k", "99.9 k", "100 k", "999 k", "1.00 M"];
        assert!(
            short.iter().zip(expected).all(|(found, number)| found.strip_suffix(" instr.") == Some(number)),
            "{short:?}"
        );
        let time = |ticks, each| cost(Cost { ticks, tick: Some(Tick::Nanoseconds(each)) }, true);
        assert_eq!([time(3_200_000, 1), time(1, 40), time(250, 1000)], ["3.20 ms", "40 ns", "250 us"]);
        assert_eq!([time(u64::MAX, 40), time(1_049_000_000, 1)], ["999 s", "1.05 s"]);
        assert_eq!(cost(Cost { ticks: 999_000_000, tick: Some(Tick::Instructions(1)) }, true), "999 M instructions");
        assert_eq!(cost(Cost { ticks: 3_200_000, tick: None }, true), "");
    }

    #[test]
    fn percentages_and_memory() {
        assert_eq!([percent(0, true), percent(100, true), percent(97, false)], ["0%", "100%", "97"]);
        assert_eq!([memory(27_648, true), memory(1, false), memory(1025, false)], ["arena 27 KiB", "1 KiB", "2 KiB"]);
    }
}
