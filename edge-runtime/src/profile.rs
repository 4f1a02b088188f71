//! Looking over the recogniser's shoulder, layer by layer.

use heapless::Vec;

use crate::limits::MAX_LAYERS;
use crate::package::{CRC32, Crc32};

/// Told before and after every layer. Instruction counters, per-layer hashes and tests hang on it; the work
/// it does between [`LayerObserver::after`] and the next [`LayerObserver::before`] is nobody's.
///
/// A layer of a stage runs band by band, in turn with the others, and each band is told of. Put together, the bytes of
/// its bands are those of its output.
pub trait LayerObserver {
    /// The layer at `index` is about to run.
    fn before(&mut self, index: usize) {
        let _ = index;
    }

    /// The layer at `index` has run, or a band of it; `output` are the bytes that it wrote.
    fn after(&mut self, index: usize, output: &[u8]);
}

/// Sees nothing and costs nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl LayerObserver for Unobserved {
    #[inline(always)]
    fn after(&mut self, _index: usize, _output: &[u8]) {}
}

/// The CRC-32 of each layer's output, whether it runs whole or band by band.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerHashes(pub Vec<u32, MAX_LAYERS>);

impl LayerHashes {
    const OF_NOTHING: u32 = CRC32.finalize();
}

impl LayerObserver for LayerHashes {
    fn after(&mut self, index: usize, output: &[u8]) {
        if self.0.len() <= index {
            // A layer beyond the capacity cannot be: the package reader admits no more.
            let _ = self.0.resize(index + 1, Self::OF_NOTHING);
        }
        if let Some(hash) = self.0.get_mut(index) {
            *hash = Crc32::after(*hash).checksum(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_put_together_are_the_whole() {
        let mut hashes = LayerHashes::default();
        for (index, output) in [(1, &b"1234"[..]), (0, b"a"), (1, b""), (1, b"56789")] {
            hashes.after(index, output);
        }
        assert_eq!(hashes.0, [CRC32.checksum(b"a"), CRC32.checksum(b"123456789")]);
    }
}
