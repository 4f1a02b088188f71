//! Bringing an image of any size to the size of the input.
//!
//! Resampling is separable with a triangle filter as wide as one pixel of the coarser side: bilinear when
//! enlarging, an antialiased mean when shrinking.

use core::ops::Range;

use super::Image;
use crate::package::{Fit, Preprocessing};

/// Binary digits behind the point of coordinates.
const FRACTION: u32 = 16;
const ONE: i32 = 1 << FRACTION;
/// The weights of a whole filter sum to about this many bits at most, so that with [`Mean`]'s values they stay
/// inside a `u32`.
const MAX_WEIGHT_BITS: u32 = 20;

/// Fills `output`, `size.0` columns × `size.1` rows, from `image` as `preprocessing` says. An image without
/// ink gives an empty glyph.
pub fn normalize(image: &Image<'_>, preprocessing: Preprocessing, size: (usize, usize), output: &mut [u8]) {
    let (source, target) = match preprocessing.fit {
        Fit::WholeImage => ((0..image.width, 0..image.height), (0..size.0, 0..size.1)),
        Fit::InkBox { longer_side } => {
            let Some(source) = ink_box(image, preprocessing.ink_threshold) else {
                output.fill(0);
                return;
            };
            let target = centred_box(&source, usize::from(longer_side), size);
            (source, target)
        }
    };
    output.fill(0);
    let columns = Axis::new(&source.0, target.0.len());
    let rows = Axis::new(&source.1, target.1.len());
    let lines = output.chunks_exact_mut(size.0.max(1)).skip(target.1.start);
    for (line, y) in lines.zip(0..target.1.len()) {
        for (pixel, x) in line.iter_mut().skip(target.0.start).zip(0..target.0.len()) {
            *pixel = sample(image, (&columns, x), (&rows, y));
        }
    }
}

/// Columns and rows between the outermost pixels of at least `threshold`; `None` without any.
fn ink_box(image: &Image<'_>, threshold: u8) -> Option<(Range<usize>, Range<usize>)> {
    let mut found: Option<(Range<usize>, Range<usize>)> = None;
    for (y, line) in image.pixels.chunks_exact(image.width).enumerate() {
        let is_ink = |&pixel: &u8| pixel >= threshold;
        if let (Some(first), Some(last)) = (line.iter().position(is_ink), line.iter().rposition(is_ink)) {
            let (columns, rows) = found.unwrap_or((first..last + 1, y..y + 1));
            found = Some((columns.start.min(first)..columns.end.max(last + 1), rows.start..y + 1));
        }
    }
    found
}

/// The box whose longer side has `longer_side` pixels, of the proportions of `source`, centred in `size`.
fn centred_box(
    source: &(Range<usize>, Range<usize>),
    longer_side: usize,
    size: (usize, usize),
) -> (Range<usize>, Range<usize>) {
    let (width, height) = (source.0.len(), source.1.len());
    let longest = width.max(height);
    let centred = |length: usize, space: usize| {
        let scaled = ((2 * length * longer_side + longest) / (2 * longest)).clamp(1, space.max(1));
        let start = space.saturating_sub(scaled) / 2;
        start..start + scaled
    };
    (centred(width, size.0), centred(height, size.1))
}

/// How the pixels of one axis map to source pixels.
struct Axis {
    start: usize,
    length: usize,
    /// Source pixels a target pixel, in fixed point.
    step: i32,
    /// Half the width of the triangle, in fixed point, at least one source pixel.
    support: i32,
    /// Distances are shifted by this to become weights, so that these sum to at most [`MAX_WEIGHT_BITS`] bits.
    weight_shift: u32,
}

impl Axis {
    fn new(source: &Range<usize>, target: usize) -> Self {
        let step = ((source.len() << FRACTION) / target.max(1)) as i32;
        let support = step.max(ONE);
        // A triangle's area: half its width times its height, both of which are `support`.
        let area = (i64::from(support) * i64::from(support)) >> FRACTION;
        let weight_shift = (i64::BITS - area.leading_zeros()).saturating_sub(MAX_WEIGHT_BITS);
        Self { start: source.start, length: source.len(), step, support, weight_shift }
    }

    /// Source pixels under the filter of target pixel `index`, each with its weight. Pixels outside the box
    /// are left out, so the outermost weigh more.
    fn taps(&self, index: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let centre = self.step * index as i32 + self.step / 2 - ONE / 2;
        let first = ((centre - self.support) >> FRACTION).max(0);
        let last = (((centre + self.support) >> FRACTION) + 1).min(self.length as i32);
        (first..last).map(move |tap| {
            let distance = (tap * ONE - centre).abs();
            (self.start + tap as usize, ((self.support - distance).max(0) >> self.weight_shift) as u32)
        })
    }
}

/// The filtered value at target pixel (`x`, `y`).
fn sample(image: &Image<'_>, (columns, x): (&Axis, usize), (rows, y): (&Axis, usize)) -> u8 {
    let mut column = Mean::default();
    for (row, weight) in rows.taps(y) {
        let line = &image.pixels[row * image.width..][..image.width];
        let mut mean = Mean::default();
        for (place, weight) in columns.taps(x) {
            mean.add(u32::from(line[place]) << 3, weight);
        }
        column.add(mean.value(), weight);
    }
    ((column.value() + 4) >> 3).min(255) as u8
}

/// A weighted mean of values of at most 11 bits.
#[derive(Default)]
struct Mean {
    sum: u32,
    weights: u32,
}

impl Mean {
    fn add(&mut self, value: u32, weight: u32) {
        self.sum += value * weight;
        self.weights += weight;
    }

    fn value(&self) -> u32 {
        (self.sum + self.weights / 2) / self.weights.max(1)
    }
}
