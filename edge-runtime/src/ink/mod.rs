//! The ink path: what a person drew or a camera saw becomes the model's input glyph.
//!
//! The trainer, the command line and the board all pass through here, in integers, so a model sees on the
//! board exactly what it was trained on. A picture goes through [`normalize()`]; what a pen wrote becomes a picture by
//! [`strokes`] first.

pub mod canvas;
mod normalize;
pub mod strokes;

pub use normalize::normalize;

use crate::limits::MAX_IMAGE_SIDE;

/// A grey image, ink 255 on 0, row by row from the top.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    width: usize,
    height: usize,
    pixels: &'a [u8],
}

impl<'a> Image<'a> {
    /// An image of `width` × `height` pixels; `None` where `pixels` has another length, or a side is zero or
    /// longer than [`MAX_IMAGE_SIDE`].
    pub fn new(width: usize, height: usize, pixels: &'a [u8]) -> Option<Self> {
        let sides = 1..=MAX_IMAGE_SIDE;
        let valid = sides.contains(&width) && sides.contains(&height) && pixels.len() == width * height;
        valid.then_some(Self { width, height, pixels })
    }
}
