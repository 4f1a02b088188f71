//! The list of nodes that a network is.

use serde::{Deserialize, Serialize};

/// What is applied to a convolution's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Nothing.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `clamp(x / 6 + 1/2, 0, 1)`: a gate that needs no exponential (MobileNetV3, Howard et al. 2019).
    HardSigmoid,
}

/// What a node computes. Tensor 0 is the input; tensor *i* + 1 is what node *i* writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Convolution over all channels, square window; on a 1×1 input it is a dense layer.
    Convolution {
        /// Output channels.
        channels: usize,
        /// Side of the window.
        size: usize,
        /// Step of the window.
        stride: usize,
        /// Pixels added on every side.
        padding: usize,
        /// Whether batch normalisation follows, instead of a bias.
        batch_norm: bool,
        /// What is applied to the result.
        activation: Activation,
    },
    /// Convolution of each channel by itself, batch normalisation, ReLU.
    Depthwise {
        /// Side of the window.
        size: usize,
        /// Step of the window.
        stride: usize,
        /// Pixels added on every side.
        padding: usize,
    },
    /// Mean over all pixels of each channel.
    GlobalAverage,
    /// Multiplies each channel by its gate: squeeze-and-excitation (Hu et al. 2018).
    Gate {
        /// Tensor of the gates, 1×1×C.
        gate: usize,
    },
    /// Sum of two tensors.
    Add {
        /// The other tensor.
        other: usize,
        /// What is applied to the sum.
        activation: Activation,
    },
}

/// An operation and the tensor that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What is computed.
    pub operation: Operation,
    /// Index of the tensor that is read.
    pub input: usize,
}

/// A tensor of which some elements are zeroed while training (Srivastava et al. 2014).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropout {
    /// Index of the tensor.
    pub tensor: usize,
    /// Elements of a thousand that are zeroed; the others are scaled up, so that their sum is expected to stay.
    pub permille: u16,
}

/// Extents of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

/// A network without its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// Extents of the input: one channel of ink.
    pub input: Shape,
    /// Nodes in the order in which they are computed; the last gives the logits.
    pub nodes: Vec<Node>,
    /// Dropout, which is no node: a trained network computes without it.
    pub dropout: Vec<Dropout>,
}

impl Architecture {
    /// An architecture without nodes, for square glyphs of `side` pixels.
    pub fn new(side: usize) -> Self {
        Self { input: Shape { height: side, width: side, channels: 1 }, nodes: Vec::new(), dropout: Vec::new() }
    }

    /// Appends a node that reads tensor `input`; returns the index of the tensor that it writes.
    pub fn push(&mut self, input: usize, operation: Operation) -> usize {
        self.nodes.push(Node { operation, input });
        self.nodes.len()
    }

    /// Zeroes `permille` of a thousand elements of `tensor` while training. It is for whatever reads the tensor; an
    /// activation range is observed before it.
    pub fn drop_out(&mut self, tensor: usize, permille: u16) {
        self.dropout.push(Dropout { tensor, permille });
    }

    /// Extents of all tensors, the input first.
    pub fn shapes(&self) -> Vec<Shape> {
        let mut shapes = vec![self.input];
        for node in &self.nodes {
            let from = shapes[node.input];
            let windowed = |size: usize, stride: usize, padding: usize, channels| Shape {
                height: (from.height + 2 * padding - size) / stride + 1,
                width: (from.width + 2 * padding - size) / stride + 1,
                channels,
            };
            shapes.push(match node.operation {
                Operation::Convolution { channels, size, stride, padding, .. } => {
                    windowed(size, stride, padding, channels)
                }
                Operation::Depthwise { size, stride, padding } => windowed(size, stride, padding, from.channels),
                Operation::GlobalAverage => Shape { height: 1, width: 1, channels: from.channels },
                Operation::Gate { .. } | Operation::Add { .. } => from,
            });
        }
        shapes
    }

    /// Number of classes: channels of the last tensor.
    pub fn classes(&self) -> usize {
        self.shapes().last().map_or(0, |shape| shape.channels)
    }
}

impl Operation {
    /// Whether the node has weights.
    pub const fn has_weights(&self) -> bool {
        matches!(self, Self::Convolution { .. } | Self::Depthwise { .. })
    }

    /// What is applied to the node's result.
    pub const fn activation(&self) -> Activation {
        match self {
            Self::Convolution { activation, .. } | Self::Add { activation, .. } => *activation,
            Self::Depthwise { .. } => Activation::Relu,
            _ => Activation::Linear,
        }
    }
}
