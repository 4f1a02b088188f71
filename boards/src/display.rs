//! What a board shows its answers on.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::framebuffer::Framebuffer;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::raw::RawU8;
use embedded_graphics::pixelcolor::{BinaryColor, Gray8};
use embedded_graphics::prelude::DrawTarget;

/// A display that the application draws on in greys, which become the display's own colours, two or many.
pub trait Display: DrawTarget<Color: From<Gray8>> {
    /// What is shown now: a byte of luma a pixel, row by row from the top, as many as the display's size says.
    /// `None` where it cannot be read back.
    fn luma(&self) -> Option<&[u8]>;
}

/// Memory instead of a display, for boards whose emulator shows none.
impl<BO, const WIDTH: usize, const HEIGHT: usize, const N: usize> Display
    for Framebuffer<Gray8, RawU8, BO, WIDTH, HEIGHT, N>
{
    fn luma(&self) -> Option<&[u8]> {
        self.data().get(..WIDTH * HEIGHT)
    }
}

/// The display of a board that has none: there is no value of it.
#[derive(Debug)]
pub enum NoDisplay {}

impl Display for NoDisplay {
    fn luma(&self) -> Option<&[u8]> {
        match *self {}
    }
}

impl DrawTarget for NoDisplay {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, _pixels: I) -> Result<(), Infallible> {
        match *self {}
    }
}

impl OriginDimensions for NoDisplay {
    fn size(&self) -> Size {
        match *self {}
    }
}
