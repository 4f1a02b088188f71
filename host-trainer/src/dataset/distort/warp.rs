//! Moving the strokes: one resampling through an inverse map from output to source pixels.

use rand::Rng;

use super::elastic::Field;
use super::{Distortion, normal};
use crate::dataset::Glyph;

/// Grid points along each side of the elastic displacement.
const GRID: usize = 5;

/// Where each output pixel takes its ink from, in units of half the side around the centre:
/// `source = matrix * output + shift + elastic(output) + field(output)`.
///
/// Random maps are as likely as their inverses, so the inverse map is drawn directly.
pub(super) struct Map {
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
    /// Displacement (x, y) of each grid point, row by row; none at all leaves the map affine.
    elastic: [[[f32; 2]; GRID]; GRID],
    field: Option<Field>,
}

impl Map {
    /// A map of the given strengths onto `side * side` pixels.
    pub(super) fn random(side: usize, settings: &Distortion, rng: &mut impl Rng) -> Self {
        let (sin, cos) = normal(settings.rotation.to_radians(), rng).sin_cos();
        let (slant_x, slant_y) = (normal(settings.shear, rng), normal(settings.shear, rng));
        let scale = normal(settings.scale, rng);
        let aspect = normal(settings.aspect, rng) / 2.0;
        let (scale_x, scale_y) = ((scale + aspect).exp(), (scale - aspect).exp());
        // Rotation * slant * scale.
        let matrix = [
            [(cos - sin * slant_y) * scale_x, (cos * slant_x - sin) * scale_y],
            [(sin + cos * slant_y) * scale_x, (sin * slant_x + cos) * scale_y],
        ];
        let mut pair = |sigma| [normal(sigma, rng), normal(sigma, rng)];
        let shift = pair(settings.shift);
        let mut elastic = [[[0.0; 2]; GRID]; GRID];
        for point in elastic.as_flattened_mut() {
            *point = pair(settings.elastic);
        }
        // Without a field no number is drawn for it: pictures stay what they were before there was one.
        let field = (settings.elastic_field > 0.0)
            .then(|| Field::random(side, settings.elastic_field, settings.elastic_smoothness, rng));
        Self { matrix, shift, elastic, field }
    }
}

/// The glyph seen through `map`, as `side * side` pixels.
pub(super) fn warp(glyph: &Glyph, side: usize, map: &Map) -> Vec<u8> {
    let source = Source::new(glyph, side);
    let half_source = source.width.max(source.height) as f32 / 2.0;
    let (centre_x, centre_y) = (source.width as f32 / 2.0, source.height as f32 / 2.0);
    let position = |i: usize| (2 * i + 1) as f32 / side as f32 - 1.0;
    let weights: Vec<[f32; GRID]> = (0..side).map(|i| spline_weights(position(i))).collect();

    let mut pixels = Vec::with_capacity(side * side);
    for (y, row_weights) in weights.iter().enumerate() {
        // The grid's rows blended for this row of pixels; its columns are blended pixel by pixel.
        let mut columns = [[0.0; 2]; GRID];
        for (weight, grid_row) in row_weights.iter().zip(&map.elastic) {
            for (column, point) in columns.iter_mut().zip(grid_row) {
                column[0] += weight * point[0];
                column[1] += weight * point[1];
            }
        }
        let v = position(y);
        pixels.extend(weights.iter().enumerate().map(|(x, column_weights)| {
            let u = position(x);
            let mut at = [0, 1].map(|i| map.matrix[i][0] * u + map.matrix[i][1] * v + map.shift[i]);
            for (weight, column) in column_weights.iter().zip(&columns) {
                at[0] += weight * column[0];
                at[1] += weight * column[1];
            }
            if let Some(field) = &map.field {
                let [dx, dy] = field.at(x, y);
                at[0] += dx;
                at[1] += dy;
            }
            source.sample(at[0] * half_source + centre_x, at[1] * half_source + centre_y)
        }));
    }
    pixels
}

/// Weight of each grid point for a position of -1 to 1: a Catmull-Rom spline, which passes through
/// the points with a continuous slope. Beyond the ends, the end points are repeated.
fn spline_weights(position: f32) -> [f32; GRID] {
    let last = GRID - 1;
    let along = ((position + 1.0) / 2.0 * last as f32).clamp(0.0, last as f32);
    let cell = (along as usize).min(last - 1);
    let t = along - cell as f32;
    let around = [
        ((2.0 - t) * t - 1.0) * t / 2.0,
        ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
        ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
        (t - 1.0) * t * t / 2.0,
    ];
    let mut weights = [0.0; GRID];
    for (offset, weight) in around.into_iter().enumerate() {
        weights[(cell + offset).saturating_sub(1).min(last)] += weight;
    }
    weights
}

/// The source picture with a margin of paper, so that sampling never looks outside it.
struct Source {
    width: usize,
    height: usize,
    stride: usize,
    padded: Vec<f32>,
}

impl Source {
    /// Copies the glyph. One of at least twice `side` is first shrunk by a whole factor, each
    /// pixel the mean of a block: bilinear sampling alone would skip over thin strokes.
    fn new(glyph: &Glyph, side: usize) -> Self {
        let (full_width, full_height) = (usize::from(glyph.width), usize::from(glyph.height));
        let factor = (full_width.max(full_height) / side).max(1);
        let (width, height) = (full_width.div_ceil(factor), full_height.div_ceil(factor));
        // One pixel of paper before, two after: the last sample reads one beyond the margin.
        let stride = width + 3;
        let mut padded = vec![0.0; stride * (height + 3)];
        let share = 1.0 / (factor * factor) as f32;
        for (y, row) in glyph.pixels.chunks_exact(full_width).enumerate() {
            let start = (y / factor + 1) * stride + 1;
            let target = &mut padded[start..start + width];
            for (block, sum) in row.chunks(factor).zip(target) {
                *sum += block.iter().map(|&pixel| f32::from(pixel)).sum::<f32>() * share;
            }
        }
        Self { width, height, stride, padded }
    }

    /// Bilinear sample at (x, y) in pixels from the top left corner; paper beyond the edges.
    fn sample(&self, x: f32, y: f32) -> u8 {
        // Pixel centres lie at halves; the margin adds one.
        let x = (x + 0.5).clamp(0.0, (self.width + 1) as f32);
        let y = (y + 0.5).clamp(0.0, (self.height + 1) as f32);
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let corner = row * self.stride + column;
        let blend = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let upper = blend(self.padded[corner], self.padded[corner + 1], fx);
        let below = corner + self.stride;
        let lower = blend(self.padded[below], self.padded[below + 1], fx);
        (blend(upper, lower, fy) + 0.5) as u8
    }
}
