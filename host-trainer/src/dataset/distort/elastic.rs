//! A smoothed random field of displacements (Simard, Steinkraus and Platt, 2003).

use rand::{Rng, RngExt};

/// Box filters in a row, which together come close to a Gaussian.
const PASSES: usize = 3;

/// How far each output pixel's source is moved.
pub(super) struct Field {
    side: usize,
    /// Displacements along x, then along y, row by row, in units of half the side.
    along: [Vec<f32>; 2],
}

impl Field {
    /// A field for `side * side` pixels: uniform noise, filtered to a standard deviation of `smoothness` pixels, and
    /// scaled so that the root of the mean square of a displacement is `strength` pixels on each axis.
    pub(super) fn random(side: usize, strength: f32, smoothness: f32, rng: &mut impl Rng) -> Self {
        // A box of n pixels has the variance (n² - 1) / 12.
        let variance = smoothness * smoothness / PASSES as f32;
        let width = ((12.0 * variance + 1.0).sqrt().round() as usize).clamp(1, side);
        // Uniform noise of -1 to 1 has the variance 1/3; filtered on two axes it keeps this share of it.
        let kept = squares_of_kernel(width).powi(2) / 3.0;
        let scale = strength * 2.0 / side as f32 / kept.sqrt();
        let along = [(); 2].map(|()| {
            // Wrapped around at the edges, so that the noise is as strong there as anywhere.
            let mut noise: Vec<f32> = (0..side * side).map(|_| rng.random_range(-scale..=scale)).collect();
            for _ in 0..PASSES {
                noise = filtered_and_turned(&noise, side, width);
            }
            for _ in 0..PASSES {
                noise = filtered_and_turned(&noise, side, width);
            }
            noise
        });
        Self { side, along }
    }

    /// Displacement of the pixel in column `x` and row `y`.
    pub(super) fn at(&self, x: usize, y: usize) -> [f32; 2] {
        [0, 1].map(|axis| self.along[axis][y * self.side + x])
    }
}

/// Sum of the squared weights of the boxes in a row.
fn squares_of_kernel(width: usize) -> f32 {
    let mut kernel = vec![1.0_f32];
    for _ in 0..PASSES {
        let mut wider = vec![0.0; kernel.len() + width - 1];
        for (offset, weight) in kernel.iter().enumerate() {
            wider[offset..offset + width].iter_mut().for_each(|sum| *sum += weight / width as f32);
        }
        kernel = wider;
    }
    kernel.iter().map(|weight| weight * weight).sum()
}

/// The mean of `width` neighbours along each row, rows becoming columns: a second call filters the other axis and turns
/// the picture back.
fn filtered_and_turned(values: &[f32], side: usize, width: usize) -> Vec<f32> {
    let mut turned = vec![0.0; values.len()];
    let share = 1.0 / width as f32;
    for (y, row) in values.chunks_exact(side).enumerate() {
        let mut sum: f32 = row[..width].iter().sum();
        for x in 0..side {
            turned[x * side + y] = sum * share;
            sum += row[(x + width) % side] - row[x];
        }
    }
    turned
}
