//! The application that runs on a board, and the device link that host and board share.
//!
//! | module | is | runs on |
//! |---|---|---|
//! | [`link`] | messages, frames and the server of the device link | board and host |
//! | [`answer`] | one picture recognised, measured and shown | board and host |
//! | [`screen`] | what the display shows, drawn by `embedded-graphics` | board and host |
//! | [`app`] | from boot to serving: check the package, run its golden vectors, answer the host | board (and host, in tests) |
//!
//! The library touches no register and no board: it sees a board through [`fude_boards::Board`], which a test
//! implements too. The binary `src/bin/board.rs` adds what an image needs, start-up code and fault handlers, for
//! the one board whose feature is on; `firmware/build.sh BOARD` builds it.
//!
//! Under Linux the application is a program instead, `src/bin/linux.rs`.
//!
//! Logs are [defmt](https://defmt.ferrous-systems.com) in an image, under the feature `defmt`, and plain text in a
//! program, under the feature `log`; the host's build has no logger.

#![no_std]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod answer;
pub mod app;
pub mod link;
mod log;
pub mod screen;
