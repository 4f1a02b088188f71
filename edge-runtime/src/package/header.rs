//! The fixed header and the bytes it vouches for.

use super::{CRC32, PackageError};
use crate::layout::WeightLayout;

/// First bytes of every package. Like PNG's: not ASCII, then a name, then line ends that a text-mode copy
/// would change.
pub const MAGIC: [u8; 8] = *b"\x89FUDE\r\n\x1a";
/// A reader refuses any other major version.
pub const FORMAT_MAJOR: u16 = 1;
/// A reader accepts any minor version: minor versions only add sections.
pub const FORMAT_MINOR: u16 = 2;

/// Offsets of the header's fields.
pub(super) mod field {
    use core::ops::Range;

    // 0..8 is the magic.
    pub const MAJOR: Range<usize> = 8..10;
    pub const MINOR: Range<usize> = 10..12;
    pub const TOTAL_BYTES: Range<usize> = 12..16;
    pub const LAYOUT: Range<usize> = 16..18;
    pub const SECTIONS: Range<usize> = 18..20;
    pub const ARENA_BYTES: Range<usize> = 20..24;
    // 24..32 is reserved and zero.
    pub const MEASURED: Range<usize> = 32..64;
    /// Length of the header; the section table follows.
    pub const END: usize = 64;
    /// Length of the checksum at the end of the package.
    pub const CHECKSUM_BYTES: usize = 4;
}

/// The decoded header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Minor version of the format.
    pub minor: u16,
    /// Length of the package, checksum included.
    pub total_bytes: u32,
    /// How the weights are arranged.
    pub layout: WeightLayout,
    /// Number of entries in the section table.
    pub sections: u16,
    /// Bytes of arena.
    pub arena_bytes: u32,
    /// SHA-256 of the file of measurements beside the package; zeros where none was attached.
    pub measured_sha256: [u8; 32],
}

impl Header {
    /// Decodes the header and checks the version; nothing else is trusted yet.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        if bytes.first_chunk() != Some(&MAGIC) {
            return Err(PackageError::NotAPackage);
        }
        let truncated = PackageError::Truncated { expected: field::END as u32, actual: bytes.len() as u32 };
        let fixed: &[u8; field::END] = bytes.first_chunk().ok_or(truncated)?;
        let (major, minor) = (read_u16(fixed, field::MAJOR), read_u16(fixed, field::MINOR));
        if major != FORMAT_MAJOR {
            return Err(PackageError::Version { major, minor });
        }
        let layout = read_u16(fixed, field::LAYOUT);
        let mut measured_sha256 = [0; 32];
        measured_sha256.copy_from_slice(&fixed[field::MEASURED]);
        Ok(Self {
            minor,
            total_bytes: read_u32(fixed, field::TOTAL_BYTES),
            layout: WeightLayout::from_id(layout).ok_or(PackageError::Layout { layout })?,
            sections: read_u16(fixed, field::SECTIONS),
            arena_bytes: read_u32(fixed, field::ARENA_BYTES),
            measured_sha256,
        })
    }

    /// The bytes from the header to the checksum, once the checksum has been found right.
    pub(super) fn checked_body<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], PackageError> {
        let total = self.total_bytes as usize;
        let package = bytes
            .get(..total)
            .ok_or(PackageError::Truncated { expected: self.total_bytes, actual: bytes.len() as u32 })?;
        if total < field::END + field::CHECKSUM_BYTES {
            return Err(PackageError::Header);
        }
        if !package.as_ptr().addr().is_multiple_of(align_of::<u32>()) {
            return Err(PackageError::Misaligned);
        }
        let (body, checksum) = package.split_at(total - field::CHECKSUM_BYTES);
        let stored = read_u32(checksum, 0..4);
        let computed = CRC32.checksum(body);
        if stored == computed { Ok(body) } else { Err(PackageError::Checksum { stored, computed }) }
    }
}

/// Little-endian number at `place`; zero where `bytes` ends before it.
pub(super) fn read_u16(bytes: &[u8], place: core::ops::Range<usize>) -> u16 {
    bytes.get(place).and_then(|slice| slice.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// Little-endian number at `place`; zero where `bytes` ends before it.
pub(super) fn read_u32(bytes: &[u8], place: core::ops::Range<usize>) -> u32 {
    bytes.get(place).and_then(|slice| slice.try_into().ok()).map_or(0, u32::from_le_bytes)
}
