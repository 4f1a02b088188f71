//! The device link: what a host may send to a board, and what a board may answer.
//!
//! An input is a bit that says whose end is tried, then pieces: a kind, a length of two bytes, content. Pieces become
//! what arrives on the line, most of them as sound frames: noise alone would never get past a CRC-32.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::sync::LazyLock;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::DrawTarget;
use embedded_graphics::primitives::Rectangle;
use embedded_io::ErrorType;
use fude_boards::display::Display;
use fude_boards::{Board, Counter, Peripherals, Tick};
use fude_firmware::app::{self, Memory, exit};
use fude_firmware::link::frame::{FrameDecoder, LINK_VERSION};
use fude_firmware::link::message::{Image, MAX_OUTPUT_BYTES, MAX_PIXELS, Request, Response};
use fude_firmware::memory_of;
use fude_runtime::package::{AlignedBytes, CRC32};

use crate::device_link::{Link, LinkError};
use crate::tally::Tally;

static TALLY: Tally = Tally::new("link");

/// Most requests that the host's end makes of one input.
const MAX_REQUESTS: usize = 32;

/// Talks to a board's application, or answers a host, as `input` says.
///
/// # Panics
/// Where one of them has a defect.
pub fn run(input: &[u8]) {
    let Some((&selector, rest)) = input.split_first() else { return };
    let line = Line::of(rest);
    let is_accepted = if selector & 1 == 0 { serve(line) } else { ask(line, selector >> 1) };
    TALLY.count(is_accepted);
}

/// Bytes on the way to the end that is tried, and those that it sent.
struct Line {
    arriving: VecDeque<u8>,
    /// Lengths of the pieces: a board's answer arrives alone, as nothing is sent unasked.
    pieces: VecDeque<usize>,
    sent: Vec<u8>,
}

impl Line {
    fn of(mut input: &[u8]) -> Self {
        let mut line = Self { arriving: VecDeque::new(), pieces: VecDeque::new(), sent: Vec::new() };
        while let [kind, low, high, rest @ ..] = input {
            let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
            let (content, rest) = rest.split_at(length);
            let message = |message: &[u8]| frame(&[&[LINK_VERSION], message].concat());
            let piece = match kind % 5 {
                0 => content.to_vec(),
                1 => message(content),
                2 => frame(content),
                3 => message(&image_request(content)),
                _ => message(&screen_request(content)),
            };
            line.pieces.push_back(piece.len());
            line.arriving.extend(piece);
            input = rest;
        }
        line
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        while self.pieces.front() == Some(&0) {
            self.pieces.pop_front();
        }
        let Some(left) = self.pieces.front_mut() else { return 0 };
        let count = buffer.len().min(*left);
        *left -= count;
        buffer.iter_mut().zip(self.arriving.drain(..count)).for_each(|(place, byte)| *place = byte);
        count
    }
}

/// A frame with the right CRC-32, whatever it holds.
fn frame(content: &[u8]) -> Vec<u8> {
    let content = [content, &CRC32.checksum(content).to_le_bytes()].concat();
    let mut frame = vec![0; 2 + cobs::max_encoding_length(content.len())];
    let end = 1 + cobs::encode(&content, &mut frame[1..]);
    frame.truncate(end + 1);
    frame
}

/// A request whose image fits its sides: width, number of answers, shown or not, pixels.
fn image_request(content: &[u8]) -> Vec<u8> {
    let [width, top_k, shown, pixels @ ..] = content else { return content.to_vec() };
    let width = u16::from(*width).max(1);
    let height = pixels.len() as u16 / width;
    let pixels = &pixels[..usize::from(width) * usize::from(height)];
    let image = Image { width, height, pixels, top_k: *top_k };
    let request = if shown & 1 == 0 { Request::Recognize(image) } else { Request::Show(image) };
    postcard::to_stdvec(&request).expect("plain data")
}

/// A request for the display's pixels from any of them on: four bytes say which.
fn screen_request(content: &[u8]) -> Vec<u8> {
    let first = content.first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes));
    postcard::to_stdvec(&Request::Screen { first }).expect("plain data")
}

/// The board's end: its application with a small package. Every frame gets one answer, and that is a sound frame.
/// Returns whether one was anything else than a refusal.
fn serve(mut line: Line) -> bool {
    static PACKAGE: LazyLock<AlignedBytes> =
        LazyLock::new(|| AlignedBytes::copy_of(include_bytes!("../../../edge-runtime/tests/packages/format-1.1.fude")));
    let frames = frames_until_shutdown(line.arriving.make_contiguous());
    let peripherals = Peripherals {
        serial: &mut line,
        counter: Stopped,
        // Of no size, so that nothing is allocated, and nothing leaks.
        display: Some(Box::leak(Box::new(Blank))),
        model_partition: PACKAGE.as_slice(),
    };
    let mut memory: memory_of!(Fuzzed<'static>) = Memory::ZERO;
    let code = app::run::<Fuzzed<'_>, _, _, _, _>(peripherals, &mut memory);
    // A host may ask for any code, but that is answered.
    let fails_to_boot =
        [exit::PACKAGE, exit::CAPACITY, exit::ARENA, exit::SELF_TEST].contains(&code) && line.sent.is_empty();
    assert!(!fails_to_boot, "exit code {code}");

    let (mut answers, mut is_accepted) = (0, false);
    let mut decoder = FrameDecoder::new(vec![0; 2 * MAX_OUTPUT_BYTES]);
    for &byte in &line.sent {
        if decoder.push(byte).expect("a sound frame") {
            let answer: Response<'_> = decoder.message().expect("a message of the link");
            answers += 1;
            is_accepted |= !matches!(answer, Response::Refused(_));
        }
    }
    assert_eq!(answers, frames, "every frame gets one answer");
    is_accepted
}

/// Frames that a board has to answer: bytes between zeros, sound or not, up to a shutdown. What no zero ends is none.
fn frames_until_shutdown(arriving: &[u8]) -> usize {
    let is_shutdown = |frame: &[u8]| {
        let mut decoder = FrameDecoder::new([0; 32]);
        let is_sound = frame.iter().map(|&byte| decoder.push(byte)).last() == Some(Ok(true));
        is_sound && matches!(decoder.message(), Ok(Request::Shutdown { .. }))
    };
    let frames = arriving.split_inclusive(|&byte| byte == 0).filter(|run| run.len() > 1 && run.ends_with(&[0]));
    let frames: Vec<&[u8]> = frames.collect();
    frames.iter().position(|frame| is_shutdown(frame)).map_or(frames.len(), |last| last + 1)
}

/// The host's end: asks everything in turn, from the `first` request on, while there are answers. Returns whether one
/// was understood.
fn ask(line: Line, first: u8) -> bool {
    let mut link = Link::new(line);
    let image = || Image { width: 2, height: 1, pixels: &[0, 255], top_k: 3 };
    let mut is_accepted = false;
    for request in (usize::from(first)..).take(MAX_REQUESTS) {
        let answered = match request % 6 {
            0 => link.hello().map(|_| ()),
            1 => link.recognize(image()).map(|_| ()),
            2 => link.show(image()).map(|_| ()),
            3 => link.screen().map(|screen| assert_eq!(screen.pixels.len(), area(screen.width, screen.height))),
            4 => link.self_test().map(|_| ()),
            _ => link.shutdown(0),
        };
        is_accepted |= answered.is_ok();
        match answered {
            Ok(()) => {}
            Err(LinkError::HungUp | LinkError::OutOfStep) => break,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    is_accepted
}

fn area(width: u16, height: u16) -> usize {
    usize::from(width) * usize::from(height)
}

impl ErrorType for Line {
    type Error = Infallible;
}

impl embedded_io::Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.take(buffer))
    }
}

impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.sent.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl io::Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.take(buffer))
    }
}

/// What the host asks is of no interest here.
impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A board whose line is a fuzzer's input.
struct Fuzzed<'l>(PhantomData<&'l ()>);

impl<'l> Board for Fuzzed<'l> {
    const NAME: &'static str = "fuzz";
    const ARENA_BYTES: usize = 4096;
    const MAX_PIXELS: usize = MAX_PIXELS;
    const MAX_OUTPUT_BYTES: usize = MAX_OUTPUT_BYTES;
    const PIXEL_BUFFER_BYTES: usize = 64 * 64;
    type Serial = &'l mut Line;
    type Counter = Stopped;
    type Display = Blank;
}

/// Counts nothing.
struct Stopped;

impl Counter for Stopped {
    const TICK: Tick = Tick::Nanoseconds(1);

    fn restart(&mut self) {}

    fn ticks(&self) -> u64 {
        0
    }
}

/// A display that takes whatever is drawn and stays black.
struct Blank;

impl Blank {
    const SIZE: Size = Size::new(160, 128);
}

impl Display for Blank {
    fn read_luma(&self, first: usize, luma: &mut [u8]) -> Option<usize> {
        let left = ((Self::SIZE.width * Self::SIZE.height) as usize).checked_sub(first).filter(|&left| left > 0)?;
        let count = left.min(luma.len());
        luma[..count].fill(0);
        Some(count)
    }
}

impl DrawTarget for Blank {
    type Color = Gray8;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray8>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        pixels.into_iter().for_each(drop);
        Ok(())
    }

    /// Areas are most of the pixels, and pixel by pixel they would be most of a run's time.
    fn fill_solid(&mut self, _area: &Rectangle, _color: Gray8) -> Result<(), Infallible> {
        Ok(())
    }
}

impl OriginDimensions for Blank {
    fn size(&self) -> Size {
        Self::SIZE
    }
}
