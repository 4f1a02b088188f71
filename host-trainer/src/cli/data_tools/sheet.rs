//! A contact sheet: glyphs in rows and groups of columns, each group with a heading.

use std::convert::Infallible;
use std::path::Path;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};

use crate::dataset::{DatasetError, Distortion, Glyph, distort, rng_for, write_png};

/// Side of a glyph on the sheet, in pixels.
pub const CELL: u16 = 64;
/// Paper between glyphs, and around the sheet.
const GAP: u16 = 2;
/// Paper between groups of columns.
const GROUP_GAP: u16 = 12;
/// Rows of pixels for the headings.
const HEADING: u16 = 14;

/// Columns that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// What is in them, in ASCII. It is cut off at the group's edge.
    pub heading: &'a str,
    /// How many there are.
    pub columns: u16,
}

/// A sheet that is filled cell by cell.
pub struct Sheet {
    picture: Glyph,
    /// Left edge of each column.
    lefts: Vec<u16>,
}

impl Sheet {
    /// An empty sheet; `None` where it would be wider or higher than 65,535 pixels.
    pub fn new(groups: &[Group<'_>], rows: usize) -> Option<Self> {
        let mut lefts = Vec::new();
        let mut headings = Vec::new();
        let mut left = GAP;
        for group in groups.iter().filter(|group| group.columns > 0) {
            headings.push((left, group));
            for _ in 0..group.columns {
                lefts.push(left);
                left = left.checked_add(CELL + GAP)?;
            }
            left = left.checked_add(GROUP_GAP)?;
        }
        let width = left.saturating_sub(GROUP_GAP).max(1);
        let height = u16::try_from(rows * usize::from(CELL + GAP) + usize::from(HEADING + GAP)).ok()?;
        let pixels = vec![0; usize::from(width) * usize::from(height)];
        let mut sheet = Self { picture: Glyph { width, height, pixels }, lefts };
        for (left, group) in headings {
            let letters = usize::from(group.columns * (CELL + GAP)) / FONT_6X10.character_size.width as usize;
            let text: String = group.heading.chars().take(letters).collect();
            let style = MonoTextStyle::new(&FONT_6X10, BinaryColor::On);
            let place = Point::new(left.into(), GAP.into());
            match Text::with_baseline(&text, place, style, Baseline::Top).draw(&mut sheet) {
                Ok(_) => {}
                Err(never) => match never {},
            }
        }
        Some(sheet)
    }

    /// Puts a glyph of any size into a cell; places beyond the sheet are left out.
    pub fn put(&mut self, column: usize, row: usize, glyph: &Glyph) {
        let Some(&left) = self.lefts.get(column) else { return };
        let glyph = distort(glyph, &Distortion::off(CELL), &mut rng_for(0, 0, 0));
        let top = usize::from(HEADING) + row * usize::from(CELL + GAP);
        let width = usize::from(self.picture.width);
        let lines = self.picture.pixels.chunks_exact_mut(width).skip(top);
        for (line, pixels) in lines.zip(glyph.pixels.chunks_exact(CELL.into())) {
            line[usize::from(left)..][..pixels.len()].copy_from_slice(pixels);
        }
    }

    /// Writes the sheet as a PNG, dark ink on white paper.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DatasetError> {
        write_png(path, &self.picture)
    }
}

impl OriginDimensions for Sheet {
    fn size(&self) -> Size {
        Size::new(self.picture.width.into(), self.picture.height.into())
    }
}

impl DrawTarget for Sheet {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let size = self.size();
        for Pixel(Point { x, y }, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            if x < size.width && y < size.height {
                self.picture.pixels[(y * size.width + x) as usize] = if color.is_on() { 255 } else { 0 };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_land_in_their_cells() {
        let groups = [
            Group { heading: "one", columns: 1 },
            Group { heading: "none", columns: 0 },
            Group { heading: "two", columns: 2 },
        ];
        let mut sheet = Sheet::new(&groups, 2).unwrap();
        let size = (sheet.picture.width, sheet.picture.height);
        assert_eq!(size, (GAP + 3 * (CELL + GAP) + GROUP_GAP, HEADING + 2 * (CELL + GAP) + GAP));
        let ink_of_headings = sheet.picture.pixels.iter().filter(|&&pixel| pixel > 0).count();
        assert!((20..200).contains(&ink_of_headings), "{ink_of_headings}");

        // A glyph of another size fills the cell.
        sheet.put(2, 1, &Glyph { width: 8, height: 8, pixels: vec![255; 64] });
        sheet.put(3, 0, &Glyph { width: 8, height: 8, pixels: vec![255; 64] });
        let at = |x: u16, y: u16| sheet.picture.pixels[usize::from(y) * usize::from(size.0) + usize::from(x)];
        let (left, top) = (GAP + 2 * (CELL + GAP) + GROUP_GAP, HEADING + CELL + GAP);
        assert_eq!((at(left + 32, top + 32), at(left - 1, top + 32), at(left + 32, top - 1)), (255, 0, 0));
    }

    #[test]
    fn a_sheet_that_no_picture_can_hold_is_refused() {
        assert!(Sheet::new(&[Group { heading: "", columns: 1 }], 1000).is_none());
        assert!(Sheet::new(&[Group { heading: "", columns: 1000 }], 1).is_none());
    }
}
