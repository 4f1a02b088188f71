//! The INT8 graph: tensors, operators, and what the manifest says of each.
//!
//! Tensors are NHWC with a batch of one. A graph is a list of operators in the order in which they run;
//! each reads one or two tensors and writes one. Weights are not here: an operator names the place of its
//! parameters in the package's weight section ([`crate::package`]).

#[cfg(feature = "std")]
mod bands;
mod check;
mod check_schedule;
#[cfg(feature = "std")]
mod place;
#[cfg(feature = "std")]
mod plan;
mod shape;
mod stage;

#[cfg(feature = "std")]
pub use bands::{TooLarge, fit_arena};
pub use check::{LayerError, check};
#[cfg(feature = "std")]
pub use plan::{ArenaPlan, lifetimes, plan_arena};
pub use shape::{Cost, ParameterSizes};
pub use stage::Stage;
pub(crate) use stage::{Action, Band, is_global_mean, walk};

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_LAYERS, MAX_STAGES, MAX_TENSORS};

/// Index of a tensor in [`Graph::tensors`].
pub type TensorId = u8;

/// Element type of an activation tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ElementType {
    /// Asymmetric 8-bit integer.
    Int8,
    /// 16-bit integer, little-endian, of the logits only: 8 bits cannot tell thousands of classes apart.
    Int16,
}

impl ElementType {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
        }
    }

    /// Smallest and largest value.
    pub const fn range(self) -> (i32, i32) {
        match self {
            Self::Int8 => (i8::MIN as i32, i8::MAX as i32),
            Self::Int16 => (i16::MIN as i32, i16::MAX as i32),
        }
    }
}

/// An activation tensor: its shape, its place in the arena and the meaning of its integers,
/// `real = scale · (q − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
    /// Channels, the fastest index.
    pub channels: u16,
    /// Element type.
    pub element: ElementType,
    /// The integer that means zero; 0 for [`ElementType::Int16`].
    pub zero_point: i16,
    /// What one step of the integer is worth. Inference never reads it; reports and conversion do.
    pub scale: f32,
    /// First byte in the arena.
    pub offset: u32,
}

/// Window of a convolution or pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the window.
    pub size: (u8, u8),
    /// Steps between windows, rows and columns.
    pub stride: (u8, u8),
    /// Rows added above and below, filled with the input's zero point.
    pub pad_rows: (u8, u8),
    /// Columns added left and right.
    pub pad_columns: (u8, u8),
}

impl Window {
    /// A square window with the same padding on all sides.
    pub const fn square(size: u8, stride: u8, padding: u8) -> Self {
        Self {
            size: (size, size),
            stride: (stride, stride),
            pad_rows: (padding, padding),
            pad_columns: (padding, padding),
        }
    }

    /// Whether every output pixel depends on the input pixel at its own place only.
    pub const fn is_pointwise(self) -> bool {
        matches!(self, Self { size: (1, 1), stride: (1, 1), pad_rows: (0, 0), pad_columns: (0, 0) })
    }
}

/// Per-channel parameters of a layer in the weight section: `bias: [i32; C]`, `multiplier: [i32; C]`, then
/// the weights, one byte each. The bias has the input's zero point folded in (`b − z·Σw`), so kernels sum
/// plain products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// First byte in the weight section, a multiple of [`crate::limits::ALIGNMENT`].
    pub offset: u32,
    /// Shift of the requantisation, one for the layer.
    pub shift: u8,
    /// Bounds of the result; a fused activation narrows them.
    pub bounds: (i16, i16),
}

/// How a pool summarises its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolKind {
    /// The largest element; input and output share their scale.
    Max,
    /// The mean. The accumulator is the sum of `x − zero_point` over the window times
    /// [`AVERAGE_GAIN`](crate::quant::AVERAGE_GAIN), 16; it is requantised with `multiplier`, which contains
    /// 1/(16 · window), and `shift`.
    Average {
        /// Multiplier of the accumulator.
        multiplier: i32,
        /// Shift of the requantisation.
        shift: u8,
    },
}

/// What an operator computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// Convolution; weights `[out][row][column][in]`.
    Convolution {
        /// Window.
        window: Window,
        /// Bias, multipliers and weights.
        parameters: Parameters,
    },
    /// Depthwise convolution, one filter a channel; weights `[row][column][channel]`.
    Depthwise {
        /// Window.
        window: Window,
        /// Bias, multipliers and weights.
        parameters: Parameters,
    },
    /// Fully connected layer over the flattened input; weights `[out][in]`.
    Dense {
        /// Bias, multipliers and weights.
        parameters: Parameters,
    },
    /// Pool over windows of each channel, without padding.
    Pool {
        /// Window.
        window: Window,
        /// What is computed of each window.
        kind: PoolKind,
    },
    /// Squeeze-and-excitation gate: multiplies each channel of the first input by the second's element of
    /// that channel.
    Gate {
        /// One gate a channel: a `1×1×C` tensor.
        gate: TensorId,
        /// Multiplier of the product.
        multiplier: i32,
        /// Shift of the requantisation.
        shift: u8,
    },
    /// Elementwise sum of two tensors of one shape.
    Add {
        /// The second operand.
        other: TensorId,
        /// Multipliers of both operands ([`crate::quant::Addition`]).
        multipliers: (i32, i32),
        /// Shift of the requantisation.
        shift: u8,
        /// Bounds of the result.
        bounds: (i16, i16),
    },
}

impl Operator {
    /// The second tensor that the operator reads, if it reads two.
    pub const fn second_input(&self) -> Option<TensorId> {
        match self {
            Self::Gate { gate, .. } => Some(*gate),
            Self::Add { other, .. } => Some(*other),
            _ => None,
        }
    }

    /// The window, of the operators that have one.
    pub const fn window(&self) -> Option<Window> {
        match *self {
            Self::Convolution { window, .. } | Self::Depthwise { window, .. } | Self::Pool { window, .. } => {
                Some(window)
            }
            _ => None,
        }
    }

    /// Bias, multipliers and weights, of the operators that have them.
    pub const fn parameters(&self) -> Option<&Parameters> {
        match self {
            Self::Convolution { parameters, .. } | Self::Depthwise { parameters, .. } | Self::Dense { parameters } => {
                Some(parameters)
            }
            _ => None,
        }
    }

    /// Name for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Convolution { window, .. } if window.is_pointwise() => "pointwise",
            Self::Convolution { .. } => "convolution",
            Self::Depthwise { .. } => "depthwise",
            Self::Dense { .. } => "dense",
            Self::Pool { kind: PoolKind::Max, .. } => "max pool",
            Self::Pool { kind: PoolKind::Average { .. }, .. } => "average pool",
            Self::Gate { .. } => "gate",
            Self::Add { .. } => "add",
        }
    }
}

/// One step of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// What is computed.
    pub operator: Operator,
    /// The tensor that is read.
    pub input: TensorId,
    /// The tensor that is written.
    pub output: TensorId,
}

impl Layer {
    /// The tensors that are read, one or two.
    pub fn reads(&self) -> impl Iterator<Item = TensorId> {
        [Some(self.input), self.operator.second_input()].into_iter().flatten()
    }
}

/// A model without its weights. The input is the first tensor, the logits the last layer's output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// Activation tensors; the first is the input.
    pub tensors: Vec<Tensor, MAX_TENSORS>,
    /// Layers in the order in which they run; the last writes the logits.
    pub layers: Vec<Layer, MAX_LAYERS>,
    /// The working memory of each layer's kernel: first byte in the arena, of no meaning where none is needed.
    pub scratch: Vec<u32, MAX_LAYERS>,
    /// Layers that run band by band, in their order.
    pub stages: Vec<Stage, MAX_STAGES>,
}
