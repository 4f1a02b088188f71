//! From a float network to integers: fake quantisation for training, lowering for the device.
//!
//! Quantisation-aware training runs the float network with every weight and activation rounded to the grid
//! that the device will use (Jacob et al. 2018): weights per output channel, symmetric, 8 bits; activations
//! per tensor, asymmetric, 8 bits; logits 16 bits. Gradients pass the rounding unchanged (straight-through,
//! Bengio et al. 2013). [`lower`] then writes the same numbers as integers.

mod fake;
mod lower;
mod range;

pub use fake::fake_quantize_weights;
pub use lower::{LowerError, Lowered, lower};
pub use range::{Grid, Range, RangeKind, RangeSource};
