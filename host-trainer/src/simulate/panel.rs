//! A display of any size, in memory.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Gray8, GrayColor};
use embedded_graphics::prelude::DrawTarget;

/// Columns and rows of a display, 128×64 to 800×800.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PanelSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl FromStr for PanelSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once(['x', '×']).and_then(|(width, height)| {
            let (width, height) = (width.parse().ok()?, height.parse().ok()?);
            ((128..=800).contains(&width) && (64..=800).contains(&height)).then_some(Self { width, height })
        });
        sides.ok_or_else(|| "write WIDTHxHEIGHT, from 128x64 to 800x800, for example 320x240".to_owned())
    }
}

impl fmt::Display for PanelSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.width, self.height)
    }
}

/// A display that is drawn on in greys and can be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    size: PanelSize,
    monochrome: bool,
    luma: Vec<u8>,
}

impl Panel {
    /// A black display; a `monochrome` one makes each grey black or white, as `embedded-graphics` does for such
    /// displays.
    pub fn new(size: PanelSize, monochrome: bool) -> Self {
        let pixels = usize::from(size.width) * usize::from(size.height);
        Self { size, monochrome, luma: vec![0; pixels] }
    }

    /// Columns and rows.
    pub fn panel_size(&self) -> PanelSize {
        self.size
    }

    /// What is shown: a byte of luma a pixel, row by row from the top.
    pub fn luma(&self) -> &[u8] {
        &self.luma
    }
}

impl OriginDimensions for Panel {
    fn size(&self) -> Size {
        Size::new(self.size.width.into(), self.size.height.into())
    }
}

impl DrawTarget for Panel {
    type Color = Gray8;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray8>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let area = self.bounding_box();
        for Pixel(place, color) in pixels {
            if area.contains(place) {
                let color = if self.monochrome { Gray8::from(BinaryColor::from(color)) } else { color };
                self.luma[place.y as usize * usize::from(self.size.width) + place.x as usize] = color.luma();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::geometry::Point;

    #[test]
    fn sizes_are_read_and_written() {
        for text in ["128x64", "320x240", "240x320", "800x480"] {
            assert_eq!(text.parse::<PanelSize>().unwrap().to_string(), text);
        }
        for text in ["", "320", "320x", "127x64", "128x63", "801x480", "320x240x3", "-320x240", "99999x99999"] {
            assert!(text.parse::<PanelSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_monochrome_panel_has_two_greys() {
        for (monochrome, expected) in [(false, [0, 127, 128, 255]), (true, [0, 0, 255, 255])] {
            let mut panel = Panel::new(PanelSize { width: 4, height: 2 }, monochrome);
            let row = [0, 127, 128, 255].into_iter().enumerate();
            let pixels = row.map(|(x, luma)| Pixel(Point::new(x as i32, 1), Gray8::new(luma)));
            // What lies outside is left out.
            let outside = [(-1, 0), (4, 0), (0, 2)].map(|place| Pixel(place.into(), Gray8::WHITE));
            panel.draw_iter(pixels.chain(outside)).unwrap();
            assert_eq!(panel.luma(), [&[0; 4][..], &expected].concat());
        }
    }
}
