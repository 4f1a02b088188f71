//! From boot to serving: check the package, run its golden vectors, answer the host.

use fude_boards::display::Display;
use fude_boards::{Board, Counter, Peripherals};
use fude_runtime::ink;
use fude_runtime::package::{Package, PackageError};
use fude_runtime::recognizer::{Recognizer, RecognizerError};

use crate::answer::{self, Answer};
use crate::link::frame;
use crate::link::message::{
    ANSWER_OVERHEAD_BYTES, Candidate, Hello, Image, MAX_OUTPUT_BYTES, MAX_PIXELS, REQUEST_OVERHEAD_BYTES, Recognition,
    Refusal, ScreenPart,
};
use crate::link::server::{Handler, ServeError, serve};
use crate::log::{error, info};

/// The receive buffer of a board that takes images of at most `max_pixels` pixels.
pub const fn receive_bytes(max_pixels: usize) -> usize {
    assert!(max_pixels <= MAX_PIXELS, "the link carries no larger images");
    frame::decoded_len(max_pixels + REQUEST_OVERHEAD_BYTES)
}

/// The send buffer of a board whose answers hold at most `max_output_bytes` of logits or pixels.
pub const fn send_bytes(max_output_bytes: usize) -> usize {
    assert!(max_output_bytes <= MAX_OUTPUT_BYTES, "the link carries no longer answers");
    frame::encoded_len(max_output_bytes + ANSWER_OVERHEAD_BYTES)
}

/// The pixel buffer of a board with or without a display: `bytes`, of which an answer of `max_output_bytes` holds all.
pub const fn pixel_buffer_bytes(bytes: usize, max_output_bytes: usize, has_display: bool) -> usize {
    assert!((bytes > 0) == has_display, "a board has a pixel buffer where it has a display");
    assert!(bytes <= max_output_bytes, "an answer holds no longer part of the display's picture");
    bytes
}

/// The memory that the application works in.
///
/// `ARENA` bytes are for tensors, [`receive_bytes`] and [`send_bytes`] for the link, [`pixel_buffer_bytes`] for the
/// display.
#[repr(C, align(16))]
pub struct Memory<const ARENA: usize, const RECEIVE: usize, const SEND: usize, const PIXELS: usize> {
    arena: [u8; ARENA],
    receive: [u8; RECEIVE],
    send: [u8; SEND],
    pixels: [u8; PIXELS],
}

impl<const ARENA: usize, const RECEIVE: usize, const SEND: usize, const PIXELS: usize>
    Memory<ARENA, RECEIVE, SEND, PIXELS>
{
    /// All zeros, so that a `static` of it takes no flash.
    pub const ZERO: Self = Self { arena: [0; ARENA], receive: [0; RECEIVE], send: [0; SEND], pixels: [0; PIXELS] };
}

/// The [`Memory`] type of a board. A macro, for the lengths of arrays cannot be computed from a type parameter.
#[macro_export]
macro_rules! memory_of {
    ($board:ty) => {
        $crate::app::Memory<
            { <$board as fude_boards::Board>::ARENA_BYTES },
            { $crate::app::receive_bytes(<$board as fude_boards::Board>::MAX_PIXELS) },
            { $crate::app::send_bytes(<$board as fude_boards::Board>::MAX_OUTPUT_BYTES) },
            {
                $crate::app::pixel_buffer_bytes(
                    <$board as fude_boards::Board>::PIXEL_BUFFER_BYTES,
                    <$board as fude_boards::Board>::MAX_OUTPUT_BYTES,
                    <<$board as fude_boards::Board>::Display as fude_boards::display::Display>::EXISTS,
                )
            },
        >
    };
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
    /// The model has more layers or tensors than this firmware has room for.
    pub const CAPACITY: u8 = 6;
}

/// Runs the application on the board `B`; returns the exit code.
///
/// Every way out is logged. There is no serving without a package that passed its own golden vectors.
pub fn run<B: Board, const ARENA: usize, const RECEIVE: usize, const SEND: usize, const PIXELS: usize>(
    peripherals: Peripherals<B::Serial, B::Counter, B::Display>,
    memory: &mut Memory<ARENA, RECEIVE, SEND, PIXELS>,
) -> u8 {
    let Peripherals { mut serial, counter, display, model_partition } = peripherals;
    info!("{} firmware {}", B::NAME, env!("CARGO_PKG_VERSION"));

    // Where it is opened it stays: its kilobytes would be on the stack twice.
    let opened = Package::new_checked(model_partition);
    let package = match &opened {
        Ok(package) => package,
        Err(PackageError::Capacity) => {
            error!("more layers or tensors than this board's runtime has room for; choose a smaller model");
            return exit::CAPACITY;
        }
        Err(reason) => {
            error!("the model partition holds no package to run: {}", reason);
            return exit::PACKAGE;
        }
    };
    info!(
        "model {}: {} classes, {} bytes, arena {} of {} bytes",
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
    let max_pixels = B::MAX_PIXELS as u32;
    let pixels = memory.pixels.as_mut_slice();
    let stack_used = B::stack_used;
    let mut application = Application { board: B::NAME, max_pixels, recognizer, counter, display, pixels, stack_used };
    match application.self_test() {
        Ok(vectors) => info!("self-test: {} golden vectors as on the host", vectors),
        Err(refusal) => {
            error!("self-test: {}", refusal);
            return exit::SELF_TEST;
        }
    }
    match serve(&mut serial, &mut application, &mut memory.receive, &mut memory.send) {
        Ok(code) => {
            info!("shut down by the host with code {}", code);
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
    max_pixels: u32,
    recognizer: Recognizer<'a>,
    counter: C,
    display: Option<&'static mut D>,
    /// Where the input glyph is made again for the display (the recogniser's own is overwritten by later layers), and
    /// where a part of the display's picture is put for the host.
    pixels: &'a mut [u8],
    stack_used: fn() -> Option<u32>,
}

impl<C: Counter, D: Display> Handler for Application<'_, C, D> {
    fn hello(&self) -> Hello<'_> {
        let package = self.recognizer.package();
        Hello {
            board: self.board,
            firmware: env!("CARGO_PKG_VERSION"),
            tick: C::TICK,
            model: &package.manifest().name,
            model_id: package.model_id(),
            classes: package.classes() as u16,
            max_pixels: self.max_pixels,
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
            answer::show(&answer, &self.recognizer, &image_view, self.pixels, *display)
                .map_err(|_| Refusal::DisplayFailed)?;
        }
        let Answer { best, layers, cost } = answer;
        let top = best.into_iter().map(|answer| Candidate { class: answer.class, score: answer.score });
        Ok(Recognition {
            top: top.collect(),
            output: self.recognizer.logits(),
            layers,
            ticks: cost.ticks,
            stack_bytes: (self.stack_used)(),
        })
    }

    fn screen(&mut self, first: u32) -> Result<ScreenPart<'_>, Refusal> {
        let display = self.display.as_ref().ok_or(Refusal::NoDisplay)?;
        let size = display.bounding_box().size;
        if first >= size.width * size.height {
            return Err(Refusal::BeyondDisplay);
        }
        let part = display.read_luma(first as usize, self.pixels).ok_or(Refusal::NoDisplay)?;
        Ok(ScreenPart { width: size.width as u16, height: size.height as u16, pixels: &self.pixels[..part] })
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

    const PIXELS: usize = 64 * 64;

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
        let recognizer = Recognizer::new(&package, &mut arena).unwrap();
        let pixels = &mut [0; PIXELS];
        check(Application {
            board: "mock",
            max_pixels: 64,
            recognizer,
            counter: Stopped,
            display,
            pixels,
            stack_used: || None,
        });
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
    fn there_is_a_pixel_buffer_where_there_is_a_display() {
        assert_eq!(pixel_buffer_bytes(4096, 4096, true), 4096);
        assert_eq!(pixel_buffer_bytes(0, 256, false), 0);
        for (bytes, has_display) in [(0, true), (1, false), (4097, true)] {
            let checked = std::panic::catch_unwind(|| pixel_buffer_bytes(bytes, 4096, has_display));
            assert!(checked.is_err(), "{bytes} bytes");
        }
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
    fn the_screen_comes_in_parts_as_long_as_the_buffer() {
        with_application(Some(Box::leak(Box::new(Memory20K::new()))), |mut application| {
            let mut part = |first| {
                let part = application.screen(first).unwrap();
                (part.width, part.height, part.pixels.len())
            };
            assert_eq!(part(0), (160, 128, PIXELS));
            assert_eq!(part(160 * 128 - 1), (160, 128, 1));
            assert_eq!(application.screen(160 * 128), Err(Refusal::BeyondDisplay));
            assert_eq!(application.screen(u32::MAX), Err(Refusal::BeyondDisplay));
        });
    }
}
