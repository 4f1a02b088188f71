//! What a board shows its answers on.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::framebuffer::Framebuffer;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::image::GetPixel;
use embedded_graphics::pixelcolor::{BinaryColor, Gray8, PixelColor};
use embedded_graphics::prelude::{DrawTarget, GrayColor};

/// A display that the application draws on in greys, which become the display's own colours, two or many.
pub trait Display: DrawTarget<Color: From<Gray8>> {
    /// Whether there are displays of this type: of [`NoDisplay`] there are none.
    const EXISTS: bool = true;

    /// Fills `luma` with what is shown now, a byte of luma a pixel, row by row, from the pixel `first` on; returns
    /// how many bytes that were, fewer than `luma` has where the display ends.
    /// `None` where the display cannot be read back, or has no pixel `first`.
    fn read_luma(&self, first: usize, luma: &mut [u8]) -> Option<usize>;
}

/// Memory instead of a display, for boards whose emulator shows none.
impl<C, BO, const WIDTH: usize, const HEIGHT: usize, const N: usize> Display
    for Framebuffer<C, C::Raw, BO, WIDTH, HEIGHT, N>
where
    C: PixelColor + From<Gray8> + Into<Gray8>,
    Self: DrawTarget<Color = C> + GetPixel<Color = C>,
{
    fn read_luma(&self, first: usize, luma: &mut [u8]) -> Option<usize> {
        let left = (WIDTH * HEIGHT).checked_sub(first).filter(|&left| left > 0)?;
        let count = left.min(luma.len());
        for (index, byte) in (first..).zip(&mut luma[..count]) {
            let place = Point::new((index % WIDTH) as i32, (index / WIDTH) as i32);
            let grey: Gray8 = self.pixel(place)?.into();
            *byte = grey.luma();
        }
        Some(count)
    }
}

/// The display of a board that has none: there is no value of it.
#[derive(Debug)]
pub enum NoDisplay {}

impl Display for NoDisplay {
    const EXISTS: bool = false;

    fn read_luma(&self, _first: usize, _luma: &mut [u8]) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use embedded_graphics::framebuffer::buffer_size;
    use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU1, RawU8};

    use super::*;

    /// Draws a diagonal on `display`, of 3×2 pixels, and reads it back.
    fn check(mut display: impl Display<Error = Infallible>) {
        let white = |x| Pixel(Point::new(x, x), Gray8::WHITE.into());
        display.draw_iter((0..3).map(white)).unwrap();
        let mut luma = [7; 8];
        assert_eq!(display.read_luma(0, &mut luma), Some(6));
        assert_eq!(luma, [255, 0, 0, 0, 255, 0, 7, 7]);
        assert_eq!((display.read_luma(4, &mut luma[..1]), luma[0]), (Some(1), 255));
        assert_eq!(display.read_luma(6, &mut luma), None);
        assert_eq!(display.read_luma(usize::MAX, &mut luma), None);
    }

    #[test]
    fn memory_of_one_or_eight_bits_a_pixel_is_read_back_alike() {
        check(Framebuffer::<Gray8, RawU8, LittleEndian, 3, 2, { buffer_size::<Gray8>(3, 2) }>::new());
        check(Framebuffer::<BinaryColor, RawU1, LittleEndian, 3, 2, { buffer_size::<BinaryColor>(3, 2) }>::new());
    }
}
