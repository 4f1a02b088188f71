//! What the display shows: the model's name, the glyph that the model saw, and the best answers.
//!
//! ```text
//! ┌────────────────────────┐
//! │ title                  │
//! ├──────────┬─────────────┤
//! │          │ 1 U+5C71 93%│   rank, label, probability
//! │  glyph   │ ██████████▁ │   and the probability as a bar
//! │          │ 2 U+51FA  4%│
//! │          │ ▁▁▁▁▁▁▁▁▁▁▁ │
//! └──────────┴─────────────┘
//! ```
//!
//! It draws in greys on any target, from monochrome of 128×64 pixels to colour of 320×240; the largest font that
//! leaves room for five answers is taken, and the glyph is enlarged by a whole factor, pixel for pixel.
//!
//! The fonts are those of `embedded-graphics`, which have no Japanese: a label that is not ASCII is shown by its
//! code point.

use core::fmt::{self, Write};

use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::image::{GetPixel, ImageRaw};
use embedded_graphics::mono_font::ascii::{FONT_5X8, FONT_6X10, FONT_7X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use fude_runtime::limits::MAX_TOP_K;
use heapless::{String, Vec};

/// Most answers that are shown.
const ROWS: u32 = 5;
/// Largest first.
const FONTS: [&MonoFont<'_>; 4] = [&FONT_10X20, &FONT_7X13, &FONT_6X10, &FONT_5X8];
/// Columns of the font that the display must have, and those of an answer.
const COLUMNS: u32 = 25;
const ANSWER_COLUMNS: u32 = 12;

/// Greys; from half up they are white on a monochrome display.
mod grey {
    use embedded_graphics::pixelcolor::Gray8;

    pub const BACKGROUND: Gray8 = Gray8::new(0x00);
    pub const TITLE: Gray8 = Gray8::new(0xb8);
    pub const BEST: Gray8 = Gray8::new(0xff);
    pub const OTHER: Gray8 = Gray8::new(0xa0);
    pub const TRACK: Gray8 = Gray8::new(0x38);
    pub const PAPER: u8 = 0xf0;
}

/// The state of the application, as it is shown.
pub struct Screen<'a> {
    /// The model's name.
    pub title: &'a str,
    /// The glyph that the model saw, ink 255 on 0.
    pub glyph: Option<ImageRaw<'a, Gray8>>,
    /// The best answers, best first.
    pub rows: Vec<Row<'a>, MAX_TOP_K>,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Index of the class.
    pub class: u16,
    /// The class's label in the package.
    pub label: &'a str,
    /// Its probability, 0 to 100.
    pub percent: u8,
}

impl Screen<'_> {
    /// Draws the whole screen.
    ///
    /// # Errors
    /// The target's own.
    pub fn draw<D: DrawTarget<Color: From<Gray8>>>(&self, target: &mut D) -> Result<(), D::Error> {
        let mut target = target.color_converted::<Gray8>();
        target.clear(grey::BACKGROUND)?;
        let layout = Layout::of(target.bounding_box());

        target.fill_solid(&layout.title, grey::TITLE)?;
        let title = MonoTextStyle::new(layout.font, grey::BACKGROUND);
        let start = layout.title.top_left + Point::new(layout.gap as i32, 1);
        Text::with_baseline(self.title, start, title, Baseline::Top).draw(&mut target.clipped(&layout.title))?;

        if let Some(glyph) = &self.glyph {
            draw_glyph(&mut target, glyph, &layout.glyph)?;
        }
        for (index, row) in self.rows.iter().take(ROWS as usize).enumerate() {
            layout.draw_row(&mut target, index, row)?;
        }
        Ok(())
    }
}

/// Draws the glyph in the middle of `area`, dark ink on a sheet of paper.
fn draw_glyph<D: DrawTarget<Color = Gray8>>(
    target: &mut D,
    glyph: &ImageRaw<'_, Gray8>,
    area: &Rectangle,
) -> Result<(), D::Error> {
    target.fill_solid(area, Gray8::new(grey::PAPER))?;
    let size = glyph.size();
    let factor = (area.size.width / size.width.max(1)).min(area.size.height / size.height.max(1)).max(1);
    let start = area.top_left + (area.size.saturating_sub(size * factor)) / 2;
    let mut target = target.clipped(area);
    for place in glyph.bounding_box().points() {
        let ink = glyph.pixel(place).map_or(0, |pixel| pixel.luma());
        let pixel = Rectangle::new(start + place * factor as i32, Size::new_equal(factor));
        target.fill_solid(&pixel, Gray8::new(grey::PAPER.saturating_sub(ink)))?;
    }
    Ok(())
}

/// Where things are on a display of some size.
struct Layout {
    font: &'static MonoFont<'static>,
    /// Between things, in pixels.
    gap: u32,
    title: Rectangle,
    glyph: Rectangle,
    /// All answers.
    rows: Rectangle,
}

impl Layout {
    fn of(area: Rectangle) -> Self {
        let Size { width, height } = area.size;
        let fits = |font: &&MonoFont<'_>| {
            let Size { width: column, height: line } = font.character_size;
            COLUMNS * column <= width && title_height(font) + ROWS * (line + 3) <= height
        };
        let font = FONTS.into_iter().find(fits).unwrap_or(&FONT_5X8);
        let gap = font.character_size.height / 4;

        let title = Rectangle::new(area.top_left, Size::new(width, title_height(font)));
        let below = height.saturating_sub(title.size.height);
        let beside_answers = width.saturating_sub(ANSWER_COLUMNS * font.character_size.width + 4 * gap);
        let side = below.saturating_sub(2).min(width * 12 / COLUMNS).min(beside_answers);
        let glyph_top = title.size.height + (below - side) / 2;
        let rows_left = gap + side + 2 * gap;
        Self {
            font,
            gap,
            title,
            glyph: at(area, gap, glyph_top, side, side),
            rows: at(area, rows_left, title.size.height, width.saturating_sub(rows_left + gap), below),
        }
    }

    fn draw_row<D: DrawTarget<Color = Gray8>>(
        &self,
        target: &mut D,
        index: usize,
        row: &Row<'_>,
    ) -> Result<(), D::Error> {
        let row_height = self.rows.size.height / ROWS;
        let width = self.rows.size.width;
        let line = self.font.character_size.height;
        let bar_height = (row_height.saturating_sub(line) / 3).max(2);
        let top = self.rows.top_left.y as u32 + index as u32 * row_height;
        let top = top + row_height.saturating_sub(line + bar_height) / 2;
        let left = self.rows.top_left.x as u32;
        let text_area = at(Rectangle::zero(), left, top, width, line);

        let shade = if index == 0 { grey::BEST } else { grey::OTHER };
        let style = MonoTextStyle::new(self.font, shade);
        let right = TextStyleBuilder::new().baseline(Baseline::Top).alignment(Alignment::Right).build();
        let (mut label, mut percent) = (String::<24>::new(), String::<8>::new());
        // What does not fit the string would not fit the display either.
        let _ = write!(label, "{} {}", index + 1, Label(row));
        let _ = write!(percent, "{}%", row.percent);
        let mut text_target = target.clipped(&text_area);
        Text::with_baseline(&label, text_area.top_left, style, Baseline::Top).draw(&mut text_target)?;
        let end = text_area.top_left + Point::new(width as i32 - 1, 0);
        Text::with_text_style(&percent, end, style, right).draw(&mut text_target)?;

        let bar = at(Rectangle::zero(), left, top + line, width, bar_height);
        target.fill_solid(&bar, grey::TRACK)?;
        let filled = Size::new(width * u32::from(row.percent.min(100)) / 100, bar_height);
        target.fill_solid(&Rectangle::new(bar.top_left, filled), shade)
    }
}

fn title_height(font: &MonoFont<'_>) -> u32 {
    font.character_size.height + 1
}

/// A rectangle inside `area`.
fn at(area: Rectangle, left: u32, top: u32, width: u32, height: u32) -> Rectangle {
    Rectangle::new(area.top_left + Point::new(left as i32, top as i32), Size::new(width, height))
}

/// A label in ASCII: itself, else its code point, else (several characters) the index of the class.
struct Label<'r>(&'r Row<'r>);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.label.chars();
        match (characters.next(), characters.next()) {
            (Some(_), _) if self.0.label.bytes().all(|byte| byte.is_ascii_graphic()) => f.write_str(self.0.label),
            (Some(one), None) => write!(f, "U+{:04X}", u32::from(one)),
            _ => write!(f, "#{}", self.0.class),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use std::string::String as StdString;
    use std::vec::Vec as StdVec;

    use embedded_graphics::pixelcolor::{BinaryColor, Rgb565};

    use super::*;

    /// A display of any size and colour.
    struct Canvas<C> {
        size: Size,
        pixels: StdVec<C>,
    }

    impl<C: PixelColor + From<Gray8>> Canvas<C> {
        /// What `screen` looks like on a display of this size.
        fn showing(screen: &Screen<'_>, width: u32, height: u32) -> Self {
            let pixels = std::vec![C::from(Gray8::new(0x77)); (width * height) as usize];
            let mut canvas = Self { size: Size::new(width, height), pixels };
            screen.draw(&mut canvas).unwrap();
            canvas
        }

        fn at(&self, x: i32, y: i32) -> C {
            self.pixels[(y * self.size.width as i32 + x) as usize]
        }
    }

    impl<C> OriginDimensions for Canvas<C> {
        fn size(&self) -> Size {
            self.size
        }
    }

    impl<C: PixelColor> DrawTarget for Canvas<C> {
        type Color = C;
        type Error = Infallible;

        fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> Result<(), Infallible> {
            for Pixel(place, color) in pixels {
                if self.bounding_box().contains(place) {
                    self.pixels[(place.y * self.size.width as i32 + place.x) as usize] = color;
                }
            }
            Ok(())
        }
    }

    const CROSS_SIDE: usize = 32;

    fn cross() -> StdVec<u8> {
        let arm = |place| (14..18).contains(&place);
        let inner = |place| (2..CROSS_SIDE - 2).contains(&place);
        let ink = |x, y| if (arm(x) && inner(y)) || (arm(y) && inner(x)) { 255 } else { 0 };
        (0..CROSS_SIDE).flat_map(|y| (0..CROSS_SIDE).map(move |x| ink(x, y))).collect()
    }

    fn screen(glyph: &[u8]) -> Screen<'_> {
        let rows = [("\u{5341}", 93), ("+", 5), ("\u{2000B}", 2), ("\u{4E00}\u{4E8C}", 0), ("\u{571F}", 0)];
        let rows = rows.into_iter().zip(340..).map(|((label, percent), class)| Row { class, label, percent });
        Screen { title: "quickstart", glyph: Some(ImageRaw::new(glyph, CROSS_SIDE as u32)), rows: rows.collect() }
    }

    /// Two rows of pixels in a line of text.
    fn as_text(canvas: &Canvas<BinaryColor>) -> StdString {
        let mut text = StdString::new();
        for y in (0..canvas.size.height as i32).step_by(2) {
            let block = |x| match (canvas.at(x, y).is_on(), canvas.at(x, y + 1).is_on()) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            };
            let line: StdString = (0..canvas.size.width as i32).map(block).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    #[test]
    fn the_smallest_display_shows_everything() {
        insta::assert_snapshot!(as_text(&Canvas::showing(&screen(&cross()), 128, 64)));
    }

    #[test]
    fn nothing_overlaps_or_leaves_the_display_at_any_size() {
        for (width, height) in (128..=320).step_by(7).flat_map(|w| (64..=240).step_by(5).map(move |h| (w, h))) {
            let area = Rectangle::new(Point::zero(), Size::new(width, height));
            let layout = Layout::of(area);
            let parts = [layout.title, layout.glyph, layout.rows];
            for (index, part) in parts.iter().enumerate() {
                assert!(!part.is_zero_sized() && area.intersection(part) == *part, "{width}×{height}: {part:?}");
                for other in &parts[index + 1..] {
                    assert!(part.intersection(other).is_zero_sized(), "{width}×{height}: {part:?}, {other:?}");
                }
            }
            let columns = layout.rows.size.width / layout.font.character_size.width;
            assert!(columns >= ANSWER_COLUMNS, "{width}×{height}: an answer has {columns} columns");
        }
    }

    #[test]
    fn a_display_too_small_for_it_is_no_panic() {
        for (width, height) in [(1, 1), (8, 200), (200, 8), (64, 48)] {
            Canvas::<BinaryColor>::showing(&screen(&cross()), width, height);
        }
    }

    #[test]
    fn the_glyph_is_enlarged_pixel_for_pixel() {
        let glyph = cross();
        let canvas = Canvas::<Gray8>::showing(&screen(&glyph), 320, 240);
        let area = Layout::of(canvas.bounding_box()).glyph;
        let factor = 4;
        let start = area.top_left + (area.size - Size::new_equal(CROSS_SIDE as u32 * factor as u32)) / 2;
        for (place, pixel) in glyph.iter().enumerate() {
            let (x, y) = ((place % CROSS_SIDE) as i32 * factor, (place / CROSS_SIDE) as i32 * factor);
            for (dx, dy) in [(0, 0), (factor - 1, factor - 1)] {
                let found = canvas.at(start.x + x + dx, start.y + y + dy);
                assert_eq!(found.luma(), grey::PAPER.saturating_sub(*pixel), "at {x}, {y}");
            }
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_answer_is_likely() {
        let lit = |percent| {
            let row = Row { class: 0, label: "", percent };
            let screen = Screen { title: "", glyph: None, rows: core::iter::once(row).collect() };
            let canvas = Canvas::<Rgb565>::showing(&screen, 160, 128);
            let rows = Layout::of(canvas.bounding_box()).rows;
            let line = |y| (rows.top_left.x..160).filter(|&x| canvas.at(x, y) == Rgb565::WHITE).count();
            (rows.top_left.y..rows.top_left.y + (rows.size.height / ROWS) as i32).map(line).max().unwrap() as u32
        };
        let full = Layout::of(Rectangle::new(Point::zero(), Size::new(160, 128))).rows.size.width;
        assert_eq!((lit(100), lit(60)), (full, full * 60 / 100));
    }

    #[test]
    fn labels_are_shown_in_ascii() {
        let text = |label| std::format!("{}", Label(&Row { class: 7, label, percent: 0 }));
        let labels = ["A", "10", "\u{5C71}", "\u{20B9F}", "\u{304D}\u{3083}", ""];
        assert_eq!(labels.map(text), ["A", "10", "U+5C71", "U+20B9F", "#7", "#7"]);
    }
}
