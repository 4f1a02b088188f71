//! Aligned memory for packages that a host reads from files.

use std::vec::Vec;

/// Bytes that start at a multiple of eight, whatever they were copied from.
#[derive(Debug, Clone)]
pub struct AlignedBytes {
    words: Vec<u64>,
    length: usize,
}

impl AlignedBytes {
    /// Copies `bytes` to an aligned place.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut words = std::vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self { words, length: bytes.len() }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }

    /// The bytes, to be written to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.length]
    }
}
