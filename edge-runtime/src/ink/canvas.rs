//! Lines of a round pen on a grey image.
//!
//! # What is drawn
//!
//! A line goes from one [`Dot`] to another and has round ends; its width changes evenly from that of the one to that
//! of the other. A pixel looks for the nearest place of the centre line. With `d` the distance to it and `r` half the
//! width there, both in pixels, it gets the ink
//!
//! ```text
//! 255 · clamp(r + ½ − d, 0, min(1, 2r))
//! ```
//!
//! which is the share of the pixel under the pen where the line runs along an axis, and close to it elsewhere. Where
//! lines overlap the darker one counts, so that a pen that stands still or crosses a line adds no ink.
//!
//! # How
//!
//! Distances along and across the line are linear in the pixel's place: a step to the next pixel is two additions. Only
//! pixels beyond an end take a root. Everything fits 32 bits but the distances of the first pixel of a line.

use core::ops::Range;

use crate::limits::MAX_IMAGE_SIDE;

/// Binary digits behind the point of places and widths.
pub const FRACTION: u32 = 8;
/// Half a pixel.
const HALF: u32 = 1 << (FRACTION - 1);
/// Binary digits behind the point of directions, and of distances while they are added up.
const FINE: u32 = 16;
/// Binary digits behind the point of a share of a line's length.
const SHARE: u32 = 15;
/// Furthest place that is told from others, four thousand pixels away: on the safe side of every sum.
const FURTHEST: i32 = (2 * MAX_IMAGE_SIDE as i32) << FRACTION;

/// A place of the pen on the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dot {
    /// Distance from the image's left edge, in 1/256 pixels: the middle of the first column is at 128.
    pub x: i32,
    /// Distance from the image's upper edge, in 1/256 pixels.
    pub y: i32,
    /// Width of the line here, in 1/256 pixels.
    pub width: u16,
}

impl Dot {
    fn radius(&self) -> u32 {
        u32::from(self.width) / 2
    }

    /// The dot, brought within [`FURTHEST`] on both axes.
    fn in_reach(self) -> Self {
        Self { x: self.x.clamp(-FURTHEST, FURTHEST), y: self.y.clamp(-FURTHEST, FURTHEST), ..self }
    }
}

/// A grey image to draw on, ink 255 on 0, row by row from the top.
#[derive(Debug)]
pub struct Canvas<'a> {
    width: usize,
    height: usize,
    pixels: &'a mut [u8],
}

impl<'a> Canvas<'a> {
    /// A canvas of `width` × `height` pixels, with the ink that they have; `None` where `pixels` has another length, or
    /// a side is zero or longer than [`MAX_IMAGE_SIDE`].
    pub fn new(width: usize, height: usize, pixels: &'a mut [u8]) -> Option<Self> {
        let sides = 1..=MAX_IMAGE_SIDE;
        let valid = sides.contains(&width) && sides.contains(&height) && pixels.len() == width * height;
        valid.then_some(Self { width, height, pixels })
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Takes all ink away.
    pub fn clear(&mut self) {
        self.pixels.fill(0);
    }

    /// Draws lines from dot to dot; a single one is a disc.
    ///
    /// Time is bounded by the number of dots times the pixels of the canvas, wherever the dots are.
    pub fn stroke(&mut self, dots: impl IntoIterator<Item = Dot>) {
        let mut dots = dots.into_iter();
        let Some(first) = dots.next() else { return };
        let mut last = None;
        for dot in dots {
            self.line(last.unwrap_or(first), dot);
            last = Some(dot);
        }
        if last.is_none() {
            self.line(first, first);
        }
    }

    /// Draws a line. Dots more than 4,096 pixels away from the corner on an axis are drawn as if they were there.
    pub fn line(&mut self, from: Dot, to: Dot) {
        let (from, to) = (from.in_reach(), to.in_reach());
        let line = Line::between(&from, &to);
        let columns = pixels_between(from.x.min(to.x), from.x.max(to.x), line.reach, self.width);
        let rows = pixels_between(from.y.min(to.y), from.y.max(to.y), line.reach, self.height);

        let middle = |pixel: usize| i64::from((pixel << FRACTION) as u32 + HALF);
        let (x, y) = (middle(columns.start) - i64::from(from.x), middle(rows.start) - i64::from(from.y));
        let (dx, dy) = line.direction;
        // At most 2¹⁵ pixels: an `i32` holds them with all their digits.
        let fine = |product: i64| (product >> FRACTION) as i32;
        let mut row_along = fine(x * i64::from(dx) + y * i64::from(dy));
        let mut row_across = fine(y * i64::from(dx) - x * i64::from(dy));

        let lines = self.pixels.chunks_exact_mut(self.width.max(1));
        for pixels in lines.take(rows.end).skip(rows.start) {
            let (mut along, mut across) = (row_along, row_across);
            for pixel in pixels.iter_mut().take(columns.end).skip(columns.start) {
                *pixel = (*pixel).max(line.ink(along, across));
                along += dx;
                across -= dy;
            }
            row_along += dy;
            row_across += dx;
        }
    }
}

/// Indices of the pixels whose middles are at most `reach` outside `low` to `high`, of `count` pixels.
fn pixels_between(low: i32, high: i32, reach: u32, count: usize) -> Range<usize> {
    let (half, reach) = (HALF as i32, reach as i32);
    let first = (low - reach + half - 1) >> FRACTION;
    let end = (high + reach + half) >> FRACTION;
    let inside = |place: i32| (place.max(0) as usize).min(count);
    inside(first)..inside(end)
}

/// What the pixels around a line need to know of it.
struct Line {
    /// Unit vector, with [`FINE`] digits.
    direction: (i32, i32),
    /// Length, with [`FINE`] digits.
    length: i32,
    /// Half the width at both ends, with [`FRACTION`] digits.
    radii: (u32, u32),
    /// Shares of the length a unit of [`FRACTION`] digits, with [`FINE`] digits more than [`SHARE`]; zero where the
    /// width is the same everywhere.
    shares: u32,
    /// Pixels further away get no ink, with [`FRACTION`] digits.
    reach: u32,
}

impl Line {
    fn between(from: &Dot, to: &Dot) -> Self {
        let radii = (from.radius(), to.radius());
        let (direction, length) = polar(to.x - from.x, to.y - from.y);
        let is_even = radii.0 == radii.1;
        let shares = if is_even { 0 } else { (1 << (SHARE + FINE)) / coarse(length).max(1) };
        Self { direction, length, radii, shares, reach: radii.0.max(radii.1) + HALF }
    }

    /// The ink of a pixel `along` the line from its start and `across` from it, both with [`FINE`] digits.
    fn ink(&self, along: i32, across: i32) -> u8 {
        let across = coarse(across);
        if across >= self.reach {
            return 0;
        }
        let (beyond, radius) = if along < 0 {
            (coarse(along), self.radii.0)
        } else if along > self.length {
            (coarse(along - self.length), self.radii.1)
        } else {
            (0, self.radius_at(coarse(along)))
        };
        if beyond >= self.reach {
            return 0;
        }
        // Both are below 2¹⁵ + 2⁷: their squares' sum stays below 2³².
        let distance = if beyond == 0 { across } else { root(beyond * beyond + across * across) };
        let covered = (radius + HALF).saturating_sub(distance).min(2 * HALF).min(2 * radius);
        ((covered * 255 + HALF) >> FRACTION) as u8
    }

    /// Half the width `along` the line from its start, both with [`FRACTION`] digits.
    fn radius_at(&self, along: u32) -> u32 {
        let (start, end) = self.radii;
        // `along` is at most the length: the product is at most 2³¹.
        let share = (along * self.shares) >> FINE;
        let change = (start.abs_diff(end) * share + (1 << (SHARE - 1))) >> SHARE;
        if end >= start { start + change } else { start - change }
    }
}

/// A distance of [`FINE`] digits without its sign and with [`FRACTION`] digits, rounded.
fn coarse(distance: i32) -> u32 {
    (distance.unsigned_abs() + (1 << (FINE - FRACTION - 1))) >> (FINE - FRACTION)
}

/// The square root, rounded.
fn root(square: u32) -> u32 {
    let floor = square.isqrt();
    floor + u32::from(square - floor * floor > floor)
}

/// Direction and length of a vector of [`FRACTION`] digits, with [`FINE`] digits; both sides are at most
/// 2 · [`FURTHEST`].
fn polar(x: i32, y: i32) -> ((i32, i32), i32) {
    let longer = x.unsigned_abs().max(y.unsigned_abs());
    if longer == 0 {
        return ((1 << FINE, 0), 0);
    }
    // With 15 bits in the longer side the sum of squares has 31, and the quotient below 31.
    let bits = u32::BITS - longer.leading_zeros();
    let (up, down) = (15_u32.saturating_sub(bits), bits.saturating_sub(15));
    let scaled = |side: i32| (side.unsigned_abs() << up) >> down;
    let squares = scaled(x) * scaled(x) + scaled(y) * scaled(y);
    let length = root(squares);
    let unit = |side: i32| (((scaled(side) << FINE) + length / 2) / length.max(1)) as i32 * side.signum();
    ((unit(x), unit(y)), (((length << (FINE - FRACTION)) >> up) << down) as i32)
}
