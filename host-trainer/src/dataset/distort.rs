//! Random distortion that imitates how handwriting and scanners vary.
//!
//! Four steps, all on one small picture: a *warp* moves the strokes (one resampling through an
//! affine map with an elastic displacement on top), the *pen* changes their weight (grey dilation
//! or erosion), the *paper* is no longer clean (background, streaks, specks), the *scanner* changes
//! the tone (blur, contrast, gamma, noise, black and white alone).
//!
//! Elastic displacement follows P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional
//! Neural Networks Applied to Visual Document Analysis", ICDAR 2003. There are two kinds: a coarse
//! random grid, which costs little and moves whole parts of a character ([`Distortion::elastic`]),
//! and their own smoothed random field, which also makes single strokes uneven
//! ([`Distortion::elastic_field`]).

mod elastic;
mod paper;
mod pen;
mod scanner;
mod warp;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::{Glyph, Handwriting};

/// Strengths of the distortion. Zero switches an effect off.
///
/// "σ" is the standard deviation of a normal distribution, cut off at 2.5 σ so that no sample is
/// distorted beyond reading; "up to" is the end of a uniform distribution that starts at 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Distortion {
    /// Side of the square picture that comes out, in pixels. The longer side of what goes in fills it.
    pub side: u16,
    /// Rotation, σ in degrees.
    pub rotation: f32,
    /// Slant of the vertical strokes and of the horizontal ones, each σ as a tangent.
    pub shear: f32,
    /// Size, σ of its natural logarithm.
    pub scale: f32,
    /// Width against height, σ of the ratio's natural logarithm.
    pub aspect: f32,
    /// Shift in each direction, σ as a fraction of half the side.
    pub shift: f32,
    /// Elastic displacement of each of 5x5 grid points, σ as a fraction of half the side.
    pub elastic: f32,
    /// Displacement of each pixel by a smoothed random field, root of its mean square in pixels. Simard's α and σ on
    /// pictures of 29 pixels come to 1.4 here, or 3 on 64 pixels.
    pub elastic_field: f32,
    /// How smooth that field is: standard deviation of its Gaussian filter in pixels (Simard's σ; 4 on 29 pixels).
    pub elastic_smoothness: f32,
    /// Thinner strokes: up to this many pixels off each edge.
    pub thinning: f32,
    /// Thicker strokes: up to this many pixels onto each edge; less for a glyph that is full of ink
    /// already, whose gaps would close.
    pub thickening: f32,
    /// Grey paper: up to this share of full ink, uneven by half of it from one side to the other.
    pub background: f32,
    /// One to three lines across the picture, as of dust on a scanner's glass: up to this share of full ink, dark or
    /// light.
    pub streaks: f32,
    /// Specks: up to this share of all pixels turned into ink or paper.
    pub speckle: f32,
    /// Blur, up to this standard deviation in pixels.
    pub blur: f32,
    /// Paler ink: up to this fraction of its strength lost.
    pub fading: f32,
    /// Gamma, σ of its natural logarithm.
    pub gamma: f32,
    /// Noise, up to this standard deviation in grey levels.
    pub noise: f32,
    /// Probability that the picture comes out in black and white alone, as from a fax: parted between 0.3 and 0.7 of its
    /// darkest pixel.
    pub threshold: f32,
    /// How strokes are written, where a sample has them, before any of the above.
    pub handwriting: Handwriting,
}

/// The strength for training from fonts, where every variation has to come from the distortion.
impl Default for Distortion {
    fn default() -> Self {
        Self {
            side: 64,
            rotation: 4.0,
            shear: 0.08,
            scale: 0.05,
            aspect: 0.08,
            shift: 0.02,
            elastic: 0.045,
            elastic_field: 0.0,
            elastic_smoothness: 8.0,
            thinning: 0.4,
            thickening: 0.8,
            background: 0.0,
            streaks: 0.0,
            speckle: 0.0,
            blur: 0.7,
            fading: 0.3,
            gamma: 0.25,
            noise: 6.0,
            threshold: 0.0,
            handwriting: Handwriting::default(),
        }
    }
}

impl Distortion {
    /// For samples that are handwriting already and vary by themselves: half the default's
    /// strength, with blur kept low.
    pub fn mild() -> Self {
        let full = Self::default();
        Self {
            side: full.side,
            rotation: full.rotation / 2.0,
            shear: full.shear / 2.0,
            scale: full.scale / 2.0,
            aspect: full.aspect / 2.0,
            shift: full.shift / 2.0,
            elastic: full.elastic / 2.0,
            elastic_field: full.elastic_field / 2.0,
            elastic_smoothness: full.elastic_smoothness,
            thinning: full.thinning / 2.0,
            thickening: full.thickening / 2.0,
            background: full.background / 2.0,
            streaks: full.streaks / 2.0,
            speckle: full.speckle / 2.0,
            blur: 0.3,
            fading: full.fading / 2.0,
            gamma: full.gamma / 2.0,
            noise: full.noise / 2.0,
            threshold: full.threshold / 2.0,
            handwriting: full.handwriting.scaled(0.5),
        }
    }

    /// Every effect off: a picture of `side` pixels, and strokes, come out as they are.
    pub fn off(side: u16) -> Self {
        Self {
            side,
            rotation: 0.0,
            shear: 0.0,
            scale: 0.0,
            aspect: 0.0,
            shift: 0.0,
            elastic: 0.0,
            elastic_field: 0.0,
            elastic_smoothness: 8.0,
            thinning: 0.0,
            thickening: 0.0,
            background: 0.0,
            streaks: 0.0,
            speckle: 0.0,
            blur: 0.0,
            fading: 0.0,
            gamma: 0.0,
            noise: 0.0,
            threshold: 0.0,
            handwriting: Handwriting::off(),
        }
    }
}

/// A random generator of its own for each sample: the same three numbers give the same sequence,
/// whatever was drawn for other samples and on whichever thread.
///
/// `seed` is the run's, `stream` the epoch or step, `index` the sample's. The three together are
/// the ChaCha key, so no two generators overlap.
pub fn rng_for(seed: u64, stream: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, number) in key.as_chunks_mut::<8>().0.iter_mut().zip([seed, stream, index]) {
        *bytes = number.to_le_bytes();
    }
    ChaCha8Rng::from_seed(key)
}

/// A randomly distorted copy of `glyph`, `settings.side` pixels square.
///
/// The glyph may be of any size and shape; its longer side is scaled to fill the square, as it
/// would be without distortion. The result depends on nothing but the arguments (to the last bit
/// on one platform; between platforms `exp` and `sin` may round differently).
///
/// # Panics
/// When `settings.side` is 0, or when `glyph` has no pixels or not as many as its sides say.
pub fn distort(glyph: &Glyph, settings: &Distortion, rng: &mut impl Rng) -> Glyph {
    let side = usize::from(settings.side);
    let mut pixels = warp::warp(glyph, side, &warp::Map::random(side, settings, rng));
    let thickness = match rng.random_range(-1.0..=1.0f32) {
        thinner @ ..0.0 => thinner * settings.thinning,
        thicker => thicker * settings.thickening * pen::room(&pixels),
    };
    pen::change_thickness(&mut pixels, side, thickness);
    paper::soil(&mut pixels, side, settings, rng);
    scanner::scan(&mut pixels, side, settings, rng);
    Glyph { width: settings.side, height: settings.side, pixels }
}

/// A normally distributed number of mean 0, cut off at 2.5 standard deviations.
pub(super) fn normal(sigma: f32, rng: &mut impl Rng) -> f32 {
    let standard: f32 = rng.sample(StandardNormal);
    standard.clamp(-2.5, 2.5) * sigma
}

#[cfg(test)]
mod tests;
