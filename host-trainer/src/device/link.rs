//! The host's end of the device link: one request, one answer.

use std::io::{self, Read, Write};

use fude_firmware::link::frame::{self, EncodeError, FrameDecoder, FrameError, UnknownMessage};
use fude_firmware::link::message::{
    ANSWER_OVERHEAD_BYTES, Hello, Image, MAX_OUTPUT_BYTES, MAX_PIXELS, REQUEST_OVERHEAD_BYTES, Recognition, Refusal,
    Request, Response, ScreenPart,
};

/// A line to a board, any byte stream. A stream with a read time limit makes a silent board an error.
pub struct Link<S> {
    stream: S,
    send: Vec<u8>,
    decoder: FrameDecoder<Vec<u8>>,
    /// What the board takes, once it has said so.
    max_pixels: usize,
    /// Whether all that the board sent was read: nothing follows the answer to the last request.
    is_in_step: bool,
}

/// What a board's display shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screenshot {
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Luma of `width * height` pixels, row by row from the top.
    pub pixels: Vec<u8>,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The line failed.
    #[error("the line to the board: {0}")]
    Line(io::Error),
    /// The board closed the line: it has ended.
    #[error("the board closed the line")]
    HungUp,
    /// An earlier answer was not read to its end, so the next bytes may be the rest of it.
    #[error("an earlier request had no answer, which may still come: start the board again")]
    OutOfStep,
    /// The line's time limit passed.
    #[error("the board did not answer in time: it hangs, or it is too slow for this model")]
    Silent,
    /// The image is larger than the board takes.
    #[error("the image has {pixels} pixels, the board takes {max_pixels}: make it smaller")]
    ImageTooLarge {
        /// Its pixels.
        pixels: usize,
        /// What the board takes.
        max_pixels: usize,
    },
    /// The request does not fit its buffer.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The answer was damaged, or of another version of the link.
    #[error("the board's answer: {0}; if it persists, rebuild the firmware with `make firmware`")]
    Frame(#[from] FrameError),
    /// The answer is no message of this version.
    #[error("the board's answer: {0}")]
    Message(#[from] UnknownMessage),
    /// The board refused the request.
    #[error("the board refused the request: {0}")]
    Refused(Refusal),
    /// The parts of the display's picture contradict each other.
    #[error("the board's answers do not make one picture of its display")]
    Screen,
    /// The board answered another request.
    #[error("the board answered another request than {request}")]
    Mismatch {
        /// What was asked.
        request: &'static str,
    },
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::HungUp,
            TimedOut | WouldBlock => Self::Silent,
            _ => Self::Line(error),
        }
    }
}

impl<S: Read + Write> Link<S> {
    /// A link over `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            send: vec![0; frame::encoded_len(MAX_PIXELS + REQUEST_OVERHEAD_BYTES)],
            decoder: FrameDecoder::new(vec![0; frame::decoded_len(MAX_OUTPUT_BYTES + ANSWER_OVERHEAD_BYTES)]),
            max_pixels: MAX_PIXELS,
            is_in_step: true,
        }
    }

    /// Who is there? The versions of both ends are compared on the way, as with every request.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn hello(&mut self) -> Result<Hello<'_>, LinkError> {
        self.exchange(&Request::Hello)?;
        match answer(&self.decoder)? {
            Response::Hello(hello) => {
                self.max_pixels = hello.max_pixels as usize;
                Ok(hello)
            }
            _ => Err(LinkError::Mismatch { request: "hello" }),
        }
    }

    /// Recognises an image of at most [`Hello::max_pixels`] pixels.
    ///
    /// # Errors
    /// [`LinkError`]; [`LinkError::Refused`] when the sides do not fit the pixels.
    pub fn recognize(&mut self, image: Image<'_>) -> Result<Recognition<'_>, LinkError> {
        self.check_carried(&image)?;
        match self.ask(&Request::Recognize(image))? {
            Response::Recognition(recognition) => Ok(recognition),
            _ => Err(LinkError::Mismatch { request: "recognize" }),
        }
    }

    /// Recognises an image of at most [`Hello::max_pixels`] pixels and has the board show the answer on its display.
    ///
    /// # Errors
    /// As [`Self::recognize`]; [`Refusal::NoDisplay`] from a board without a display.
    pub fn show(&mut self, image: Image<'_>) -> Result<Recognition<'_>, LinkError> {
        self.check_carried(&image)?;
        match self.ask(&Request::Show(image))? {
            Response::Recognition(recognition) => Ok(recognition),
            _ => Err(LinkError::Mismatch { request: "show" }),
        }
    }

    /// Reads back what the board's display shows, part by part.
    ///
    /// # Errors
    /// [`LinkError`]; [`LinkError::Screen`] when the parts do not make one picture.
    pub fn screen(&mut self) -> Result<Screenshot, LinkError> {
        let mut screen = Screenshot { width: 0, height: 0, pixels: Vec::new() };
        loop {
            let first = screen.pixels.len() as u32;
            let part = match self.ask(&Request::Screen { first })? {
                Response::Screen(part) => part,
                _ => return Err(LinkError::Mismatch { request: "screen" }),
            };
            if append(&mut screen, &part)? {
                return Ok(screen);
            }
        }
    }

    /// Runs the package's golden vectors; returns how many there are.
    ///
    /// # Errors
    /// [`LinkError`]; [`LinkError::Refused`] names the first vector that differs.
    pub fn self_test(&mut self) -> Result<u16, LinkError> {
        match self.ask(&Request::SelfTest)? {
            Response::SelfTest { vectors } => Ok(vectors),
            _ => Err(LinkError::Mismatch { request: "self-test" }),
        }
    }

    /// Ends the board's program with `code`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn shutdown(&mut self, code: u8) -> Result<(), LinkError> {
        match self.ask(&Request::Shutdown { code })? {
            Response::ShuttingDown => Ok(()),
            _ => Err(LinkError::Mismatch { request: "shutdown" }),
        }
    }

    fn check_carried(&self, image: &Image<'_>) -> Result<(), LinkError> {
        match (image.pixels.len(), self.max_pixels) {
            (pixels, max_pixels) if pixels > max_pixels => Err(LinkError::ImageTooLarge { pixels, max_pixels }),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Response<'_>, LinkError> {
        self.exchange(request)?;
        answer(&self.decoder)
    }

    /// Sends `request` and receives the frame that answers it.
    fn exchange(&mut self, request: &Request<'_>) -> Result<(), LinkError> {
        if !self.is_in_step {
            return Err(LinkError::OutOfStep);
        }
        let request = frame::encode(request, &mut self.send)?;
        self.is_in_step = false;
        self.stream.write_all(request)?;
        self.stream.flush()?;
        self.receive_frame()?;
        self.is_in_step = true;
        Ok(())
    }

    /// Reads up to the end of the next frame. The board sends nothing unasked, so nothing follows it.
    fn receive_frame(&mut self) -> Result<(), LinkError> {
        let mut chunk = [0; 4096];
        loop {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(LinkError::HungUp);
            }
            for &byte in &chunk[..count] {
                if self.decoder.push(byte)? {
                    return Ok(());
                }
            }
        }
    }
}

/// The answer in the frame just received.
fn answer(decoder: &FrameDecoder<Vec<u8>>) -> Result<Response<'_>, LinkError> {
    match decoder.message()? {
        Response::Refused(refusal) => Err(LinkError::Refused(refusal)),
        answer => Ok(answer),
    }
}

/// Adds the next part to `screen`; `true` when that completed it.
fn append(screen: &mut Screenshot, part: &ScreenPart<'_>) -> Result<bool, LinkError> {
    if screen.pixels.is_empty() {
        (screen.width, screen.height) = (part.width, part.height);
    }
    screen.pixels.extend(part.pixels);
    let whole = usize::from(screen.width) * usize::from(screen.height);
    let same_display = (part.width, part.height) == (screen.width, screen.height);
    if !same_display || part.pixels.is_empty() || screen.pixels.len() > whole {
        return Err(LinkError::Screen);
    }
    Ok(screen.pixels.len() == whole)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use fude_boards::Tick;

    use super::*;

    /// A link, and the far end of its line.
    fn line() -> (Link<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        (Link::new(near), listener.accept().unwrap().0)
    }

    fn hello_answered_by(bytes: &[u8]) -> LinkError {
        let (mut link, mut board) = line();
        board.write_all(bytes).unwrap();
        link.hello().unwrap_err()
    }

    #[test]
    fn a_silent_board_and_a_gone_one_are_told_apart() {
        let (mut link, _board) = line();
        assert!(matches!(link.hello(), Err(LinkError::Silent)));
        let (mut link, board) = line();
        drop(board);
        assert!(matches!(link.hello(), Err(LinkError::HungUp)));
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next() {
        let mut buffer = [0; 64];
        let answer = frame::encode(&Response::SelfTest { vectors: 7 }, &mut buffer).unwrap();
        let (mut link, mut board) = line();
        assert!(matches!(link.self_test(), Err(LinkError::Silent)));
        board.write_all(answer).unwrap();
        assert!(matches!(link.self_test(), Err(LinkError::OutOfStep)));

        // Two answers, the first of them damaged.
        let mut damaged = answer.to_vec();
        damaged[3] ^= 1;
        let (mut link, mut board) = line();
        board.write_all(&[&damaged, answer].concat()).unwrap();
        assert!(matches!(link.self_test(), Err(LinkError::Frame(_))));
        assert!(matches!(link.self_test(), Err(LinkError::OutOfStep)));
    }

    #[test]
    fn firmware_of_another_version_is_named() {
        // COBS of version 9 and a CRC-32.
        let crc = fude_runtime::package::CRC32.checksum(&[9]).to_le_bytes();
        let error = hello_answered_by(&[0, 6, 9, crc[0], crc[1], crc[2], crc[3], 0]);
        assert!(matches!(error, LinkError::Frame(FrameError::Version { found: 9 })), "{error}");
        assert!(error.to_string().contains("make firmware"), "{error}");
    }

    #[test]
    fn an_image_larger_than_the_board_takes_is_not_sent() {
        let (mut link, mut board) = line();
        let (board_name, firmware, model) = ("small", "1", "tiny");
        let tick = Tick::Instructions(40);
        let hello = Hello { board: board_name, firmware, tick, model, model_id: 0, classes: 2, max_pixels: 4 };
        board.write_all(frame::encode(&Response::Hello(hello), &mut [0; 64]).unwrap()).unwrap();
        link.hello().unwrap();
        let image = Image { width: 5, height: 1, pixels: &[0; 5], top_k: 1 };
        let refused = link.recognize(image).unwrap_err();
        assert!(matches!(refused, LinkError::ImageTooLarge { pixels: 5, max_pixels: 4 }), "{refused}");
    }

    #[test]
    fn a_screen_is_put_together_from_its_parts() {
        let part = |width, pixels| ScreenPart { width, height: 2, pixels };
        let mut screen = Screenshot { width: 0, height: 0, pixels: Vec::new() };
        assert!(!append(&mut screen, &part(2, &[1, 2, 3])).unwrap());
        assert!(append(&mut screen.clone(), &part(2, &[4])).unwrap());
        for broken in [part(2, &[]), part(2, &[4, 5]), part(3, &[4])] {
            assert!(matches!(append(&mut screen.clone(), &broken), Err(LinkError::Screen)), "{broken:?}");
        }
        append(&mut screen, &part(2, &[4])).unwrap();
        assert_eq!(screen, Screenshot { width: 2, height: 2, pixels: vec![1, 2, 3, 4] });
    }

    #[test]
    fn answers_that_are_none_are_errors() {
        let mut buffer = [0; 64];
        let other = frame::encode(&Response::ShuttingDown, &mut buffer).unwrap();
        assert!(matches!(hello_answered_by(other), LinkError::Mismatch { request: "hello" }));
        let refused = Response::Refused(Refusal::BadFrame);
        let refused = frame::encode(&refused, &mut buffer).unwrap();
        assert!(matches!(hello_answered_by(refused), LinkError::Refused(Refusal::BadFrame)));
        let unknown = frame::encode(&99_u8, &mut buffer).unwrap();
        assert!(matches!(hello_answered_by(unknown), LinkError::Message(_)));
    }
}
