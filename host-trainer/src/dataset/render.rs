//! A sample as training sees it: written anew where its strokes are known, then distorted.

use rand::Rng;

use super::{Distortion, Glyph, Sample, Writer, distort};

/// A random variant of `sample`, `settings.side` pixels square.
///
/// Strokes are written by a random [`Writer`] of [`Distortion::handwriting`]; that picture, or the sample's own where
/// it has no strokes, then goes through [`distort()`]. Nothing else decides what comes out: the same generator
/// ([`rng_for`](super::rng_for)) gives the same picture.
///
/// # Panics
/// As [`distort()`].
pub fn render(sample: &Sample, settings: &Distortion, rng: &mut impl Rng) -> Glyph {
    match &sample.strokes {
        Some(strokes) => {
            let written = Writer::random(&settings.handwriting, rng).write(strokes, rng);
            distort(&written, settings, rng)
        }
        None => distort(&sample.glyph, settings, rng),
    }
}
