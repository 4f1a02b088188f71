//! Every capacity of the runtime, in one place.
//!
//! A package beyond one of them is refused by the reader, never truncated.

/// Most layers of a model: 64, or 16 with the feature `small-limits`.
pub const MAX_LAYERS: usize = if cfg!(feature = "small-limits") { 16 } else { 64 };
/// Most activation tensors of a model: 72, or 18 with the feature `small-limits`.
pub const MAX_TENSORS: usize = if cfg!(feature = "small-limits") { 18 } else { 72 };
/// Most stages of a model, layers that run band by band: 8, or 2 with the feature `small-limits`; none without `bands`.
pub const MAX_STAGES: usize = match (cfg!(feature = "bands"), cfg!(feature = "small-limits")) {
    (false, _) => 0,
    (true, true) => 2,
    (true, false) => 8,
};
/// Most layers of a stage.
pub const MAX_STAGE_LAYERS: usize = 8;
/// Most answers of one recognition.
pub const MAX_TOP_K: usize = 10;
/// Longest model name, in bytes of UTF-8.
pub const MAX_NAME: usize = 32;
/// Longest class label, in bytes of UTF-8.
pub const MAX_LABEL: usize = 16;
/// Longest side of an image handed to the recogniser, in pixels.
pub const MAX_IMAGE_SIDE: usize = 2048;
/// Longest side of a tensor, in elements; with [`MAX_TENSOR_ELEMENTS`] it keeps all index arithmetic in `u32`.
pub const MAX_SIDE: usize = 4096;
/// Most bytes of an arena.
pub const MAX_ARENA: usize = 1 << 30;
/// Most elements of a tensor or of a layer's weights.
pub const MAX_TENSOR_ELEMENTS: usize = 1 << 24;
/// Most products that one accumulator may sum: with 2¹⁶ · 2¹⁴ no order of summation overflows an `i32`.
pub const MAX_FAN_IN: usize = 1 << 16;
/// A package's sections, and every layer's parameters inside the weight section, start at a multiple of this.
pub const ALIGNMENT: usize = 16;
