//! Labels as bitmaps, for displays of boards: rendered on the host, packed into the package.

use std::fs;
use std::path::Path;

use ab_glyph::{Font, FontVec, GlyphId, PxScale, ScaleFont, point};

use crate::dataset::DatasetError;

/// File name of the font that is taken where none is named: GNU Unifont for Japanese, whose outlines are the
/// squares of 16×16 pixels, so that it comes out as it was drawn.
pub const DEFAULT_FACE: &str = "unifont_jp.otf";
/// Rows of a bitmap, and columns of a full-width character.
pub const ROWS: u8 = 16;
/// Rows above the baseline, as in Unifont and nearly so in other Japanese fonts.
const ASCENT: f32 = 14.0;
/// Widest bitmap in columns: four full-width characters. A longer label has none, for every class has as wide a cell.
const MAX_COLUMNS: usize = 4 * ROWS as usize;

/// A font that labels are drawn in.
pub struct LabelFont {
    font: FontVec,
    /// Side of the em square in font units.
    em: f32,
}

impl LabelFont {
    /// Reads a font file; the first face of a collection.
    ///
    /// # Errors
    /// [`DatasetError::Io`] when the file cannot be read, [`DatasetError::Font`] when it is no outline font.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let data = fs::read(path).map_err(DatasetError::io(path, "read"))?;
        let refused = || DatasetError::Font { path: path.to_owned() };
        let font = FontVec::try_from_vec_and_index(data, 0).map_err(|_| refused())?;
        let em = font.units_per_em().filter(|&em| em > 0.0).ok_or_else(refused)?;
        Ok(Self { font, em })
    }

    /// The bitmap of `label`: [`ROWS`] rows of pixels from the top, ink `true`. An em is 16 pixels, and a pixel is ink
    /// where the outlines cover half of it or more.
    ///
    /// Empty where the font lacks a character of the label, or the label is wider than 64 pixels.
    pub fn render(&self, label: &str) -> Vec<bool> {
        self.try_render(label).unwrap_or_default()
    }

    fn try_render(&self, label: &str) -> Option<Vec<bool>> {
        // ab_glyph's scale is the height of a line, not the em.
        let scale = PxScale::from(f32::from(ROWS) * self.font.height_unscaled() / self.em);
        let scaled = self.font.as_scaled(scale);
        let mut glyphs = Vec::new();
        let mut end = 0.0;
        for character in label.chars() {
            let id = self.font.glyph_id(character);
            // Glyph 0 is the box that stands for whatever a face lacks.
            (id != GlyphId(0)).then_some(())?;
            glyphs.push(id.with_scale_and_position(scale, point(end, ASCENT)));
            end += scaled.h_advance(id);
        }
        let columns = end.round() as usize;
        let rows = usize::from(ROWS);
        (1..=MAX_COLUMNS).contains(&columns).then_some(())?;

        let mut bitmap = vec![false; rows * columns];
        // A space has no outline.
        for glyph in glyphs.into_iter().filter_map(|glyph| self.font.outline_glyph(glyph)) {
            let origin = glyph.px_bounds().min;
            glyph.draw(|x, y, coverage| {
                let (x, y) = (origin.x + x as f32, origin.y + y as f32);
                if (0.0..columns as f32).contains(&x) && (0.0..f32::from(ROWS)).contains(&y) && coverage >= 0.5 {
                    bitmap[y as usize * columns + x as usize] = true;
                }
            });
        }
        bitmap.contains(&true).then_some(bitmap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFONT: &str = "/usr/share/fonts/opentype/unifont/unifont_jp.otf";

    fn unifont() -> LabelFont {
        assert!(Path::new(UNIFONT).is_file(), "{UNIFONT} is missing: install fonts-unifont");
        LabelFont::read(Path::new(UNIFONT)).unwrap()
    }

    /// Rows of `#` and `.`.
    fn drawn(font: &LabelFont, label: &str) -> Vec<String> {
        let bitmap = font.render(label);
        let columns = (bitmap.len() / usize::from(ROWS)).max(1);
        let row = |row: &[bool]| row.iter().map(|&ink| if ink { '#' } else { '.' }).collect();
        bitmap.chunks(columns).map(row).collect()
    }

    #[test]
    fn unifont_comes_out_as_it_was_drawn() {
        let mouth = drawn(&unifont(), "口");
        let (blank, bar, sides) = ("................", "...###########..", "...#.........#..");
        let expected = [[blank; 3].as_slice(), &[bar], &[sides; 8], &[bar, sides], &[blank; 2]].concat();
        assert_eq!(mouth, expected);
    }

    #[test]
    fn every_pixel_of_unifont_is_covered_or_not() {
        let font = unifont();
        let scale = PxScale::from(f32::from(ROWS) * font.font.height_unscaled() / font.em);
        for character in "一口学曜きゃA7".chars() {
            let glyph = font.font.glyph_id(character).with_scale_and_position(scale, point(0.0, ASCENT));
            let outlined = font.font.outline_glyph(glyph).unwrap();
            outlined.draw(|x, y, coverage| {
                assert!(!(1e-3..=1.0 - 1e-3).contains(&coverage), "{character}: {coverage} at {x}, {y}");
            });
        }
    }

    #[test]
    fn widths_follow_the_characters() {
        let font = unifont();
        let columns = |label| font.render(label).len() / usize::from(ROWS);
        assert_eq!(["学", "7", "10", "きゃ", "一二三四"].map(columns), [16, 8, 16, 32, 64]);
        assert_eq!(["一二三四五", "", " ", "学\u{10FFFF}"].map(columns), [0; 4], "no bitmap");
        // Side by side, each as it is alone.
        let (both, first) = (drawn(&font, "学7"), drawn(&font, "学"));
        assert!(both.iter().zip(&first).all(|(both, first)| both.starts_with(first.as_str())));
    }

    #[test]
    fn a_file_that_is_no_font_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.otf");
        fs::write(&path, [0x5a; 500]).unwrap();
        assert!(matches!(LabelFont::read(&path), Err(DatasetError::Font { path: named }) if named == path));
        assert!(matches!(LabelFont::read(&folder.path().join("absent.otf")), Err(DatasetError::Io { .. })));
    }
}
