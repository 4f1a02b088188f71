//! Paper that is not clean, and glass that is not: background, streaks, specks.

use rand::{Rng, RngExt};

use super::Distortion;

/// Soils the picture. Nothing is drawn from `rng` for what is switched off, so that switching one effect on leaves the
/// others as they were.
pub(super) fn soil(pixels: &mut [u8], side: usize, settings: &Distortion, rng: &mut impl Rng) {
    if settings.background > 0.0 {
        add_background(pixels, side, rng.random_range(0.0..=settings.background), rng);
    }
    if settings.streaks > 0.0 {
        for _ in 0..rng.random_range(1..=3) {
            add_streak(pixels, side, rng.random_range(0.0..=settings.streaks), rng);
        }
    }
    if settings.speckle > 0.0 {
        add_specks(pixels, rng.random_range(0.0..=settings.speckle), rng);
    }
}

/// Adds grey that is `level` of full ink in the middle and changes evenly in a random direction, by half of `level` from
/// edge to edge. Ink lies on it: what is dark already gains less.
fn add_background(pixels: &mut [u8], side: usize, level: f32, rng: &mut impl Rng) {
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let position = |i: usize| (i as f32 + 0.5) / side as f32 - 0.5;
    for (y, row) in pixels.chunks_exact_mut(side).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let here = level * (1.0 + 0.5 * (cos * position(x) + sin * position(y)));
            let ink = f32::from(*pixel);
            *pixel = (ink + (255.0 - ink) * here).round() as u8;
        }
    }
}

/// Draws a line of one pixel's width from edge to edge, dark or light by `strength`.
fn add_streak(pixels: &mut [u8], side: usize, strength: f32, rng: &mut impl Rng) {
    let (is_column, is_dark) = (rng.random_bool(0.5), rng.random_bool(0.5));
    let at = rng.random_range(0..side);
    let (start, step) = if is_column { (at, side) } else { (at * side, 1) };
    for pixel in pixels.iter_mut().skip(start).step_by(step).take(side) {
        let ink = f32::from(*pixel);
        let changed = if is_dark { ink.max(255.0 * strength) } else { ink * (1.0 - strength) };
        *pixel = changed.round() as u8;
    }
}

/// Turns this `share` of the pixels into ink or paper.
fn add_specks(pixels: &mut [u8], share: f32, rng: &mut impl Rng) {
    // Rounded at random, so that a share of less than one pixel is not none.
    let count = (share * pixels.len() as f32 + rng.random_range(0.0..1.0f32)) as usize;
    for _ in 0..count {
        let at = rng.random_range(0..pixels.len());
        pixels[at] = if rng.random_bool(0.5) { 255 } else { 0 };
    }
}
