//! The board's end of the link: reads requests, has a [`Handler`] serve them, writes the answers.

use embedded_io::{Read, Write};

use super::frame::{self, FrameDecoder, FrameError};
use super::message::{Hello, Image, Recognition, Refusal, Request, Response, ScreenPart};

/// Serves the requests that need the application.
pub trait Handler {
    /// Who is there.
    fn hello(&self) -> Hello<'_>;

    /// Recognises one image, and then draws the answer on the display if it is to be `shown`. What is returned may
    /// borrow from the handler's own memory.
    ///
    /// # Errors
    /// [`Refusal::BadImage`] when the sides do not fit the pixels, [`Refusal::NoDisplay`] when there is none to show
    /// it on.
    fn recognize(&mut self, image: &Image<'_>, shown: bool) -> Result<Recognition<'_>, Refusal>;

    /// What the display shows, from the pixel `first` on.
    ///
    /// # Errors
    /// [`Refusal::NoDisplay`] when there is none, or none that can be read; [`Refusal::BeyondDisplay`] when it has no
    /// pixel `first`.
    fn screen(&mut self, first: u32) -> Result<ScreenPart<'_>, Refusal>;

    /// Runs the golden vectors and returns how many there were.
    ///
    /// # Errors
    /// [`Refusal::SelfTestFailed`] for the first that differs.
    fn self_test(&mut self) -> Result<u16, Refusal>;
}

/// Why serving ended without a [`Request::Shutdown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServeError<E> {
    /// The line failed.
    #[error("the line to the host failed: {0}")]
    Line(E),
    /// The host closed the line.
    #[error("the host closed the line")]
    Closed,
}

/// Answers requests on `line` until the host asks for a shutdown; returns its exit code.
///
/// `receive` bounds the longest request ([`frame::decoded_len`]) and `send` the longest answer
/// ([`frame::encoded_len`]). A frame that cannot be read is refused by an answer of its own, never passed over in
/// silence: the host waits for one answer to each frame it sends.
///
/// # Errors
/// [`ServeError`] when the line fails or closes.
pub fn serve<L: Read + Write>(
    line: &mut L,
    handler: &mut impl Handler,
    receive: &mut [u8],
    send: &mut [u8],
) -> Result<u8, ServeError<L::Error>> {
    let mut decoder = FrameDecoder::new(receive);
    loop {
        let mut byte = [0];
        if line.read(&mut byte).map_err(ServeError::Line)? == 0 {
            return Err(ServeError::Closed);
        }
        let request = match decoder.push(byte[0]) {
            Ok(false) => continue,
            Ok(true) => decoder.message().map_err(|_| Refusal::UnknownRequest),
            Err(error) => Err(refuse_frame(error)),
        };
        let answer = match &request {
            Ok(request) => answer(handler, request),
            Err(refusal) => Response::Refused(*refusal),
        };
        write(line, &answer, send).map_err(ServeError::Line)?;
        if let Ok(Request::Shutdown { code }) = request {
            return Ok(code);
        }
    }
}

fn refuse_frame(error: FrameError) -> Refusal {
    match error {
        FrameError::Version { .. } => Refusal::WrongVersion,
        _ => Refusal::BadFrame,
    }
}

fn answer<'h>(handler: &'h mut impl Handler, request: &Request<'_>) -> Response<'h> {
    let answer = match request {
        Request::Hello => Ok(Response::Hello(handler.hello())),
        Request::Recognize(image) => handler.recognize(image, false).map(Response::Recognition),
        Request::Show(image) => handler.recognize(image, true).map(Response::Recognition),
        Request::Screen { first } => handler.screen(*first).map(Response::Screen),
        Request::SelfTest => handler.self_test().map(|vectors| Response::SelfTest { vectors }),
        Request::Shutdown { .. } => Ok(Response::ShuttingDown),
    };
    answer.unwrap_or_else(Response::Refused)
}

fn write<L: Write>(line: &mut L, answer: &Response<'_>, send: &mut [u8]) -> Result<(), L::Error> {
    let len = match frame::encode(answer, send) {
        Ok(frame) => frame.len(),
        // A refusal is a few bytes: a buffer too small even for this leaves nothing to say.
        Err(_) => frame::encode(&Response::Refused(Refusal::AnswerTooLong), send).map_or(0, <[u8]>::len),
    };
    line.write_all(&send[..len])?;
    line.flush()
}

#[cfg(test)]
mod tests {
    use super::super::message::{Candidate, Layers};
    use super::*;
    use core::convert::Infallible;
    use embedded_io::ErrorType;
    use fude_boards::Tick;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    /// A line whose far end sent everything beforehand and then hung up.
    #[derive(Default)]
    struct Script {
        sent: VecDeque<u8>,
        answered: Vec<u8>,
    }

    impl Script {
        fn of(requests: &[Request<'_>]) -> Self {
            let mut script = Self::default();
            for request in requests {
                script.send_frame(request);
            }
            script
        }

        fn send_frame(&mut self, request: &Request<'_>) {
            self.sent.extend(frame::encode(request, &mut [0; 1024]).unwrap());
        }
    }

    impl ErrorType for Script {
        type Error = Infallible;
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
            Ok(self.sent.pop_front().map_or(0, |byte| {
                buffer[0] = byte;
                1
            }))
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            self.answered.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    /// Recognises an image as the class of its first pixel and outputs the pixels reversed; shows these as well.
    #[derive(Default)]
    struct FirstPixel {
        output: Vec<u8>,
        screen: Vec<u8>,
    }

    impl Handler for FirstPixel {
        fn hello(&self) -> Hello<'_> {
            Hello {
                board: "mock",
                firmware: "1.2.3",
                tick: Tick::Instructions(40),
                model: "first-pixel",
                model_id: 0xDEAD_BEEF,
                classes: 256,
                max_pixels: 64,
            }
        }

        fn recognize(&mut self, image: &Image<'_>, shown: bool) -> Result<Recognition<'_>, Refusal> {
            if usize::from(image.width) * usize::from(image.height) != image.pixels.len() {
                return Err(Refusal::BadImage);
            }
            self.output = image.pixels.iter().rev().copied().collect();
            if shown {
                self.screen.clone_from(&self.output);
            }
            let first = Candidate { class: u16::from(image.pixels[0]), score: -5 };
            Ok(Recognition {
                top: [first].into_iter().collect(),
                output: &self.output,
                layers: Layers { hashes: [1, 2].into_iter().collect(), ticks: [30, 40].into_iter().collect() },
                ticks: 70,
                stack_bytes: None,
            })
        }

        fn screen(&mut self, first: u32) -> Result<ScreenPart<'_>, Refusal> {
            let pixels = self.screen.get(first as usize..).ok_or(Refusal::BeyondDisplay)?;
            Ok(ScreenPart { width: self.screen.len() as u16, height: 1, pixels })
        }

        fn self_test(&mut self) -> Result<u16, Refusal> {
            Err(Refusal::SelfTestFailed { vector: 3 })
        }
    }

    fn serve_with(script: &mut Script, send: &mut [u8]) -> Result<u8, ServeError<Infallible>> {
        let mut receive = [0; 256];
        serve(script, &mut FirstPixel::default(), &mut receive, send)
    }

    /// Hands every answer in `answered` to `check`, and returns how many there were.
    fn each_answer(answered: &[u8], mut check: impl FnMut(usize, Response<'_>)) -> usize {
        let mut decoder = FrameDecoder::new([0; 1024]);
        let mut count = 0;
        for &byte in answered {
            if decoder.push(byte).unwrap() {
                check(count, decoder.message().unwrap());
                count += 1;
            }
        }
        count
    }

    #[test]
    fn requests_are_answered_in_order_until_the_shutdown() {
        let image = Image { width: 2, height: 1, pixels: &[9, 8], top_k: 1 };
        let crooked = Image { width: 3, ..image.clone() };
        let mut script = Script::of(&[
            Request::Hello,
            Request::Recognize(image),
            Request::Recognize(crooked),
            Request::SelfTest,
            Request::Shutdown { code: 17 },
            Request::Hello,
        ]);
        assert_eq!(serve_with(&mut script, &mut [0; 512]), Ok(17));
        let answers = each_answer(&script.answered, |index, answer| match (index, answer) {
            (0, Response::Hello(hello)) => assert_eq!((hello.model, hello.model_id), ("first-pixel", 0xDEAD_BEEF)),
            (1, Response::Recognition(recognition)) => {
                assert_eq!(recognition.top[0], Candidate { class: 9, score: -5 });
                assert_eq!(recognition.output, [8, 9]);
                assert_eq!(recognition.layers.ticks, [30, 40]);
            }
            (2, answer) => assert_eq!(answer, Response::Refused(Refusal::BadImage)),
            (3, answer) => assert_eq!(answer, Response::Refused(Refusal::SelfTestFailed { vector: 3 })),
            (4, answer) => assert_eq!(answer, Response::ShuttingDown),
            (_, answer) => panic!("unexpected answer {answer:?}"),
        });
        assert_eq!(answers, 5);
    }

    #[test]
    fn only_what_is_to_be_shown_reaches_the_display() {
        let image = |pixels| Image { width: 3, height: 1, pixels, top_k: 1 };
        let mut script = Script::of(&[
            Request::Show(image(&[1, 2, 3])),
            Request::Recognize(image(&[4, 5, 6])),
            Request::Screen { first: 1 },
            Request::Screen { first: 4 },
        ]);
        assert_eq!(serve_with(&mut script, &mut [0; 512]), Err(ServeError::Closed));
        let answers = each_answer(&script.answered, |index, answer| match (index, answer) {
            (0 | 1, Response::Recognition(recognition)) => assert_eq!(recognition.top[0].class, [1, 4][index]),
            (2, Response::Screen(part)) => assert_eq!(part, ScreenPart { width: 3, height: 1, pixels: &[2, 1] }),
            (3, answer) => assert_eq!(answer, Response::Refused(Refusal::BeyondDisplay)),
            (_, answer) => panic!("unexpected answer {answer:?}"),
        });
        assert_eq!(answers, 4);
    }

    #[test]
    fn a_closed_line_ends_serving() {
        assert_eq!(serve_with(&mut Script::of(&[Request::Hello]), &mut [0; 512]), Err(ServeError::Closed));
    }

    #[test]
    fn an_answer_too_long_for_the_buffer_is_refused() {
        let image = Image { width: 100, height: 1, pixels: &[1; 100], top_k: 1 };
        let mut script = Script::of(&[Request::Recognize(image)]);
        assert_eq!(serve_with(&mut script, &mut [0; 64]), Err(ServeError::Closed));
        let answers = each_answer(&script.answered, |_, answer| {
            assert_eq!(answer, Response::Refused(Refusal::AnswerTooLong));
        });
        assert_eq!(answers, 1);
    }

    #[test]
    fn unreadable_frames_are_refused_by_kind() {
        let mut script = Script::default();
        script.sent.extend(frame::encode(&200u8, &mut [0; 64]).unwrap()); // no such request
        script.sent.extend([0, 5, 1, 2, 0]); // a zero where COBS allows none
        script.sent.extend(frame::encode(&[3u8; 300].as_slice(), &mut [0; 512]).unwrap()); // too long to receive
        script.send_frame(&Request::SelfTest);
        assert_eq!(serve_with(&mut script, &mut [0; 512]), Err(ServeError::Closed));
        let expected =
            [Refusal::UnknownRequest, Refusal::BadFrame, Refusal::BadFrame, Refusal::SelfTestFailed { vector: 3 }];
        let answers = each_answer(&script.answered, |index, answer| {
            assert_eq!(answer, Response::Refused(expected[index]));
        });
        assert_eq!(answers, expected.len());
    }

    proptest! {
        #[test]
        fn any_image_is_recognised_after_any_noise(
            noise in proptest::collection::vec(any::<u8>(), 0..100),
            pixels in proptest::collection::vec(any::<u8>(), 1..200),
        ) {
            let mut script = Script::default();
            script.sent.extend(noise);
            let image = Image { width: pixels.len() as u16, height: 1, pixels: &pixels, top_k: 1 };
            script.send_frame(&Request::Recognize(image));
            script.send_frame(&Request::Shutdown { code: 0 });
            prop_assert_eq!(serve_with(&mut script, &mut [0; 512]), Ok(0));
            let mut outputs = Vec::new();
            each_answer(&script.answered, |_, answer| {
                if let Response::Recognition(recognition) = answer {
                    outputs.push(recognition.output.to_vec());
                }
            });
            let reversed: Vec<u8> = pixels.iter().rev().copied().collect();
            prop_assert_eq!(outputs, [reversed]);
        }
    }
}
