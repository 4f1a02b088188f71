//! A handwriting simulator: strokes as another hand would have written them.
//!
//! A [`Writer`] has habits: how much the writing leans, how broad and how large it is, which pen, how heavy the hand.
//! Each stroke then misses its place, its direction, its length and its shape by a little, some lose their end, and
//! now and then the pen stays on the paper on the way to the next. What comes out goes through the device's rasteriser,
//! as ink from a touch screen does.

mod stroke;
mod writer;

pub use writer::Writer;

use serde::{Deserialize, Serialize};

/// How much handwriting varies. Zero switches an effect off; with all of them off, strokes are drawn as they were read.
///
/// "σ" is the standard deviation of a normal distribution, cut off at 2.5 σ; "up to" is the end of a uniform
/// distribution that starts at 0. The side is the longer side of the box around the character.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Handwriting {
    /// Writer: lean of the vertical strokes, σ as a tangent.
    pub slant: f32,
    /// Writer: rise of the horizontal strokes, σ as a tangent.
    pub rise: f32,
    /// Writer: width against height, σ of the ratio's natural logarithm.
    pub aspect: f32,
    /// Writer: size on the picture, σ of its natural logarithm. The ink never reaches the picture's edge.
    pub size: f32,
    /// Writer: width of the pen, σ of its natural logarithm.
    pub pen_width: f32,
    /// Writer: how much wider a stroke begins than it ends, σ as a share of the pen's width. A stroke has two thirds
    /// of it from its writer and is itself heavier or lighter by half of it.
    pub pressure: f32,
    /// Stroke: place, σ in each direction as a share of the side.
    pub shift: f32,
    /// Stroke: direction, σ in degrees around its middle.
    pub rotation: f32,
    /// Stroke: length, σ of its natural logarithm, measured from where it begins.
    pub length: f32,
    /// Stroke: how far its middle bends away from the line between its ends, σ as a share of that line's length; its
    /// halves bend apart (an S) by a quarter as much.
    pub curvature: f32,
    /// Stroke: up to this share of its length is missing at its end.
    pub shortening: f32,
    /// Probability that the pen stays on the paper on the way to a stroke that begins where the last one ended. It
    /// falls evenly with the distance, to nothing at half the side.
    pub joining: f32,
}

/// Strength of a hand that is in no hurry: every writer differs, every character can be read.
impl Default for Handwriting {
    fn default() -> Self {
        Self {
            slant: 0.08,
            rise: 0.06,
            aspect: 0.10,
            size: 0.06,
            pen_width: 0.20,
            pressure: 0.15,
            shift: 0.018,
            rotation: 3.0,
            length: 0.08,
            curvature: 0.035,
            shortening: 0.10,
            joining: 0.15,
        }
    }
}

impl Handwriting {
    /// Every effect off.
    pub fn off() -> Self {
        Self::default().scaled(0.0)
    }

    /// Every strength times `factor`: 0 is off, 1 is as it is.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self {
            slant: self.slant * factor,
            rise: self.rise * factor,
            aspect: self.aspect * factor,
            size: self.size * factor,
            pen_width: self.pen_width * factor,
            pressure: self.pressure * factor,
            shift: self.shift * factor,
            rotation: self.rotation * factor,
            length: self.length * factor,
            curvature: self.curvature * factor,
            shortening: self.shortening * factor,
            joining: self.joining * factor,
        }
    }
}

#[cfg(test)]
mod tests;
