//! A hand with its habits.

use fude_runtime::ink::strokes::{Point, SIDE, Style};
use rand::{Rng, RngExt};

use super::Handwriting;
use super::stroke::{Dot, bend, cut_end};
use crate::dataset::distort::normal;
use crate::dataset::strokes::{SPAN, to_glyph};
use crate::dataset::{Glyph, Strokes};

/// A hand with its habits; everything that it writes shares them.
#[derive(Debug, Clone)]
pub struct Writer {
    settings: Handwriting,
    /// What the hand does to a whole character.
    matrix: [[f32; 2]; 2],
    style: Style,
    /// By which share of the pen's width a stroke begins wider than its middle and ends narrower.
    taper: f32,
}

/// Least and greatest width of a line as a share of the pen's.
const WIDTHS: [f32; 2] = [0.35, 2.5];
/// Width of the line that joins two strokes, as a share of what they have at their ends.
const JOIN_WIDTH: f32 = 0.6;

impl Writer {
    /// A random writer of the strengths of `settings`.
    pub fn random(settings: &Handwriting, rng: &mut impl Rng) -> Self {
        let (slant, rise) = (normal(settings.slant, rng), normal(settings.rise, rng));
        let aspect = normal(settings.aspect, rng) / 2.0;
        let (wider, taller) = (aspect.exp(), (-aspect).exp());
        let size = normal(settings.size, rng).exp();
        let pen = normal(settings.pen_width, rng).exp();
        let standard = Style::STANDARD;
        // The sum of 54 pixels and a pen of 2.4 leaves room that a larger hand may use.
        let pen_width = f32::from(standard.pen_width) * pen;
        let room = SIDE as f32 - 1.0 - pen_width / 256.0;
        let longer_side = (f32::from(standard.longer_side) * size).min(room);
        Self {
            settings: settings.clone(),
            matrix: [[wider, -slant * taller], [-rise * wider, taller]],
            style: Style { longer_side: longer_side.round() as u16, pen_width: pen_width.round() as u16 },
            taper: normal(settings.pressure, rng) * 2.0 / 3.0,
        }
    }

    /// `strokes` as this writer puts them on paper, each time a little differently: a glyph of 64 × 64 pixels.
    pub fn write(&self, strokes: &Strokes, rng: &mut impl Rng) -> Glyph {
        let mut lines: Vec<Vec<Point>> = Vec::with_capacity(strokes.lines().len());
        let mut last_end: Option<[f32; 2]> = None;
        for stroke in strokes.lines() {
            let dots = self.stroke(stroke, rng);
            let wants_join = rng.random_range(0.0..1.0f32);
            let begin = dots.first().map(|dot| dot.at);
            let likely = last_end.zip(begin).map_or(0.0, |(end, begin)| self.joining(end, begin));
            last_end = dots.last().map(|dot| dot.at);
            let points = dots.into_iter().map(|dot| self.point(dot));
            match lines.last_mut().filter(|_| wants_join < likely) {
                Some(line) => join(line, points),
                None => lines.push(points.collect()),
            }
        }
        to_glyph(&lines, self.style)
    }

    /// One stroke before the writer's lean, with a pressure along it.
    fn stroke(&self, stroke: &[Point], rng: &mut impl Rng) -> Vec<Dot> {
        let settings = &self.settings;
        let mut dots: Vec<Dot> = stroke.iter().map(Dot::of).collect();
        bend(&mut dots, settings, rng);
        cut_end(&mut dots, rng.random_range(0.0..=1.0f32) * settings.shortening);
        let weight = normal(settings.pressure / 2.0, rng);
        let last = dots.len().saturating_sub(1).max(1) as f32;
        for (index, dot) in dots.iter_mut().enumerate() {
            let along = index as f32 / last;
            dot.width *= (1.0 + weight + self.taper * (1.0 - 2.0 * along)).clamp(WIDTHS[0], WIDTHS[1]);
        }
        dots
    }

    /// Probability that the pen stays down between two places.
    fn joining(&self, from: [f32; 2], to: [f32; 2]) -> f32 {
        let distance = (to[0] - from[0]).hypot(to[1] - from[1]);
        self.settings.joining * (1.0 - distance / (SPAN as f32 / 2.0)).max(0.0)
    }

    /// A dot with the writer's lean, as the rasteriser takes it.
    fn point(&self, dot: Dot) -> Point {
        let [x, y] = self.matrix.map(|row| row[0] * dot.at[0] + row[1] * dot.at[1]);
        // Conversions saturate: beyond three times the box there is nothing to tell apart.
        Point { x: x.round() as i16, y: y.round() as i16, width: (dot.width * f32::from(Point::PEN)).round() as u8 }
    }
}

/// Appends a stroke that the pen reached without leaving the paper, faster and therefore lighter.
fn join(line: &mut Vec<Point>, points: impl Iterator<Item = Point>) {
    let mut points = points.peekable();
    if let (Some(&from), Some(&to)) = (line.last(), points.peek()) {
        let light = |width: u8| (f32::from(width) * JOIN_WIDTH) as u8;
        let between = |share: i32, width: u8| {
            let at = |from: i16, to: i16| ((i32::from(from) * (4 - share) + i32::from(to) * share) / 4) as i16;
            Point { x: at(from.x, to.x), y: at(from.y, to.y), width: light(width) }
        };
        line.extend([between(1, from.width), between(3, to.width)]);
    }
    line.extend(points);
}
