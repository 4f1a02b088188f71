//! Models: what they are made of and how they are computed in floating point.
//!
//! An [`Architecture`] is a plain list of nodes, the same list that the INT8 graph will have: node *i* of the
//! architecture becomes layer *i* of the package. A [`Network`] is an architecture with weights; its forward
//! pass interprets the list, in floats or with fake quantisation, and [`crate::quantize::lower`] translates
//! it. One description, so trainer and device cannot drift apart.

mod architecture;
mod dropout;
mod network;
mod presets;

pub use architecture::{Activation, Architecture, Dropout, Node, Operation, Shape};
pub use dropout::DropoutKey;
pub use network::{Layer, Mode, Network};
pub use presets::{Preset, WrongClasses};
