//! Architectures with a name.

mod residual;
mod separable;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Activation, Architecture, Operation};

/// A named architecture.
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
    /// 32×32 pixels, 44 M multiply-accumulates: residual stages with dropout, for alphabets.
    Residual,
    /// 32×32 pixels, 7 M multiply-accumulates: the same of depthwise-separable convolutions.
    ResidualSeparable,
    /// The residual network for the 47 classes of EMNIST Balanced.
    EmnistBalanced,
    /// The residual network for the 62 classes of EMNIST ByClass.
    EmnistByclass,
}

/// Data of another number of classes than the preset is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the data has {found} classes, this preset is for {expected}; take `--preset residual` for any number of them")]
pub struct WrongClasses {
    /// Classes of the data.
    pub found: usize,
    /// Classes of the preset.
    pub expected: usize,
}

impl Preset {
    /// Side of the input glyph, in pixels.
    pub const fn side(self) -> usize {
        match self {
            Self::Nano => 24,
            Self::Micro | Self::Residual | Self::ResidualSeparable | Self::EmnistBalanced | Self::EmnistByclass => 32,
            Self::Small => 48,
            Self::Reference => 64,
        }
    }

    /// Longer side of the ink's box in the input glyph, in pixels.
    pub const fn longer_side(self) -> u16 {
        match self.side() {
            24 => 21,
            32 => 28,
            48 => 42,
            _ => 54,
        }
    }

    /// Refuses data that the preset is not for.
    ///
    /// # Errors
    /// [`WrongClasses`].
    pub const fn check_classes(self, found: usize) -> Result<(), WrongClasses> {
        let expected = match self {
            Self::EmnistBalanced => 47,
            Self::EmnistByclass => 62,
            _ => found,
        };
        if found == expected { Ok(()) } else { Err(WrongClasses { found, expected }) }
    }

    /// The architecture for `classes` classes.
    pub fn architecture(self, classes: usize) -> Architecture {
        let mut architecture = Architecture::new(self.side());
        let features = match self {
            Self::Nano | Self::Micro | Self::Small | Self::Reference => separable::features(self, &mut architecture),
            Self::Residual | Self::EmnistBalanced | Self::EmnistByclass => {
                residual::features(&mut architecture, residual::Convolutions::Full)
            }
            Self::ResidualSeparable => residual::features(&mut architecture, residual::Convolutions::Separable),
        };
        architecture.push(features, dense(classes, Activation::Linear));
        architecture
    }
}

/// A convolution with batch normalisation.
const fn convolution(channels: usize, size: usize, stride: usize, activation: Activation) -> Operation {
    Operation::Convolution { channels, size, stride, padding: size / 2, batch_norm: true, activation }
}

const fn dense(channels: usize, activation: Activation) -> Operation {
    Operation::Convolution { channels, size: 1, stride: 1, padding: 0, batch_norm: false, activation }
}

const fn depthwise(stride: usize) -> Operation {
    Operation::Depthwise { size: 3, stride, padding: 1 }
}

#[cfg(test)]
mod tests;
