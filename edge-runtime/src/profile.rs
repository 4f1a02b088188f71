//! Looking over the recogniser's shoulder, layer by layer.

/// Told before and after every layer. Instruction counters, per-layer hashes and tests hang on it; the work
/// it does between [`LayerObserver::after`] and the next [`LayerObserver::before`] is nobody's.
pub trait LayerObserver {
    /// The layer at `index` is about to run.
    fn before(&mut self, index: usize) {
        let _ = index;
    }

    /// The layer at `index` has run; `output` are the bytes of the tensor that it wrote.
    fn after(&mut self, index: usize, output: &[u8]);
}

/// Sees nothing and costs nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl LayerObserver for Unobserved {
    #[inline(always)]
    fn after(&mut self, _index: usize, _output: &[u8]) {}
}
