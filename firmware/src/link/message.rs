//! What host and board say to each other.
//!
//! Messages borrow: pixels stay in the receive buffer and an output tensor in the recogniser's arena. Any change
//! here, down to the order of fields and variants, is a new [`LINK_VERSION`](super::frame::LINK_VERSION).

use heapless::Vec;
use serde::{Deserialize, Serialize};

use fude_boards::Tick;
use fude_runtime::limits::{MAX_LAYERS, MAX_TOP_K};

/// Most pixels of an image sent over the link; a small board takes fewer ([`Hello::max_pixels`]).
pub const MAX_PIXELS: usize = 128 * 128;

/// Most bytes of an output tensor, or of a display's pixels, in one answer.
pub const MAX_OUTPUT_BYTES: usize = 16 * 1024;

/// The most that a request holds besides its pixels: its kind, sides and numbers.
pub const REQUEST_OVERHEAD_BYTES: usize = 16;

/// The most that an answer holds besides an output tensor or pixels. A number of a layer takes up to five bytes, two
/// of them a layer; a candidate takes up to six; names and single numbers are less than the rest.
pub const ANSWER_OVERHEAD_BYTES: usize = 128 + 10 * MAX_LAYERS + 6 * MAX_TOP_K;

/// What the host asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Who is there? Answered by [`Response::Hello`].
    Hello,
    /// Recognise one image. Answered by [`Response::Recognition`].
    #[serde(borrow)]
    Recognize(Image<'a>),
    /// Recognise one image and then draw the answer on the board's display. Answered by [`Response::Recognition`],
    /// whose ticks leave the drawing out.
    #[serde(borrow)]
    Show(Image<'a>),
    /// What does the display show, from this pixel on? Answered by [`Response::Screen`].
    Screen {
        /// Index of the first pixel that is wanted, row by row from the top.
        first: u32,
    },
    /// Run the package's golden vectors again. Answered by [`Response::SelfTest`].
    SelfTest,
    /// End the program. Answered by [`Response::ShuttingDown`], after which an emulator ends with this code.
    Shutdown {
        /// The exit code.
        code: u8,
    },
}

/// An image to recognise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image<'a> {
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// `width * height` pixels, row by row; ink is 255 on 0. At most [`Hello::max_pixels`].
    pub pixels: &'a [u8],
    /// How many candidates to answer with, at most [`MAX_TOP_K`].
    pub top_k: u8,
}

/// What the board answers.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives on the stack, one at a time; a board has no allocator to box with"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response<'a> {
    /// Answers [`Request::Hello`].
    #[serde(borrow)]
    Hello(Hello<'a>),
    /// Answers [`Request::Recognize`].
    #[serde(borrow)]
    Recognition(Recognition<'a>),
    /// Answers [`Request::Screen`].
    #[serde(borrow)]
    Screen(ScreenPart<'a>),
    /// Answers [`Request::SelfTest`]: every golden vector came out right.
    SelfTest {
        /// How many vectors ran.
        vectors: u16,
    },
    /// Answers [`Request::Shutdown`].
    ShuttingDown,
    /// The request was not served.
    Refused(Refusal),
}

/// The board and the package on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello<'a> {
    /// The board's name, as its folder is called.
    pub board: &'a str,
    /// Version of the firmware.
    pub firmware: &'a str,
    /// What a tick of its counter is.
    pub tick: Tick,
    /// Name of the model in the package.
    pub model: &'a str,
    /// Which model it is: [`fude_runtime::package::Package::model_id`].
    pub model_id: u32,
    /// Number of classes.
    pub classes: u16,
    /// Most pixels in a [`Request::Recognize`].
    pub max_pixels: u32,
}

/// One recognised image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognition<'a> {
    /// The best classes, best first.
    pub top: Vec<Candidate, MAX_TOP_K>,
    /// The output tensor's bytes as they lie in memory: the logits, little endian.
    pub output: &'a [u8],
    /// What each layer did, in order of execution.
    pub layers: Layers,
    /// Ticks of the board's counter for the whole recognition: normalising, layers, choosing the best. Hashing is
    /// left out.
    pub ticks: u64,
    /// The most bytes of stack in use since the board's start, its self-test and the link among what used them; `None`
    /// where the board does not measure it.
    pub stack_bytes: Option<u32>,
}

/// A part of what the display shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenPart<'a> {
    /// Pixels in a row of the whole display.
    pub width: u16,
    /// Rows of the whole display.
    pub height: u16,
    /// Luma of the pixels from the first one wanted on, at most [`MAX_OUTPUT_BYTES`] of them.
    pub pixels: &'a [u8],
}

/// What each layer did: equal lengths, in order of execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// [`CRC32`](fude_runtime::package::CRC32) of the layer's output tensor.
    pub hashes: Vec<u32, MAX_LAYERS>,
    /// Ticks of the board's counter spent in the layer; [`u32::MAX`] where it was more.
    pub ticks: Vec<u32, MAX_LAYERS>,
}

/// A class and its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Index of the class in the package.
    pub class: u16,
    /// Its logit, in steps of the logits' scale.
    pub score: i16,
}

/// Why a request was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The frame was damaged on the way, or longer than the board's buffer.
    #[error("the board received a damaged or oversized frame")]
    BadFrame,
    /// The frame's version is not the board's.
    #[error("the board's firmware speaks another version of the device link")]
    WrongVersion,
    /// The frame was sound, but its message is none of [`Request`].
    #[error("the board does not know this request")]
    UnknownRequest,
    /// The image's sides do not give the number of its pixels, or are zero or too large.
    #[error("the image's width and height do not fit its pixels")]
    BadImage,
    /// A golden vector came out different from what the trainer computed.
    #[error("golden vector {vector} came out different on the board")]
    SelfTestFailed {
        /// Index of the first vector that differs.
        vector: u16,
    },
    /// The recogniser cannot run the package, although it passed every check: a defect of the runtime.
    #[error("the board's recogniser failed on a package that it had accepted")]
    Recognizer,
    /// There is no display to draw on, or none that can be read.
    #[error("the board has no display, or none that can be read back")]
    NoDisplay,
    /// The display has fewer pixels than the first that is wanted.
    #[error("the board's display has no such pixel")]
    BeyondDisplay,
    /// The display did not take what was drawn.
    #[error("drawing on the board's display failed")]
    DisplayFailed,
    /// The answer does not fit the board's send buffer.
    #[error("the answer does not fit the board's send buffer")]
    AnswerTooLong,
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::*;
    use std::vec;

    const PIXELS: [u8; 300] = [0; 300];

    #[test]
    fn the_longest_requests_and_answers_fit_their_buffers() {
        let image = Image { width: u16::MAX, height: u16::MAX, pixels: &PIXELS, top_k: u8::MAX };
        let mut buffer = vec![0; frame::encoded_len(PIXELS.len() + REQUEST_OVERHEAD_BYTES)];
        frame::encode(&Request::Recognize(image), &mut buffer).unwrap();

        let candidate = Candidate { class: u16::MAX, score: i16::MIN };
        let numbers = Vec::from_array([u32::MAX; MAX_LAYERS]);
        let longest = Response::Recognition(Recognition {
            top: Vec::from_array([candidate; MAX_TOP_K]),
            output: &PIXELS,
            layers: Layers { hashes: numbers.clone(), ticks: numbers },
            ticks: u64::MAX,
            stack_bytes: Some(u32::MAX),
        });
        let mut buffer = vec![0; frame::encoded_len(PIXELS.len() + ANSWER_OVERHEAD_BYTES)];
        frame::encode(&longest, &mut buffer).unwrap();
    }
}
