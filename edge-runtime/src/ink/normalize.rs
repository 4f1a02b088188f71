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
/// The weights of a whole filter sum to about this many bits at most: with values of 8 + [`MEAN_FRACTION`] bits
/// they stay inside a `u32`.
const MAX_WEIGHT_BITS: u32 = 20;

/// Fills `output`, `size.0` columns × `size.1` rows, from `image` as `preprocessing` says. An image without
/// ink gives an empty glyph.
#[inline(never)] // once in every image
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
    let mut strip = Strip::new(image, &columns, &rows);
    let lines = output.chunks_exact_mut(size.0.max(1)).skip(target.1.start);
    for (line, y) in lines.zip(0..target.1.len()) {
        strip.start_row(y);
        for (pixel, x) in line.iter_mut().skip(target.0.start).zip(0..target.0.len()) {
            *pixel = strip.sample(x);
        }
    }
}

/// Columns and rows between the outermost pixels of at least `threshold`; `None` without any.
fn ink_box(image: &Image<'_>, threshold: u8) -> Option<(Range<usize>, Range<usize>)> {
    let mut found: Option<(Range<usize>, Range<usize>)> = None;
    for (y, line) in image.pixels.chunks_exact(image.width.max(1)).enumerate() {
        let is_ink = |&pixel: &u8| pixel >= threshold;
        let Some(first) = line.iter().position(is_ink) else { continue };
        let last = line.iter().rposition(is_ink).unwrap_or(first);
        let (columns, rows) = found.unwrap_or((first..last + 1, y..y + 1));
        found = Some((columns.start.min(first)..columns.end.max(last + 1), rows.start..y + 1));
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
    let longest = width.max(height).max(1);
    let centred = |length: usize, space: usize| {
        let scaled = ((length * longer_side + longest / 2) / longest).clamp(1, space.max(1));
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

    /// Place of target pixel `index` among the source pixels, in fixed point.
    fn centre(&self, index: usize) -> i32 {
        self.step * index as i32 + self.step / 2 - ONE / 2
    }

    /// Source pixels under the filter around `centre`, counted from the start of the box. Pixels outside the
    /// box are left out, so the outermost weigh more.
    fn taps(&self, centre: i32) -> Range<usize> {
        let first = ((centre - self.support) >> FRACTION) + 1;
        let end = (centre + self.support + ONE - 1) >> FRACTION;
        first.max(0) as usize..self.length.min(end as usize)
    }

    /// Weight of a source pixel at `distance` from a centre, one of the taps.
    fn weight(&self, distance: i32) -> u32 {
        ((self.support - distance.abs()) >> self.weight_shift) as u32
    }
}

/// Source columns whose vertical means are kept at a time: those of any glyph, and little enough stack.
const STRIP: usize = 128;
/// Binary digits behind the point of vertical means.
const MEAN_FRACTION: u32 = 3;

/// The vertical means of source columns for one target row, a strip of columns at a time.
struct Strip<'a> {
    image: &'a Image<'a>,
    columns: &'a Axis,
    rows: &'a Axis,
    /// Centre of the target row.
    row: i32,
    /// The columns that are in `means`, counted from the start of the box.
    place: Range<usize>,
    means: [u32; STRIP],
}

impl<'a> Strip<'a> {
    fn new(image: &'a Image<'a>, columns: &'a Axis, rows: &'a Axis) -> Self {
        Self { image, columns, rows, row: 0, place: 0..0, means: [0; STRIP] }
    }

    fn start_row(&mut self, y: usize) {
        self.row = self.rows.centre(y);
        self.place = 0..0;
    }

    /// The filtered value at column `x` of the target row.
    fn sample(&mut self, x: usize) -> u8 {
        let columns = self.columns;
        let centre = columns.centre(x);
        let Range { start: mut tap, end } = columns.taps(centre);
        let mut distance = to_fixed(tap) - centre;
        let (mut sum, mut weights) = (0, 0);
        while tap < end {
            let means = self.means_from(tap);
            for mean in means.get(..end - tap).unwrap_or(means) {
                let weight = columns.weight(distance);
                sum += mean * weight;
                weights += weight;
                distance += ONE;
            }
            tap = self.place.end;
        }
        let mean = rounded_mean(sum, weights);
        ((mean + (1 << (MEAN_FRACTION - 1))) >> MEAN_FRACTION) as u8
    }

    /// Means from `column` on, one or more.
    fn means_from(&mut self, column: usize) -> &[u32] {
        if !self.place.contains(&column) {
            self.fill(column);
        }
        // Never the default: the strip is no longer than the means and has been filled from `column` or before it.
        self.means.get(column - self.place.start..self.place.len()).unwrap_or_default()
    }

    fn fill(&mut self, column: usize) {
        self.place = column..self.columns.length.min(column + STRIP);
        let means = self.means.get_mut(..self.place.len()).unwrap_or_default();
        means.fill(0);
        let mut weights = 0;
        for tap in self.rows.taps(self.row) {
            let weight = self.rows.weight(to_fixed(tap) - self.row);
            let line = (self.rows.start + tap) * self.image.width + self.columns.start + column;
            let pixels = self.image.pixels.get(line..).unwrap_or_default();
            for (sum, &pixel) in means.iter_mut().zip(pixels) {
                *sum += u32::from(pixel) * weight;
            }
            weights += weight;
        }
        for mean in means {
            *mean = rounded_mean(*mean << MEAN_FRACTION, weights);
        }
    }
}

fn to_fixed(place: usize) -> i32 {
    (place << FRACTION) as i32
}

fn rounded_mean(sum: u32, weights: u32) -> u32 {
    (sum + weights / 2) / weights.max(1)
}
