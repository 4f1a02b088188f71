//! Residual stages (He et al. 2016) and a dense layer with dropout.

use super::{convolution, dense, depthwise};
use crate::model::{Activation, Architecture, Operation};

/// Channels of the first convolution and of the stages, each of which halves the sides.
const STEM: usize = 32;
const STAGES: [usize; 3] = [64, 128, 256];
/// Units of the dense layer, and dropout before and after it, of a thousand.
const HIDDEN: usize = 512;
const DROPOUT: (u16, u16) = (400, 300);

/// What 3×3 convolutions are made of.
#[derive(Clone, Copy)]
pub(super) enum Convolutions {
    /// One step.
    Full,
    /// Each channel by itself, then all channels at each pixel.
    Separable,
}

/// Appends everything but the classifier; returns the tensor of the features.
pub(super) fn features(architecture: &mut Architecture, convolutions: Convolutions) -> usize {
    let mut tensor = architecture.push(0, convolution(STEM, 3, 1, Activation::Relu));
    for channels in STAGES {
        tensor = push_stage(architecture, tensor, channels, convolutions);
    }
    let pooled = architecture.push(tensor, Operation::GlobalAverage);
    architecture.drop_out(pooled, DROPOUT.0);
    let hidden = architecture.push(pooled, dense(HIDDEN, Activation::Relu));
    architecture.drop_out(hidden, DROPOUT.1);
    hidden
}

/// Two convolutions, the first of stride 2, beside a projection of the input.
fn push_stage(architecture: &mut Architecture, input: usize, channels: usize, convolutions: Convolutions) -> usize {
    let mut push = |input, stride, activation| match convolutions {
        Convolutions::Full => architecture.push(input, convolution(channels, 3, stride, activation)),
        Convolutions::Separable => {
            let spatial = architecture.push(input, depthwise(stride));
            architecture.push(spatial, convolution(channels, 1, 1, activation))
        }
    };
    let first = push(input, 2, Activation::Relu);
    let second = push(first, 1, Activation::Linear);
    let shortcut = architecture.push(input, convolution(channels, 1, 2, Activation::Linear));
    architecture.push(second, Operation::Add { other: shortcut, activation: Activation::Relu })
}
