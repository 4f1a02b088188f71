//! The checksum of the package and of the device link.

/// The checksum of no bytes.
pub const CRC32: Crc32 = Crc32 { remainder: u32::MAX };

/// CRC-32 as in IEEE 802.3 (the "ISO HDLC" of the catalogue), half a byte at a time: with a table for whole bytes a board
/// would spend another kilobyte of flash to save some milliseconds at its start.
///
/// ```
/// use fude_runtime::package::CRC32;
///
/// let mut sum = CRC32;
/// sum.update(b"1234");
/// sum.update(b"56789");
/// assert_eq!(sum.finalize(), 0xcbf4_3926);
/// assert_eq!(CRC32.checksum(b"123456789"), 0xcbf4_3926);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Crc32 {
    /// Of the bytes so far, all bits flipped, the highest power in the lowest.
    remainder: u32,
}

/// The remainder of each half byte.
const HALF_BYTES: [u32; 16] = {
    /// The polynomial, the highest power in the lowest bit.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0; 16];
    let mut index = 0;
    while index < table.len() {
        let (mut remainder, mut bit) = (index as u32, 0);
        while bit < 4 {
            remainder = (remainder >> 1) ^ if remainder & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[index] = remainder;
        index += 1;
    }
    table
};

impl Crc32 {
    /// That of the bytes whose checksum this is.
    pub const fn after(checksum: u32) -> Self {
        Self { remainder: !checksum }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let shifted = |remainder: u32| (remainder >> 4) ^ HALF_BYTES[remainder as usize % HALF_BYTES.len()];
        for &byte in bytes {
            self.remainder = shifted(shifted(self.remainder ^ u32::from(byte)));
        }
    }

    /// The checksum of all bytes so far.
    pub const fn finalize(self) -> u32 {
        !self.remainder
    }

    /// The checksum of all bytes so far and of these.
    pub fn checksum(mut self, bytes: &[u8]) -> u32 {
        self.update(bytes);
        self.finalize()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::CRC32;

    proptest! {
        #[test]
        fn equals_the_catalogue(parts: [std::vec::Vec<u8>; 3]) {
            let mut sum = CRC32;
            parts.iter().for_each(|part| sum.update(part));
            prop_assert_eq!(sum.finalize(), crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&parts.concat()));
        }
    }
}
