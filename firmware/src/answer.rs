//! One picture recognised, measured and shown: the part of the application that is the same wherever it runs.
//!
//! [`app`](crate::app) calls it for pictures that come over the device link; whoever has a recogniser, a clock and a
//! `DrawTarget`, a window on the host for one, gets the same screen from it.

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::image::ImageRaw;
use embedded_graphics::pixelcolor::Gray8;
use fude_boards::Counter;
use fude_runtime::ink;
use fude_runtime::kernels::Answers;
use fude_runtime::package::CRC32;
use fude_runtime::profile::LayerObserver;
use fude_runtime::recognizer::{Recognizer, RecognizerError};

use crate::link::message::Layers;
use crate::screen::{Cost, Row, Screen};

/// The largest input glyph that is shown; that of a model with a larger one is left out of the picture.
pub const GLYPH_BYTES: usize = 64 * 64;

/// What a recognition came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The best classes, best first.
    pub best: Answers,
    /// What each layer did.
    pub layers: Layers,
    /// What it all cost, normalising included.
    pub cost: Cost,
}

/// Recognises `image` and measures it with `counter`; `top_k` classes are returned.
///
/// # Errors
/// As [`Recognizer::recognize`].
pub fn recognize<C: Counter>(
    recognizer: &mut Recognizer<'_>,
    counter: &mut C,
    image: &ink::Image<'_>,
    top_k: usize,
) -> Result<Answer, RecognizerError> {
    let mut meter = Meter::new(counter);
    let best = recognizer.recognize_observed(image, top_k, &mut meter)?;
    let (layers, ticks) = meter.finish();
    Ok(Answer { best, layers, cost: Cost { ticks, tick: C::TICK } })
}

/// Draws `answer`, the one that `recognizer` has just given of `image`.
///
/// The model's input glyph is made again in `glyph`, for the recogniser's own is overwritten by later layers; it is
/// left out where it has more than `glyph.len()` pixels, [`GLYPH_BYTES`] at best.
///
/// # Errors
/// The target's own.
pub fn show<D: DrawTarget<Color: From<Gray8>>>(
    answer: &Answer,
    recognizer: &Recognizer<'_>,
    image: &ink::Image<'_>,
    glyph: &mut [u8],
    target: &mut D,
) -> Result<(), D::Error> {
    let (package, input) = (recognizer.package(), recognizer.package().input());
    let size = (usize::from(input.width), usize::from(input.height));
    let glyph = glyph.get_mut(..size.0 * size.1).map(|glyph| {
        ink::normalize(image, package.manifest().preprocessing, size, glyph);
        ImageRaw::<Gray8>::new(glyph, size.0 as u32)
    });

    // Softmax over all classes, as `fude recognize` has it. The best score comes off first: no exponent overflows.
    let best = answer.best.first().map_or(0, |answer| answer.score);
    let odds = |score: i16| libm::expf((f32::from(score) - f32::from(best)) * package.output().scale);
    let total: f32 = recognizer.scores().map(odds).sum();
    let rows = answer.best.iter().map(|answer| Row {
        class: answer.class,
        label: package.label(answer.class.into()),
        bitmap: package.label_bitmap(answer.class.into()),
        percent: libm::roundf(100.0 * odds(answer.score) / total) as u8,
    });
    let screen = Screen {
        title: &package.manifest().name,
        glyph,
        rows: rows.collect(),
        cost: answer.cost,
        arena_bytes: package.arena_bytes(),
    };
    screen.draw(target)
}

/// Measures a recognition layer by layer. Its own work, hashing above all, counts nowhere.
struct Meter<'c, C> {
    counter: &'c C,
    layers: Layers,
    layer_start: u64,
    own_ticks: u64,
}

impl<'c, C: Counter> Meter<'c, C> {
    fn new(counter: &'c mut C) -> Self {
        counter.restart();
        Self { counter, layers: Layers::default(), layer_start: 0, own_ticks: 0 }
    }

    /// What each layer did, and the ticks of it all.
    fn finish(self) -> (Layers, u64) {
        let ticks = self.counter.ticks() - self.own_ticks;
        (self.layers, ticks)
    }
}

impl<C: Counter> LayerObserver for Meter<'_, C> {
    fn before(&mut self, _index: usize) {
        self.layer_start = self.counter.ticks();
    }

    fn after(&mut self, _index: usize, output: &[u8]) {
        let end = self.counter.ticks();
        // A layer beyond the capacity cannot be: the package reader admits no more than `MAX_LAYERS`.
        let _ = self.layers.ticks.push((end - self.layer_start) as u32);
        let _ = self.layers.hashes.push(CRC32.checksum(output));
        self.own_ticks += self.counter.ticks() - end;
    }
}
