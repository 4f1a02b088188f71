//! What a pen wrote, kept as lines of points so that it can be drawn anew.

use fude_runtime::ink::canvas::Canvas;
use fude_runtime::ink::strokes::{Point, SIDE, Style, draw};

use crate::dataset::Glyph;

/// Longer side of the box around all points, in units of a point's coordinates.
pub const SPAN: f64 = 16384.0;
/// Points of a stroke are at most this far apart, so that a straight line can be bent.
const SPACING: f64 = SPAN / 32.0;

/// The strokes of one character in the order of writing, each with one point or more.
///
/// The box around all points is centred on the origin and its longer side is [`SPAN`] (a single dot has none). The
/// place and the size of the writing are not kept: a glyph shows neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strokes(Vec<Vec<Point>>);

impl Strokes {
    /// Strokes from lines of points in any unit, x to the right and y downwards. Lines without points are left out.
    ///
    /// `None` where no point is left, or a coordinate is not finite.
    pub fn from_lines(lines: &[Vec<[f64; 2]>]) -> Option<Self> {
        let points = || lines.iter().flatten();
        if !points().flatten().all(|coordinate| coordinate.is_finite()) {
            return None;
        }
        let extent = |axis: usize| {
            let along = points().map(move |point| point[axis]);
            along.clone().reduce(f64::min).zip(along.reduce(f64::max))
        };
        let (Some((left, right)), Some((top, bottom))) = (extent(0), extent(1)) else { return None };
        // Halved before they are subtracted: numbers at the ends of their range must not overflow.
        let half_side = (right / 2.0 - left / 2.0).max(bottom / 2.0 - top / 2.0);
        let scale = if half_side > 0.0 { SPAN / 2.0 / half_side } else { 0.0 };
        let centre = [left / 2.0 + right / 2.0, top / 2.0 + bottom / 2.0];
        let place = |point: &[f64; 2]| [(point[0] - centre[0]) * scale, (point[1] - centre[1]) * scale];
        let strokes: Vec<Vec<Point>> = lines
            .iter()
            .filter(|line| !line.is_empty())
            .map(|line| evenly(&line.iter().map(place).collect::<Vec<_>>()))
            .collect();
        Some(Self(strokes))
    }

    /// The strokes, each a line of points.
    pub fn lines(&self) -> &[Vec<Point>] {
        &self.0
    }

    /// The strokes as they were read, drawn as the device draws them: [`Style::STANDARD`].
    pub fn to_glyph(&self) -> Glyph {
        to_glyph(&self.0, Style::STANDARD)
    }
}

/// The points of a line with more between those that are far apart.
fn evenly(line: &[[f64; 2]]) -> Vec<Point> {
    // At most SPAN / 2 in size, which fits.
    let point = |[x, y]: [f64; 2]| Point::new(x.round() as i16, y.round() as i16);
    let mut points: Vec<Point> = line.first().map(|&first| point(first)).into_iter().collect();
    for pair in line.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let parts = ((to[0] - from[0]).hypot(to[1] - from[1]) / SPACING).ceil().max(1.0);
        points.extend((1..=parts as u32).map(|part| {
            let share = f64::from(part) / parts;
            point([from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share])
        }));
    }
    points
}

/// Lines of points as a glyph of 64 × 64 pixels, by the device's own code.
pub fn to_glyph(lines: &[Vec<Point>], style: Style) -> Glyph {
    let mut pixels = vec![0; SIDE * SIDE];
    // Never `None`: the pixels are as many as the sides say.
    if let Some(mut canvas) = Canvas::new(SIDE, SIDE, &mut pixels) {
        draw(lines.iter().map(Vec::as_slice), style, &mut canvas);
    }
    Glyph { width: SIDE as u16, height: SIDE as u16, pixels }
}
