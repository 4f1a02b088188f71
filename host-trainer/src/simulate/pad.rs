//! The paper under the pen: gathers strokes and knows when a character is finished.

use std::time::{Duration, Instant};

use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::DrawTarget;
use embedded_graphics::primitives::Rectangle;
use fude_runtime::ink::canvas::{Canvas, Dot};
use fude_runtime::ink::strokes::{Point, Style};

use super::Strokes;

/// How long the pen is in the air before a character counts as finished.
const PAUSE: Duration = Duration::from_millis(700);
/// The paper's grey; ink takes from it.
const PAPER: u8 = 0xf0;

/// What has been written of the current character, in pixels of the display.
#[derive(Debug, Default)]
pub struct Pad {
    strokes: Strokes,
    is_down: bool,
    lifted: Option<Instant>,
}

impl Pad {
    /// The pen touches the paper.
    pub fn down(&mut self, x: i16, y: i16) {
        self.strokes.push(vec![Point::new(x, y)]);
        self.is_down = true;
    }

    /// The pen has come to another place, in the air or on the paper; true where that left ink.
    pub fn moved(&mut self, x: i16, y: i16) -> bool {
        let point = Point::new(x, y);
        match self.strokes.last_mut() {
            Some(stroke) if self.is_down && stroke.last() != Some(&point) => {
                stroke.push(point);
                true
            }
            _ => false,
        }
    }

    /// The pen leaves the paper.
    pub fn lifted(&mut self, now: Instant) {
        self.is_down = false;
        self.lifted = Some(now);
    }

    /// The paper is blank again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether something is written and the pen has been in the air long enough.
    pub fn is_finished(&self, now: Instant) -> bool {
        let is_resting = self.lifted.is_some_and(|lifted| now.duration_since(lifted) >= PAUSE);
        !self.strokes.is_empty() && !self.is_down && is_resting
    }

    /// The character that is written, if there is one; the paper is blank again.
    pub fn take(&mut self) -> Option<Strokes> {
        let strokes = std::mem::take(self).strokes;
        (!strokes.is_empty()).then_some(strokes)
    }

    /// Shows paper and ink on the whole display, drawn by the pen that the recogniser's picture is drawn with.
    ///
    /// # Errors
    /// The target's own.
    pub fn draw<D: DrawTarget<Color = Gray8>>(&self, target: &mut D) -> Result<(), D::Error> {
        let area = target.bounding_box();
        let (width, height) = (area.size.width as usize, area.size.height as usize);
        let pen_width = Style::of_side(width.min(height) as u16).pen_width;
        let mut ink = vec![0; width * height];
        if let Some(mut canvas) = Canvas::new(width, height, &mut ink) {
            let middle = |pixel: i16| (i32::from(pixel) << 8) + 128;
            for stroke in &self.strokes {
                let dots = stroke.iter().map(|point| Dot { x: middle(point.x), y: middle(point.y), width: pen_width });
                canvas.stroke(dots);
            }
        }
        let shades = ink.into_iter().map(|ink| Gray8::new(PAPER.saturating_sub(ink)));
        target.fill_contiguous(&Rectangle::new(area.top_left, area.size), shades)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{Panel, PanelSize};

    #[test]
    fn strokes_are_gathered_until_the_pen_rests() {
        let start = Instant::now();
        let mut pad = Pad::default();
        assert!(!pad.moved(1, 1) && pad.take().is_none() && !pad.is_finished(start + 2 * PAUSE));
        pad.down(3, 4);
        assert!(pad.moved(5, 6) && !pad.moved(5, 6));
        assert!(!pad.is_finished(start + 2 * PAUSE), "the pen is on the paper");
        pad.lifted(start);
        assert!(!pad.moved(90, 90));
        assert!(!pad.is_finished(start + PAUSE / 2) && pad.is_finished(start + PAUSE));
        pad.down(7, 8);
        assert!(!pad.is_finished(start + 2 * PAUSE), "another stroke has begun");
        pad.lifted(start + PAUSE);
        assert!(!pad.is_finished(start + PAUSE + PAUSE / 2) && pad.is_finished(start + 2 * PAUSE));
        let expected = vec![vec![Point::new(3, 4), Point::new(5, 6)], vec![Point::new(7, 8)]];
        assert_eq!(pad.take(), Some(expected));
        assert!(pad.take().is_none() && !pad.is_finished(start + 9 * PAUSE));
        pad.down(1, 1);
        pad.clear();
        assert!(pad.take().is_none() && !pad.moved(2, 2));
    }

    #[test]
    fn ink_is_where_the_pen_was() {
        let mut pad = Pad::default();
        pad.down(20, 30);
        pad.moved(100, 30);
        let mut panel = Panel::new(PanelSize { width: 128, height: 64 }, false);
        pad.draw(&mut panel).unwrap();
        let at = |x: usize, y: usize| panel.luma()[y * 128 + x];
        assert_eq!([at(20, 30), at(60, 30), at(100, 30)], [0; 3]);
        assert_eq!([at(10, 30), at(60, 20), at(60, 40), at(110, 30)], [PAPER; 4]);
    }
}
