//! Strokes of a pen become a glyph: on a touch screen, on the command line, and in training.
//!
//! Everywhere that is a glyph of [`SIDE`] × [`SIDE`] pixels in [`Style::STANDARD`], whatever the model: what is trained
//! on and what is written then pass through the same [`normalize`](super::normalize()) from the same picture.

use super::canvas::{Canvas, Dot, FRACTION};

/// Columns and rows of a standard glyph.
pub const SIDE: usize = 64;

/// Binary digits of the scale from points to pixels, beyond those of pixels.
const SCALE: u32 = 24;

/// A place that the pen passed, in any unit and from any origin, with x to the right and y downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Distance to the right.
    pub x: i16,
    /// Distance downwards.
    pub y: i16,
    /// Width of the line here, in 64ths of the pen's.
    pub width: u8,
}

impl Point {
    /// The [`width`](Self::width) of a line that is as wide as the pen.
    pub const PEN: u8 = 64;

    /// A place where the line is as wide as the pen.
    pub const fn new(x: i16, y: i16) -> Self {
        Self { x, y, width: Self::PEN }
    }
}

/// How large a glyph is drawn, and how boldly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Longer side of the box that holds all points, in pixels. The pen reaches half its width beyond.
    pub longer_side: u16,
    /// Width of the pen, in 1/256 pixels.
    pub pen_width: u16,
}

impl Style {
    /// That of a standard glyph: 54 of 64 pixels, and a pen of 2.4 pixels.
    pub const STANDARD: Self = Self::of_side(SIDE as u16);

    /// The proportions of the standard glyph on a square of `side` pixels, up to 6,826.
    pub const fn of_side(side: u16) -> Self {
        let pen_width = side as u32 * 48 / 5;
        let is_too_wide = pen_width > u16::MAX as u32;
        Self {
            longer_side: (side as u32 * 27 / 32) as u16,
            pen_width: if is_too_wide { u16::MAX } else { pen_width as u16 },
        }
    }
}

/// Draws strokes as large as `style` says in the middle of a canvas, which is cleared before.
///
/// Neither their place nor their size matters, only their shape; an empty stroke is none, one of a single point is a
/// dot. The strokes are gone through three times.
pub fn draw<'p>(strokes: impl Iterator<Item = &'p [Point]> + Clone, style: Style, canvas: &mut Canvas<'_>) {
    canvas.clear();
    let points = || strokes.clone().flatten();
    let (Some(x), Some(y)) = (Extent::of(points().map(|point| point.x)), Extent::of(points().map(|point| point.y)))
    else {
        return;
    };

    let longer_side = u64::from(style.longer_side) << (FRACTION + SCALE);
    let scale = longer_side / u64::from(x.length().max(y.length()).max(1));
    let (width, height) = canvas.size();
    for stroke in strokes {
        canvas.stroke(stroke.iter().map(|point| Dot {
            x: x.place(point.x, scale, width),
            y: y.place(point.y, scale, height),
            width: (u32::from(style.pen_width) * u32::from(point.width) / u32::from(Point::PEN)).min(u16::MAX.into())
                as u16,
        }));
    }
}

/// Smallest and largest coordinate on an axis.
struct Extent {
    low: i32,
    high: i32,
}

impl Extent {
    /// `None` without coordinates.
    fn of(coordinates: impl Iterator<Item = i16>) -> Option<Self> {
        let widened = |found: Option<Self>, at: i16| {
            let at = i32::from(at);
            let Self { low, high } = found.unwrap_or(Self { low: at, high: at });
            Some(Self { low: low.min(at), high: high.max(at) })
        };
        coordinates.fold(None, widened)
    }

    fn length(&self) -> u32 {
        (self.high - self.low) as u32
    }

    /// Where a coordinate lies among `pixels`, with [`FRACTION`] digits, when the middle of the extent comes to
    /// their middle.
    fn place(&self, coordinate: i16, scale: u64, pixels: usize) -> i32 {
        let from_middle = 2 * i32::from(coordinate) - (self.low + self.high);
        // At most the length of the longer extent, by which the scale was divided. Rounded by magnitude, so that a
        // mirrored glyph comes out mirrored.
        let distance = (u64::from(from_middle.unsigned_abs()) * scale + (1 << SCALE)) >> (SCALE + 1);
        ((pixels << FRACTION) / 2) as i32 + distance as i32 * from_middle.signum()
    }
}
