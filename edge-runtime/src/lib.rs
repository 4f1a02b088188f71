//! Runs a Fude handwriting recogniser where there is no operating system: `no_std`, no allocator, no float.
//!
//! A package (`.fude`) is checked once and then read in place from flash; an arena that the host planned
//! holds everything else:
//!
//! ```text
//!  image ──► ink ──► input tensor ──► kernels, layer by layer ──► logits ──► top-k
//!            normalize                 weights from the package               Answers
//! ```
//!
//! ```no_run
//! use fude_runtime::{ink::Image, package::Package, recognizer::Recognizer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let flash: &[u8] = &[];
//! # let pixels: &[u8] = &[];
//! let package = Package::new_checked(flash)?; // the one door for untrusted bytes
//! let mut arena = [0; 32 * 1024]; // at least package.arena_bytes()
//! let mut recognizer = Recognizer::new(&package, &mut arena)?;
//! let image = Image::new(64, 64, pixels).ok_or("not 64×64")?; // ink 255 on 0
//! for answer in recognizer.recognize(&image, 5)? {
//!     println!("{} {}", recognizer.package().label(answer.class.into()), answer.score);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`package`]: bytes → checked view. The format is described in `docs/package-format.md`.
//! - [`graph`]: operators, shapes, the memory plan, and layers that run band by band in a smaller arena.
//! - [`layout`]: the order of the weights, one for each family of instruction sets.
//! - [`quant`]: the one requantisation rule.
//! - [`kernels`]: a file per operator family, an instruction set behind [`kernels::arch`], and the naive
//!   oracle that each must equal byte for byte.
//! - [`ink`]: from strokes of a pen or an image of any size to the model's glyph, the same on host and board.
//! - [`recognizer`]: all of it together; [`profile`] watches it layer by layer; [`trial`] runs layers by themselves.
//!
//! No panic: what a package may hold is settled at the door, and the rest is written so that the compiler sees it.
//! An optimised image of the path above links neither a panic nor `core::fmt`; `firmware/tests/inference_image.rs`
//! reads so from the symbols of images for Cortex-M0+, M4 and M33. Builds with overflow checks or debug assertions
//! may panic, on a fault of this crate.
//!
//! The host runs this very crate to evaluate a package, so accuracy on the host is accuracy on the board.
//! The feature `std` adds what only a host needs: the package writer, the memory planner and the oracle. `bands` runs
//! packages whose layers run band by band; a build without refuses them.

#![no_std]
#![deny(unsafe_code)]

#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("packages are little-endian and read in place: big-endian targets are not supported");

pub mod graph;
pub mod ink;
pub mod kernels;
pub mod layout;
pub mod limits;
pub mod package;
pub mod profile;
pub mod quant;
pub mod recognizer;
pub mod trial;
