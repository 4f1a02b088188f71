//! A board's application on the host: the same recogniser, the same screen, a mouse for a pen.
//!
//! ```text
//!  stroke file ─► stroke_file ─┐                      fude-firmware
//!  mouse ──► window ──► pad ───┴► written ─► Glyph ─► answer::recognize ─► answer::show ─► Panel
//!                                 fude-runtime's pen                                       window or PNG
//! ```
//!
//! What is shown costs time on this machine, so two runs differ in that; [`Simulator`] takes any [`Counter`], and a
//! test takes one that stands still.

mod pad;
mod panel;
mod stroke_file;
#[cfg(feature = "window")]
pub mod window;

use std::time::Instant;

use fude_boards::{Counter, Tick};
use fude_firmware::answer::{self, Answer};
use fude_firmware::screen::MAX_ANSWERS;
use fude_runtime::ink::canvas::Canvas;
use fude_runtime::ink::strokes::{self, SIDE, Style};
use fude_runtime::recognizer::Recognizer;

use crate::dataset::Glyph;
use crate::evaluate::image_of;
use crate::package::PackingError;

pub use pad::Pad;
pub use panel::{Panel, PanelSize};
pub use stroke_file::{StrokeFileError, Strokes, is_stroke_file, read_strokes};

/// A package that runs on the host and shows its answers on a display.
pub struct Simulator<'a, C> {
    recognizer: Recognizer<'a>,
    counter: C,
    panel: Panel,
    /// Where [`answer::show`] makes the model's input again.
    input: Vec<u8>,
}

impl<'a, C: Counter> Simulator<'a, C> {
    /// A simulator whose display is still black.
    pub fn new(recognizer: Recognizer<'a>, counter: C, panel: Panel) -> Self {
        let input = vec![0; recognizer.package().input().elements()];
        Self { recognizer, counter, panel, input }
    }

    /// Recognises a picture, as a board would, and shows the answer.
    ///
    /// # Errors
    /// Where the picture is larger than the recogniser takes, or the recogniser fails.
    pub fn answer(&mut self, glyph: &Glyph) -> Result<Answer, PackingError> {
        let image = image_of(glyph)?;
        let answer = answer::recognize(&mut self.recognizer, &mut self.counter, &image, MAX_ANSWERS)?;
        let shown = answer::show(&answer, &self.recognizer, &image, &mut self.input, &mut self.panel);
        shown.unwrap_or_else(|never| match never {});
        Ok(answer)
    }

    /// Shows what is being written.
    pub fn show_pad(&mut self, pad: &Pad) {
        pad.draw(&mut self.panel).unwrap_or_else(|never| match never {});
    }

    /// The recogniser, with the scores of the last answer.
    pub fn recognizer(&self) -> &Recognizer<'a> {
        &self.recognizer
    }

    /// What is shown.
    pub fn panel(&self) -> &Panel {
        &self.panel
    }
}

/// Strokes as the standard glyph, a picture for any recogniser.
pub fn written(strokes: &Strokes) -> Glyph {
    let mut glyph = Glyph { width: SIDE as u16, height: SIDE as u16, pixels: vec![0; SIDE * SIDE] };
    if let Some(mut canvas) = Canvas::new(SIDE, SIDE, &mut glyph.pixels) {
        strokes::draw(strokes.iter().map(Vec::as_slice), Style::STANDARD, &mut canvas);
    }
    glyph
}

/// The time of this machine.
#[derive(Debug)]
pub struct HostClock(Instant);

impl HostClock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Counter for HostClock {
    const TICK: Tick = Tick::Nanoseconds(1);

    fn restart(&mut self) {
        self.0 = Instant::now();
    }

    fn ticks(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}
