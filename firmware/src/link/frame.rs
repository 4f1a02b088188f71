//! Frames of the device link: version, message, CRC-32, all within COBS. See [`super`] for the layout.

use cobs::{DecodeResult, DecoderState};
use fude_runtime::package::{CRC32, Crc32};
use postcard::ser_flavors::{Cobs, Flavor, Slice};
use serde::{Deserialize, Serialize};

/// Version of the link's messages, the first byte of every frame.
pub const LINK_VERSION: u8 = 4;

const VERSION_BYTES: usize = 1;
const CRC_BYTES: usize = 4;
/// What a frame holds around its message, before COBS.
const ENVELOPE_BYTES: usize = VERSION_BYTES + CRC_BYTES;

/// Buffer that [`encode`] needs for a message of `message_bytes`: COBS adds one byte in 254, rounded up, and the
/// two zeros around it.
pub const fn encoded_len(message_bytes: usize) -> usize {
    let content = message_bytes + ENVELOPE_BYTES;
    2 + content + content.div_ceil(254) + 1
}

/// Buffer that [`FrameDecoder`] needs for a message of `message_bytes`.
pub const fn decoded_len(message_bytes: usize) -> usize {
    message_bytes + ENVELOPE_BYTES
}

/// The buffer is too small for the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit the send buffer")]
pub struct EncodeError;

/// Writes one frame to the start of `buffer` and returns it, from its first zero to its last.
///
/// # Errors
/// [`EncodeError`] when `buffer` is too small; see [`encoded_len`].
pub fn encode<'b>(message: &impl Serialize, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    encode_version(LINK_VERSION, message, buffer)
}

fn encode_version<'b>(version: u8, message: &impl Serialize, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let (leading_zero, rest) = buffer.split_first_mut().ok_or(EncodeError)?;
    *leading_zero = 0;
    let encoded = (|| {
        let output = Checksummed { inner: Cobs::try_new(Slice::new(rest))?, sum: CRC32 };
        let mut serializer = postcard::Serializer { output };
        serializer.output.try_push(version)?;
        message.serialize(&mut serializer)?;
        serializer.output.finalize().map(|frame| frame.len())
    })();
    // The messages are plain data, so the one way to fail is a full buffer.
    let len = encoded.map_err(|_: postcard::Error| EncodeError)?;
    Ok(&buffer[..1 + len])
}

/// Passes bytes on, and after the last one their checksum.
struct Checksummed<F> {
    inner: F,
    sum: Crc32,
}

impl<F: Flavor> Flavor for Checksummed<F> {
    type Output = F::Output;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.sum.update(&[byte]);
        self.inner.try_push(byte)
    }

    fn finalize(mut self) -> postcard::Result<F::Output> {
        self.inner.try_extend(&self.sum.finalize().to_le_bytes())?;
        self.inner.finalize()
    }
}

/// Why a received frame holds no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameError {
    /// Longer than the decoder's buffer.
    #[error("the frame is longer than the receive buffer")]
    Oversized,
    /// A zero byte where COBS allows none: bytes were lost, or this was noise.
    #[error("the frame is not valid COBS: bytes were lost")]
    Malformed,
    /// Too short to hold a version and a CRC-32.
    #[error("the frame is too short")]
    Truncated,
    /// The CRC-32 does not match: bytes were changed.
    #[error("the frame's checksum does not match")]
    Checksum,
    /// The frame is sound, but of another version of the link.
    #[error("the other end speaks version {found} of the device link, this one version {LINK_VERSION}")]
    Version {
        /// The frame's version.
        found: u8,
    },
}

/// The frame is sound, but its message is not of the type that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is of an unknown kind")]
pub struct UnknownMessage;

/// Finds frames in a stream of bytes, one byte at a time, in a buffer `B` of fixed size.
///
/// Whatever arrives, the decoder is ready for the next frame at the next zero byte.
pub struct FrameDecoder<B> {
    buffer: B,
    cobs: DecoderState,
    /// Bytes of `buffer` that the current frame has filled.
    len: usize,
    oversized: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> FrameDecoder<B> {
    /// A decoder for messages that fit `buffer` with their envelope; see [`decoded_len`].
    pub fn new(buffer: B) -> Self {
        Self { buffer, cobs: DecoderState::Idle, len: 0, oversized: false }
    }

    /// Takes the next byte. `true` when it completed a frame: [`Self::message`] has the message until the next byte.
    ///
    /// # Errors
    /// [`FrameError`], for the frame that this byte ended. The decoder stays usable.
    pub fn push(&mut self, byte: u8) -> Result<bool, FrameError> {
        match self.cobs.feed(byte).map_err(|_| FrameError::Malformed)? {
            DecodeResult::NoData => Ok(false),
            DecodeResult::DataStart => {
                self.len = 0;
                self.oversized = false;
                Ok(false)
            }
            DecodeResult::DataContinue(decoded) => {
                match self.buffer.as_mut().get_mut(self.len) {
                    Some(place) => {
                        *place = decoded;
                        self.len += 1;
                    }
                    None => self.oversized = true,
                }
                Ok(false)
            }
            DecodeResult::DataComplete if self.oversized => Err(FrameError::Oversized),
            DecodeResult::DataComplete => check_envelope(&self.buffer.as_ref()[..self.len]).map(|()| true),
        }
    }

    /// The message of the frame that [`Self::push`] has just completed. It may borrow from the buffer.
    ///
    /// # Errors
    /// [`UnknownMessage`] when the frame holds anything else than one `M`.
    pub fn message<'m, M: Deserialize<'m>>(&'m self) -> Result<M, UnknownMessage> {
        match postcard::take_from_bytes(self.content()) {
            Ok((message, [])) => Ok(message),
            _ => Err(UnknownMessage),
        }
    }

    /// The message's bytes.
    fn content(&self) -> &[u8] {
        self.buffer.as_ref().get(VERSION_BYTES..self.len.saturating_sub(CRC_BYTES)).unwrap_or_default()
    }
}

fn check_envelope(frame: &[u8]) -> Result<(), FrameError> {
    let (content, crc) = frame.split_last_chunk::<CRC_BYTES>().ok_or(FrameError::Truncated)?;
    if CRC32.checksum(content) != u32::from_le_bytes(*crc) {
        return Err(FrameError::Checksum);
    }
    match *content.first().ok_or(FrameError::Truncated)? {
        LINK_VERSION => Ok(()),
        found => Err(FrameError::Version { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Image, Request};
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    type Outcome = Result<Vec<u8>, FrameError>;

    fn outcomes(buffer_len: usize, stream: &[u8]) -> Vec<Outcome> {
        let mut decoder = FrameDecoder::new(std::vec![0; buffer_len]);
        let next = |&byte| match decoder.push(byte) {
            Ok(true) => Some(Ok(decoder.content().to_vec())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        };
        stream.iter().filter_map(next).collect()
    }

    fn frame(message: &[u8]) -> Vec<u8> {
        frame_of_version(LINK_VERSION, message)
    }

    fn frame_of_version(version: u8, message: &[u8]) -> Vec<u8> {
        let mut buffer = std::vec![0; encoded_len(message.len())];
        encode_version(version, &Raw(message), &mut buffer).unwrap().to_vec()
    }

    /// Serialises as its bytes alone, without the length that postcard puts before a slice.
    struct Raw<'a>(&'a [u8]);

    impl Serialize for Raw<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = serializer.serialize_tuple(self.0.len())?;
            self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
            tuple.end()
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let crc = CRC32.checksum(&[LINK_VERSION, b'A', 0, b'C']).to_le_bytes();
        assert!(crc.iter().all(|&byte| byte != 0), "pick a message whose CRC has no zero byte");
        let mut expected = std::vec![0, 3, LINK_VERSION, b'A', 6, b'C'];
        expected.extend(crc);
        expected.push(0);
        assert_eq!(frame(&[b'A', 0, b'C']), expected);
    }

    #[test]
    fn a_message_is_all_of_its_frame() {
        let mut decoder = FrameDecoder::new([0; 64]);
        for (frame, expected) in [(frame(&[0]), Ok(Request::Hello)), (frame(&[0, 0]), Err(UnknownMessage))] {
            let last = frame.into_iter().map(|byte| decoder.push(byte)).last();
            assert_eq!((last, decoder.message()), (Some(Ok(true)), expected));
        }
    }

    #[test]
    fn a_buffer_one_byte_short_is_an_error() {
        let request = Request::Recognize(Image { width: 20, height: 20, pixels: &[7; 400], top_k: 5 });
        let mut buffer = [0; 1024];
        let len = encode(&request, &mut buffer).unwrap().len();
        assert_eq!(encode(&request, &mut buffer[..len - 1]), Err(EncodeError));
        assert_eq!(encode(&request, &mut buffer[..len]).map(<[u8]>::len), Ok(len));
        assert_eq!(encode(&request, &mut []), Err(EncodeError));
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(outcomes(64, &frame_of_version(9, b"new")), [Err(FrameError::Version { found: 9 })]);
    }

    #[test]
    fn short_frames_are_truncated_or_fail_their_checksum() {
        // COBS of three bytes; of a lone CRC-32 of nothing, which is zero.
        assert_eq!(outcomes(64, &[0, 4, 1, 2, 3, 0]), [Err(FrameError::Truncated)]);
        assert_eq!(outcomes(64, &[0, 1, 1, 1, 1, 1, 0]), [Err(FrameError::Truncated)]);
    }

    #[test]
    fn an_oversized_frame_does_not_harm_the_next() {
        let mut stream = frame(&[1; 100]);
        stream.extend(frame(b"small"));
        assert_eq!(outcomes(decoded_len(5), &stream), [Err(FrameError::Oversized), Ok(b"small".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_message_comes_back_from_a_buffer_of_the_stated_size(
            message in proptest::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..1200),
        ) {
            prop_assert_eq!(outcomes(decoded_len(message.len()), &frame(&message)), [Ok(message)]);
        }

        #[test]
        fn one_changed_byte_never_yields_a_different_message(
            message in proptest::collection::vec(any::<u8>(), 0..600),
            place in any::<prop::sample::Index>(),
            change in 1u8..,
        ) {
            let mut stream = frame(&message);
            let place = place.index(stream.len());
            stream[place] ^= change;
            for outcome in outcomes(1024, &stream).into_iter().flatten() {
                prop_assert_eq!(&outcome, &message);
            }
        }

        #[test]
        fn noise_is_survived(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut stream = noise;
            stream.extend(frame(b"after the noise"));
            let outcomes = outcomes(256, &stream);
            prop_assert_eq!(outcomes.last(), Some(&Ok(b"after the noise".to_vec())));
        }
    }
}
