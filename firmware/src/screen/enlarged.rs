//! Drawing by whole factors: a pixel becomes a square.

use embedded_graphics::pixelcolor::PixelColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// A view of a target whose pixels are squares of the target's.
pub struct Enlarged<'t, T> {
    target: &'t mut T,
    origin: Point,
    factor: u32,
}

impl<'t, T: DrawTarget<Color: PixelColor>> Enlarged<'t, T> {
    /// A view whose pixel (0, 0) has its upper left corner at `origin`, with pixels `factor` wide and high.
    pub fn new(target: &'t mut T, origin: Point, factor: u32) -> Self {
        Self { target, origin, factor: factor.max(1) }
    }
}

impl<T: DrawTarget> DrawTarget for Enlarged<'_, T> {
    type Color = T::Color;
    type Error = T::Error;

    fn draw_iter<I: IntoIterator<Item = Pixel<T::Color>>>(&mut self, pixels: I) -> Result<(), T::Error> {
        let mut pixels = pixels.into_iter();
        pixels.try_for_each(|Pixel(place, color)| self.fill_solid(&Rectangle::new(place, Size::new_equal(1)), color))
    }

    fn fill_solid(&mut self, area: &Rectangle, color: T::Color) -> Result<(), T::Error> {
        let corner = self.origin + area.top_left * self.factor as i32;
        self.target.fill_solid(&Rectangle::new(corner, area.size * self.factor), color)
    }
}

impl<T: DrawTarget> Dimensions for Enlarged<'_, T> {
    fn bounding_box(&self) -> Rectangle {
        let area = self.target.bounding_box();
        Rectangle::new((area.top_left - self.origin) / self.factor as i32, area.size / self.factor)
    }
}
