//! From boot to serving: check the package, run its golden vectors, answer the host.

use embedded_io::{Read, Write};
use fude_boards::display::Display;
use fude_boards::{Counter, Peripherals};
use fude_runtime::ink;
use fude_runtime::package::{FORMAT_MAJOR, Package};
use fude_runtime::recognizer::{Recognizer, RecognizerError};

use crate::answer::{self, Answer, GLYPH_BYTES};
use crate::link::frame;
use crate::link::message::{
    Candidate, Hello, Image, MAX_OUTPUT_BYTES, MAX_PIXELS, OVERHEAD_BYTES, Recognition, Refusal, ScreenPart,
};
use crate::link::server::{Handler, ServeError, serve};
use crate::log::{error, info};

const RECEIVE_BYTES: usize = frame::decoded_len(MAX_PIXELS + OVERHEAD_BYTES);
const SEND_BYTES: usize = frame::encoded_len(MAX_OUTPUT_BYTES + OVERHEAD_BYTES);

/// The memory that the application works in, `ARENA` bytes of it for tensors.
#[repr(C, align(16))]
pub struct Memory<const ARENA: usize> {
    arena: [u8; ARENA],
    receive: [u8; RECEIVE_BYTES],
    send: [u8; SEND_BYTES],
    glyph: [u8; GLYPH_BYTES],
}

impl<const ARENA: usize> Memory<ARENA> {
    /// All zeros, so that a `static` of it takes no flash.
    pub const ZERO: Self =
        Self { arena: [0; ARENA], receive: [0; RECEIVE_BYTES], send: [0; SEND_BYTES], glyph: [0; GLYPH_BYTES] };
}

/// Exit codes of the application itself; a host's [`Request::Shutdown`](crate::link::Request) names others.
pub mod exit {
    /// The model partition holds no package that this firmware can run.
    pub const PACKAGE: u8 = 2;
    /// The package needs a larger arena.
    pub const ARENA: u8 = 3;
    /// A golden vector came out different: the board does not compute what the trainer did.
    pub const SELF_TEST: u8 = 4;
    /// The line to the host failed, or the host left without a shutdown.
    pub const LINE: u8 = 5;
}

/// Runs the application on the board called `board`; returns the exit code.
///
/// Every way out is logged. There is no serving without a package that passed its own golden vectors.
pub fn run<S: Read + Write, C: Counter, D: Display, const ARENA: usize>(
    board: &str,
    peripherals: Peripherals<S, C, D>,
    memory: &mut Memory<ARENA>,
) -> u8 {
    let Peripherals { mut serial, counter, display, model_partition } = peripherals;
    info!("{=str} firmware {=str}", board, env!("CARGO_PKG_VERSION"));

    let package = match Package::new_checked(model_partition) {
        Ok(package) => package,
        Err(reason) => {
            error!("the model partition holds no package to run: {}", reason);
            return exit::PACKAGE;
        }
    };
    info!(
        "model {=str}: {=usize} classes, {=usize} bytes, arena {=usize} of {=usize} bytes",
        package.manifest().name.as_str(),
        package.classes(),
        package.package_bytes(),
        package.arena_bytes(),
        ARENA
    );
    let recognizer = match Recognizer::new(package, &mut memory.arena) {
        Ok(recognizer) => recognizer,
        Err(reason) => {
            error!("the package does not fit this board: {}", reason);
            return exit::ARENA;
        }
    };
    let mut application = Application { board, recognizer, counter, display, glyph: &mut memory.glyph };
    match application.self_test() {
        Ok(vectors) => info!("self-test: {=u16} golden vectors as on the host", vectors),
        Err(refusal) => {
            error!("self-test: {}", refusal);
            return exit::SELF_TEST;
        }
    }
    match serve(&mut serial, &mut application, &mut memory.receive, &mut memory.send) {
        Ok(code) => {
            info!("shut down by the host with code {=u8}", code);
            code
        }
        Err(ServeError::Closed) => {
            error!("the host left without a shutdown");
            exit::LINE
        }
        Err(ServeError::Line(_)) => {
            error!("the line to the host failed");
            exit::LINE
        }
    }
}

/// Answers the host's requests with the recogniser.
struct Application<'a, C, D: 'static> {
    board: &'a str,
    recognizer: Recognizer<'a>,
    counter: C,
    display: Option<&'static mut D>,
    /// Where the input glyph is made again for the display: the recogniser's own is overwritten by later layers.
    glyph: &'a mut [u8; GLYPH_BYTES],
}

impl<C: Counter, D: Display> Handler for Application<'_, C, D> {
    fn hello(&self) -> Hello<'_> {
        let package = self.recognizer.package();
        Hello {
            board: self.board,
            firmware: env!("CARGO_PKG_VERSION"),
            format_version: FORMAT_MAJOR,
            model: &package.manifest().name,
            model_id: package.model_id(),
            classes: package.classes() as u16,
            max_pixels: MAX_PIXELS as u32,
        }
    }

    fn recognize(&mut self, image: &Image<'_>, shown: bool) -> Result<Recognition<'_>, Refusal> {
        if shown && self.display.is_none() {
            return Err(Refusal::NoDisplay);
        }
        let image_view = ink::Image::new(image.width.into(), image.height.into(), image.pixels);
        let image_view = image_view.ok_or(Refusal::BadImage)?;
        let answer = answer::recognize(&mut self.recognizer, &mut self.counter, &image_view, image.top_k.into());
        let answer = answer.map_err(refuse)?;
        if shown {
            let display = self.display.as_mut().ok_or(Refusal::NoDisplay)?;
            answer::show(&answer, &self.recognizer, &image_view, self.glyph, *display)
                .map_err(|_| Refusal::DisplayFailed)?;
        }
        let Answer { best, layers, cost } = answer;
        let top = best.into_iter().map(|answer| Candidate { class: answer.class, score: answer.score });
        Ok(Recognition { top: top.collect(), output: self.recognizer.logits(), layers, ticks: cost.ticks })
    }

    fn screen(&self, first: u32) -> Result<ScreenPart<'_>, Refusal> {
        let display = self.display.as_ref().ok_or(Refusal::NoDisplay)?;
        let pixels = display.luma().and_then(|luma| luma.get(first as usize..)).ok_or(Refusal::NoDisplay)?;
        let size = display.bounding_box().size;
        let pixels = &pixels[..pixels.len().min(MAX_OUTPUT_BYTES)];
        Ok(ScreenPart { width: size.width as u16, height: size.height as u16, pixels })
    }

    fn self_test(&mut self) -> Result<u16, Refusal> {
        self.recognizer.self_test().map(|vectors| vectors as u16).map_err(refuse)
    }
}

fn refuse(error: RecognizerError) -> Refusal {
    match error {
        RecognizerError::SelfTest { vector } => Refusal::SelfTestFailed { vector },
        _ => Refusal::Recognizer,
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;

    use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
    use embedded_graphics::pixelcolor::Gray8;
    use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU8};
    use fude_boards::Tick;
    use fude_boards::display::NoDisplay;
    use fude_runtime::package::AlignedBytes;

    use super::*;

    const PACKAGE: &[u8] = include_bytes!("../../edge-runtime/tests/packages/format-1.0.fude");
    const IMAGE: Image<'_> = Image {
        width: 5,
        height: 4,
        pixels: &[0, 200, 255, 90, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0],
        top_k: 2,
    };

    type Memory20K = Framebuffer<Gray8, RawU8, LittleEndian, 160, 128, { buffer_size::<Gray8>(160, 128) }>;

    /// Counts nothing.
    struct Stopped;

    impl Counter for Stopped {
        const TICK: Tick = Tick::Nanoseconds(1);

        fn restart(&mut self) {}

        fn ticks(&self) -> u64 {
            0
        }
    }

    /// Hands `check` an application with `display`.
    fn with_application<D: Display>(display: Option<&'static mut D>, check: impl FnOnce(Application<'_, Stopped, D>)) {
        let bytes = AlignedBytes::copy_of(PACKAGE);
        let package = Package::new_checked(bytes.as_slice()).unwrap();
        let mut arena = std::vec![0; package.arena_bytes()];
        let recognizer = Recognizer::new(package, &mut arena).unwrap();
        check(Application { board: "mock", recognizer, counter: Stopped, display, glyph: &mut [0; GLYPH_BYTES] });
    }

    #[test]
    fn without_a_display_only_showing_is_refused() {
        with_application(None::<&mut NoDisplay>, |mut application| {
            assert_eq!(application.recognize(&IMAGE, true), Err(Refusal::NoDisplay));
            assert_eq!(application.screen(0), Err(Refusal::NoDisplay));
            assert_eq!(application.recognize(&IMAGE, false).unwrap().top.len(), 2);
        });
    }

    #[test]
    fn a_shown_answer_is_the_same_answer() {
        with_application(Some(Box::leak(Box::new(Memory20K::new()))), |mut application| {
            let quiet = application.recognize(&IMAGE, false).unwrap();
            let (top, layers) = (quiet.top.clone(), quiet.layers.clone());
            assert!(application.screen(0).unwrap().pixels.iter().all(|&pixel| pixel == 0));
            let shown = application.recognize(&IMAGE, true).unwrap();
            assert_eq!((shown.top, shown.layers), (top, layers));
            assert!(application.screen(0).unwrap().pixels.iter().any(|&pixel| pixel > 0));
        });
    }

    #[test]
    fn the_screen_comes_in_parts_that_fit_an_answer() {
        with_application(Some(Box::leak(Box::new(Memory20K::new()))), |application| {
            let part = |first| {
                let part = application.screen(first).unwrap();
                (part.width, part.height, part.pixels.len())
            };
            assert_eq!(part(0), (160, 128, MAX_OUTPUT_BYTES));
            assert_eq!(part(MAX_OUTPUT_BYTES as u32), (160, 128, 160 * 128 - MAX_OUTPUT_BYTES));
            assert_eq!(application.screen(160 * 128 + 1), Err(Refusal::NoDisplay));
        });
    }
}
