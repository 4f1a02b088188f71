//! From boot to serving: check the package, run its golden vectors, answer the host.

use embedded_io::{Read, Write};
use fude_boards::{Counter, Peripherals};
use fude_runtime::ink;
use fude_runtime::package::{CRC32, FORMAT_MAJOR, Package};
use fude_runtime::profile::LayerObserver;
use fude_runtime::recognizer::{Recognizer, RecognizerError};

use crate::link::frame;
use crate::link::message::{
    Candidate, Hello, Image, Layers, MAX_OUTPUT_BYTES, MAX_PIXELS, OVERHEAD_BYTES, Recognition, Refusal,
};
use crate::link::server::{Handler, serve};
use crate::log::{error, info};

const RECEIVE_BYTES: usize = frame::decoded_len(MAX_PIXELS + OVERHEAD_BYTES);
const SEND_BYTES: usize = frame::encoded_len(MAX_OUTPUT_BYTES + OVERHEAD_BYTES);

/// The memory that the application works in, `ARENA` bytes of it for tensors.
#[repr(C, align(16))]
pub struct Memory<const ARENA: usize> {
    arena: [u8; ARENA],
    receive: [u8; RECEIVE_BYTES],
    send: [u8; SEND_BYTES],
}

impl<const ARENA: usize> Memory<ARENA> {
    /// All zeros, so that a `static` of it takes no flash.
    pub const ZERO: Self = Self { arena: [0; ARENA], receive: [0; RECEIVE_BYTES], send: [0; SEND_BYTES] };
}

/// Exit codes of the application itself; a host's [`Request::Shutdown`](crate::link::Request) names others.
pub mod exit {
    /// The model partition holds no package that this firmware can run.
    pub const PACKAGE: u8 = 2;
    /// The package needs a larger arena.
    pub const ARENA: u8 = 3;
    /// A golden vector came out different: the board does not compute what the trainer did.
    pub const SELF_TEST: u8 = 4;
    /// The line to the host failed.
    pub const LINE: u8 = 5;
}

/// Runs the application on the board called `board`; returns the exit code.
///
/// Every way out is logged. There is no serving without a package that passed its own golden vectors.
pub fn run<S: Read + Write, C: Counter, const ARENA: usize>(
    board: &str,
    peripherals: Peripherals<S, C>,
    memory: &mut Memory<ARENA>,
) -> u8 {
    let Peripherals { mut serial, counter, model_partition } = peripherals;
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
    let mut application = Application { board, recognizer, counter };
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
        Err(_) => {
            error!("the line to the host failed");
            exit::LINE
        }
    }
}

/// Answers the host's requests with the recogniser.
struct Application<'a, C> {
    board: &'a str,
    recognizer: Recognizer<'a>,
    counter: C,
}

impl<C: Counter> Handler for Application<'_, C> {
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

    fn recognize(&mut self, image: &Image<'_>) -> Result<Recognition<'_>, Refusal> {
        let image_view = ink::Image::new(image.width.into(), image.height.into(), image.pixels);
        let image_view = image_view.ok_or(Refusal::BadImage)?;
        let mut meter = Meter::new(&mut self.counter);
        let answers = self.recognizer.recognize_observed(&image_view, image.top_k.into(), &mut meter);
        let (layers, ticks) = meter.finish();
        let top =
            answers.map_err(refuse)?.into_iter().map(|answer| Candidate { class: answer.class, score: answer.score });
        Ok(Recognition { top: top.collect(), output: self.recognizer.logits(), layers, ticks })
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
