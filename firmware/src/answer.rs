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
use fude_runtime::limits::MAX_LAYERS;
use fude_runtime::profile::{LayerHashes, LayerObserver};
use fude_runtime::recognizer::{Recognizer, RecognizerError};
use heapless::Vec;

use crate::link::message::Layers;
use crate::screen::{Cost, MAX_ANSWERS, Screen, ShownAnswer};

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
    let tick = counter.is_of_the_board().then_some(C::TICK);
    let mut meter = Meter::new(counter);
    let best = recognizer.recognize_observed(image, top_k, &mut meter)?;
    let (layers, ticks) = meter.finish();
    Ok(Answer { best, layers, cost: Cost { ticks, tick } })
}

/// Draws `answer`, the one that `recognizer` has just given of `image`.
///
/// The model's input glyph is made again in `glyph`, for the recogniser's own is overwritten by later layers; it is
/// left out where it has more than `glyph.len()` pixels.
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
    let answers = answer.best.iter().take(MAX_ANSWERS).map(|answer| ShownAnswer {
        class: answer.class,
        label: package.label(answer.class.into()),
        bitmap: package.label_bitmap(answer.class.into()),
        percent: libm::roundf(100.0 * odds(answer.score) / total) as u8,
    });
    let screen = Screen {
        title: &package.manifest().name,
        glyph,
        answers: answers.collect(),
        cost: answer.cost,
        arena_bytes: package.arena_bytes(),
    };
    screen.draw(target)
}

/// Measures a recognition layer by layer. Its own work, hashing above all, counts nowhere.
struct Meter<'c, C> {
    counter: &'c C,
    hashes: LayerHashes,
    ticks: Vec<u32, MAX_LAYERS>,
    layer_start: u64,
    own_ticks: u64,
}

impl<'c, C: Counter> Meter<'c, C> {
    fn new(counter: &'c mut C) -> Self {
        counter.restart();
        Self { counter, hashes: LayerHashes::default(), ticks: Vec::new(), layer_start: 0, own_ticks: 0 }
    }

    /// What each layer did, and the ticks of it all.
    fn finish(self) -> (Layers, u64) {
        let ticks = self.counter.ticks().saturating_sub(self.own_ticks);
        (Layers { hashes: self.hashes.0, ticks: self.ticks }, ticks)
    }
}

impl<C: Counter> LayerObserver for Meter<'_, C> {
    fn before(&mut self, _index: usize) {
        self.layer_start = self.counter.ticks();
    }

    fn after(&mut self, index: usize, output: &[u8]) {
        let end = self.counter.ticks();
        let band = u32::try_from(end.saturating_sub(self.layer_start)).unwrap_or(u32::MAX);
        if self.ticks.len() <= index {
            // A layer beyond the capacity cannot be: the package reader admits no more.
            let _ = self.ticks.resize(index + 1, 0);
        }
        if let Some(ticks) = self.ticks.get_mut(index) {
            *ticks = ticks.saturating_add(band);
        }
        self.hashes.after(index, output);
        self.own_ticks += self.counter.ticks().saturating_sub(end);
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use fude_boards::Tick;
    use fude_runtime::package::{AlignedBytes, Package};

    use super::*;

    /// Goes on by so many ticks whenever somebody looks.
    struct Striding {
        stride: u64,
        ticks: Cell<u64>,
        is_of_the_board: bool,
    }

    impl Counter for Striding {
        const TICK: Tick = Tick::Nanoseconds(1);

        fn is_of_the_board(&self) -> bool {
            self.is_of_the_board
        }

        fn restart(&mut self) {
            self.ticks.set(0);
        }

        fn ticks(&self) -> u64 {
            self.ticks.set(self.ticks.get().wrapping_add(self.stride));
            self.ticks.get()
        }
    }

    fn recognize_with(stride: u64, is_of_the_board: bool) -> Answer {
        let bytes = AlignedBytes::copy_of(include_bytes!("../../edge-runtime/tests/packages/format-1.0.fude"));
        let package = Package::new_checked(bytes.as_slice()).unwrap();
        let mut arena = std::vec![0; package.arena_bytes()];
        let mut recognizer = Recognizer::new(&package, &mut arena).unwrap();
        let mut counter = Striding { stride, ticks: Cell::new(9), is_of_the_board };
        recognize(&mut recognizer, &mut counter, &ink::Image::new(1, 1, &[255]).unwrap(), 1).unwrap()
    }

    #[test]
    fn a_layer_is_measured_between_two_looks() {
        let Answer { layers, cost, .. } = recognize_with(3, true);
        assert!(!layers.ticks.is_empty() && layers.ticks.iter().all(|&ticks| ticks == 3), "{:?}", layers.ticks);
        // Three looks a layer, of which the last is after hashing, and one at the end.
        assert_eq!(cost.ticks, 3 * (2 * layers.ticks.len() as u64 + 1));
    }

    #[test]
    fn long_layers_and_counters_that_wrap_do_not_overflow() {
        let layers = recognize_with(1 << 33, true).layers;
        assert!(layers.ticks.iter().all(|&ticks| ticks == u32::MAX), "{:?}", layers.ticks);
        recognize_with(u64::MAX / 2, true);
    }

    #[test]
    fn ticks_of_an_emulator_are_counted_but_of_no_unit() {
        assert_eq!(recognize_with(3, true).cost.tick, Some(Tick::Nanoseconds(1)));
        let cost = recognize_with(3, false).cost;
        assert!(cost.tick.is_none() && cost.ticks > 0);
    }
}
