//! Architectures with a name.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{Activation, Architecture, Operation};

/// A named architecture: depthwise-separable blocks with squeeze-and-excitation, pooled into a dense head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 24×24 pixels, 0.1 M multiply-accumulates: digits on boards with 16 KB of RAM.
    Nano,
    /// 32×32 pixels, 0.7 M multiply-accumulates: digits and small alphabets.
    Micro,
    /// 48×48 pixels, 2.4 M multiply-accumulates: some hundred kanji. The quickstart's.
    Small,
    /// 64×64 pixels, 15 M multiply-accumulates: thousands of kanji.
    Reference,
}

/// One depthwise-separable block.
struct Block {
    channels: usize,
    stride: usize,
    attention: bool,
}

const fn block(channels: usize, stride: usize, attention: bool) -> Block {
    Block { channels, stride, attention }
}

impl Preset {
    /// Side of the input glyph, in pixels.
    pub const fn side(self) -> usize {
        match self {
            Self::Nano => 24,
            Self::Micro => 32,
            Self::Small => 48,
            Self::Reference => 64,
        }
    }

    /// Longer side of the ink's box in the input glyph, in pixels.
    pub const fn longer_side(self) -> u16 {
        match self {
            Self::Nano => 21,
            Self::Micro => 28,
            Self::Small => 42,
            Self::Reference => 54,
        }
    }

    /// The architecture for `classes` classes.
    pub fn architecture(self, classes: usize) -> Architecture {
        let (stem, blocks): (usize, &[Block]) = match self {
            Self::Nano => (8, &[block(16, 1, false), block(32, 2, false), block(32, 1, true)]),
            Self::Micro => (16, &[block(32, 1, false), block(64, 2, false), block(64, 1, true)]),
            Self::Small => (
                16,
                &[
                    block(32, 1, false),
                    block(64, 2, false),
                    block(64, 1, true),
                    block(128, 2, true),
                    block(128, 1, true),
                ],
            ),
            Self::Reference => (
                32,
                &[
                    block(64, 1, false),
                    block(128, 2, false),
                    block(128, 1, true),
                    block(256, 2, true),
                    block(256, 1, true),
                ],
            ),
        };
        let mut architecture = Architecture::new(self.side());
        let mut tensor = architecture.push(0, convolution(stem, 3, 2, 1));
        let mut channels = stem;
        for block in blocks {
            tensor = push_block(&mut architecture, tensor, channels, block);
            channels = block.channels;
        }
        let pooled = architecture.push(tensor, Operation::GlobalAverage);
        architecture.push(pooled, dense(classes, Activation::Linear));
        architecture
    }
}

fn push_block(architecture: &mut Architecture, input: usize, channels: usize, block: &Block) -> usize {
    let spatial = architecture.push(input, Operation::Depthwise { size: 3, stride: block.stride, padding: 1 });
    let mut tensor = architecture.push(spatial, convolution(block.channels, 1, 1, 0));
    if block.attention {
        let squeezed = architecture.push(tensor, Operation::GlobalAverage);
        let hidden = architecture.push(squeezed, dense(block.channels / 4, Activation::Relu));
        let gate = architecture.push(hidden, dense(block.channels, Activation::HardSigmoid));
        tensor = architecture.push(tensor, Operation::Gate { gate });
    }
    if block.stride == 1 && block.channels == channels {
        tensor = architecture.push(tensor, Operation::Add { other: input });
    }
    tensor
}

const fn convolution(channels: usize, size: usize, stride: usize, padding: usize) -> Operation {
    Operation::Convolution { channels, size, stride, padding, batch_norm: true, activation: Activation::Relu }
}

const fn dense(channels: usize, activation: Activation) -> Operation {
    Operation::Convolution { channels, size: 1, stride: 1, padding: 0, batch_norm: false, activation }
}
