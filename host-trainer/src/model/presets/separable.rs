//! Depthwise-separable blocks with squeeze-and-excitation, pooled: small enough for a microcontroller.

use super::{Preset, convolution, dense, depthwise};
use crate::model::{Activation, Architecture, Operation};

/// One depthwise-separable block.
struct Block {
    channels: usize,
    stride: usize,
    attention: bool,
}

const fn block(channels: usize, stride: usize, attention: bool) -> Block {
    Block { channels, stride, attention }
}

/// Appends everything but the classifier; returns the tensor of the features.
pub(super) fn features(preset: Preset, architecture: &mut Architecture) -> usize {
    let (stem, blocks): (usize, &[Block]) = match preset {
        Preset::Nano => (8, &[block(16, 1, false), block(32, 2, false), block(32, 1, true)]),
        Preset::Micro => (16, &[block(32, 1, false), block(64, 2, false), block(64, 1, true)]),
        Preset::Small => (
            16,
            &[block(32, 1, false), block(64, 2, false), block(64, 1, true), block(128, 2, true), block(128, 1, true)],
        ),
        _ => (
            32,
            &[block(64, 1, false), block(128, 2, false), block(128, 1, true), block(256, 2, true), block(256, 1, true)],
        ),
    };
    let mut tensor = architecture.push(0, convolution(stem, 3, 2, Activation::Relu));
    let mut channels = stem;
    for block in blocks {
        tensor = push_block(architecture, tensor, channels, block);
        channels = block.channels;
    }
    architecture.push(tensor, Operation::GlobalAverage)
}

fn push_block(architecture: &mut Architecture, input: usize, channels: usize, block: &Block) -> usize {
    let spatial = architecture.push(input, depthwise(block.stride));
    let mut tensor = architecture.push(spatial, convolution(block.channels, 1, 1, Activation::Relu));
    if block.attention {
        let squeezed = architecture.push(tensor, Operation::GlobalAverage);
        let hidden = architecture.push(squeezed, dense(block.channels / 4, Activation::Relu));
        let gate = architecture.push(hidden, dense(block.channels, Activation::HardSigmoid));
        tensor = architecture.push(tensor, Operation::Gate { gate });
    }
    if block.stride == 1 && block.channels == channels {
        tensor = architecture.push(tensor, Operation::Add { other: input, activation: Activation::Linear });
    }
    tensor
}
