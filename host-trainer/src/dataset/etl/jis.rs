//! From the code of a character in JIS X 0208 to the character.
//!
//! There is no formula: the standard orders kanji by reading, Unicode by radical. So every code goes through a table,
//! that of `encoding_rs` (the WHATWG's index jis0208, which browsers use), which is compiled in anyway.

use encoding_rs::EUC_JP;

/// The character of `code`, whose high byte is the row and whose low byte is the cell, both 0x21 to 0x7E: 0x3021 is
/// 亜. `None` where the standard has none.
///
/// Rows 9 to 15 and 85 to 94 are empty in the standard; the characters that vendors put there are not taken.
pub fn character(code: u16) -> Option<char> {
    let [row, cell] = code.to_be_bytes();
    if !matches!(row, 0x21..=0x28 | 0x30..=0x74) || !matches!(cell, 0x21..=0x7E) {
        return None;
    }
    // EUC-JP writes a code of JIS X 0208 with the top bit of both bytes set.
    let euc = [row | 0x80, cell | 0x80];
    let (text, is_broken) = EUC_JP.decode_without_bom_handling(&euc);
    let mut characters = text.chars();
    let first = characters.next();
    first.filter(|_| !is_broken && characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (code, character) of ETL9's 3,036 classes, by another implementation: see the head of the file.
    fn expected() -> Vec<(u16, char)> {
        let lines = include_str!("jis_x_0208.txt").lines().filter(|line| !line.starts_with('#'));
        let runs = lines.map(|line| line.split_once(' ').unwrap());
        runs.flat_map(|(first, run)| (u16::from_str_radix(first, 16).unwrap()..).zip(run.chars())).collect()
    }

    #[test]
    fn all_classes_of_etl9_are_those_of_another_table() {
        let expected = expected();
        assert_eq!(expected.len(), 71 + 2965);
        for (code, expected) in expected {
            assert_eq!(character(code), Some(expected), "{code:#06x}");
        }
        // The order is not Unicode's: U+4E00, the first kanji there, is far from the first here.
        assert_eq!([0x3021, 0x306C, 0x2422].map(character), [Some('亜'), Some('一'), Some('あ')]);
    }

    /// Nothing besides those and the twelve hiragana that ETL9 lacks: no code next to them is taken for another.
    #[test]
    fn hiragana_and_level_one_have_no_other_code() {
        let expected = expected();
        let codes = (0x2400..=0x24FF).chain(0x3000..=0x4FFF);
        let others = codes.filter(|code| !expected.iter().any(|(known, _)| known == code));
        assert_eq!(others.filter_map(character).collect::<String>(), "ぁぃぅぇぉっゃゅょゎゐゑ");
    }

    #[test]
    fn what_is_no_code_is_no_character() {
        // Empty cells of rows 1 to 84, vendors' rows, cells and rows out of range, the ASCII that a dummy record holds.
        for code in [0x4F54, 0x7427, 0x2D21, 0x7921, 0x3020, 0x307F, 0x2021, 0x7F21, 0, 0xFFFF, 0x3021 | 0x8080] {
            assert_eq!(character(code), None, "{code:#06x}");
        }
    }
}
