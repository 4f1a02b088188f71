//! The device link: how the host talks to a board over any byte stream.
//!
//! The host sends one [`Request`] and reads one [`Response`]; the board never speaks first. Both are
//! [postcard](https://postcard.jamesmunns.com/wire-format.html) messages, each in a frame of its own:
//!
//! ```text
//! 0x00  COBS( link version: u8 | postcard message | CRC-32 of both, little endian )  0x00
//! ```
//!
//! - COBS (Cheshire and Baker, 1999) removes every zero byte, so that a zero only ever stands between frames and
//!   a receiver that lost its place finds it again at the next zero. The leading one parts a frame from noise.
//! - The CRC-32 is ISO-HDLC, as in Ethernet and zlib.
//! - The version leads every frame and is checked before the message is: [`frame::LINK_VERSION`] grows whenever
//!   a message changes, so host and board never misread each other.
//!
//! | module | is |
//! |---|---|
//! | [`message`] | what is said |
//! | [`frame`] | how it is framed: [`frame::encode`], [`frame::FrameDecoder`] |
//! | [`server`] | the board's end: [`server::serve`] answers requests through a [`server::Handler`] |
//!
//! The host's end is `device::link` of the trainer.
//!
//! `postcard-rpc` was considered. Its server is an async dispatcher, so the board would need an executor, and its
//! client needs tokio; it also matches replies to requests in flight. One request at a time over one line needs
//! none of this, and the synchronous pair here adds no dependency that the package reader does not already have,
//! but for COBS.

pub mod frame;
pub mod message;
pub mod server;

pub use message::{Request, Response};
