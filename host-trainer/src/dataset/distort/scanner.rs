//! Changing the tone of the picture: blur, contrast, gamma, noise, black and white.

use rand::{Rng, RngExt};

use super::{Distortion, normal};

/// Standard deviation of the difference of two uniform numbers of 0 to 15, which is the noise
/// before scaling: sqrt(2 * (16² - 1) / 12).
const NIBBLE_NOISE: f32 = 6.519;

/// Blurs, fades and roughens the picture as a scanner or a camera would.
pub(super) fn scan(pixels: &mut [u8], side: usize, settings: &Distortion, rng: &mut impl Rng) {
    let mut up_to = |limit: f32| rng.random_range(0.0..=1.0f32) * limit;
    let (blur_sigma, fading, noise_sigma) = (up_to(settings.blur), up_to(settings.fading), up_to(settings.noise));
    let gamma = normal(settings.gamma, rng).exp();

    blur(pixels, side, blur_sigma);
    let tone: [u8; 256] =
        std::array::from_fn(|level| ((level as f32 / 255.0).powf(gamma) * (1.0 - fading) * 255.0).round() as u8);
    for pixel in pixels.iter_mut() {
        *pixel = tone[usize::from(*pixel)];
    }
    add_noise(pixels, noise_sigma, rng);
    // No number is drawn for what is switched off.
    if settings.threshold > 0.0 && rng.random_range(0.0..1.0f32) < settings.threshold {
        make_bilevel(pixels, rng.random_range(0.3..0.7));
    }
}

/// Blurs as often as it takes: variances add up.
fn blur(pixels: &mut [u8], side: usize, sigma: f32) {
    let mut variance = sigma * sigma;
    while variance > 0.0 {
        blur_once(pixels, side, variance / 2.0);
        variance -= 2.0 * MAX_WEIGHT;
    }
}

/// Greatest weight of a neighbour: beyond it, (w, 1 - 2w, w) would no longer be a smooth kernel.
const MAX_WEIGHT: f32 = 0.25;

/// Blurs along rows, then along columns, with the kernel (w, 1 - 2w, w), whose variance is 2w.
fn blur_once(pixels: &mut [u8], side: usize, weight: f32) {
    let weight = (weight.min(MAX_WEIGHT) * 256.0) as u16;
    if weight == 0 {
        return;
    }
    let blend = |before: u8, here: u8, after: u8| {
        let sides = (u16::from(before) + u16::from(after)) * weight;
        // At most 256 * 255 + 128, which fits.
        ((sides + u16::from(here) * (256 - 2 * weight) + 128) >> 8) as u8
    };
    let original = pixels.to_vec();
    for (row, out) in original.chunks_exact(side).zip(pixels.chunks_exact_mut(side)) {
        for (window, out) in row.array_windows().zip(&mut out[1..]) {
            let &[before, here, after] = window;
            *out = blend(before, here, after);
        }
    }
    let original = pixels.to_vec();
    let above = original.iter();
    let here = original.iter().skip(side);
    let below = original.iter().skip(2 * side);
    for (((out, above), here), below) in pixels[side..].iter_mut().zip(above).zip(here).zip(below) {
        *out = blend(*above, *here, *below);
    }
}

/// Adds triangular noise: the difference of a random byte's two halves, which needs no more than
/// one byte a pixel.
fn add_noise(pixels: &mut [u8], sigma: f32, rng: &mut impl Rng) {
    let strength = (sigma / NIBBLE_NOISE * 256.0) as i32;
    if strength == 0 {
        return;
    }
    let mut bytes = vec![0; pixels.len()];
    rng.fill_bytes(&mut bytes);
    for (pixel, byte) in pixels.iter_mut().zip(bytes) {
        let difference = i32::from(byte >> 4) - i32::from(byte & 15);
        *pixel = (i32::from(*pixel) + ((difference * strength + 128) >> 8)).clamp(0, 255) as u8;
    }
}

/// Full ink where there is at least this `share` of the darkest pixel's, paper elsewhere.
fn make_bilevel(pixels: &mut [u8], share: f32) {
    let darkest = pixels.iter().copied().max().unwrap_or(0);
    let level = (f32::from(darkest) * share) as u8;
    for pixel in pixels {
        *pixel = if *pixel > level { 255 } else { 0 };
    }
}
