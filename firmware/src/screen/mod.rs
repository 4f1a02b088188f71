//! What the display shows: the glyph that the model saw and the best answers, with what the answer cost.
//!
//! ```text
//! ┌──────────────────────────┐
//! │ title                    │
//! ├────────┬─────────────────┤
//! │        │ 97% 2%  1%  0%  │   probability in percent,
//! │ glyph  │  █              │   the same as a bar,
//! │        │  █  ▂   ▁   ▁   │
//! │        │  学 字  早  犬  │   label
//! ├────────┴─────────────────┤
//! │ 10.9 M instr.     27 KiB │   what recognising took, and the arena it took it in
//! └──────────────────────────┘
//! ```
//!
//! It draws in greys on any target. One rule (in `layout`) serves displays from monochrome of 128×64 pixels to
//! 800×480 and upright ones, where the answers stand below the glyph: everything but the text is enlarged by the
//! largest whole factor that fits, pixel for pixel.
//!
//! Labels are the package's bitmaps. A label without one is written in ASCII, by its code point if it must be.

mod enlarged;
mod layout;
mod lettering;
#[cfg(test)]
mod tests;
mod words;

use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::image::{GetPixel, ImageRaw};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::Alignment;
use fude_boards::Tick;
use fude_runtime::package::LabelBitmap;
use heapless::Vec;

use enlarged::Enlarged;
use layout::{ANSWERS, Chart, Layout};
use lettering::Lettering;

/// Greys; from half up they are white on a monochrome display.
mod grey {
    use embedded_graphics::pixelcolor::Gray8;

    pub const BACKGROUND: Gray8 = Gray8::new(0x00);
    pub const TITLE: Gray8 = Gray8::new(0xb8);
    pub const BEST: Gray8 = Gray8::new(0xff);
    pub const OTHER: Gray8 = Gray8::new(0xa0);
    pub const TRACK: Gray8 = Gray8::new(0x30);
    pub const PAPER: u8 = 0xf0;
}

/// Most answers that are shown.
pub const MAX_ANSWERS: usize = ANSWERS as usize;

/// The state of the application, as it is shown.
pub struct Screen<'a> {
    /// The model's name.
    pub title: &'a str,
    /// The glyph that the model saw, ink 255 on 0.
    pub glyph: Option<ImageRaw<'a, Gray8>>,
    /// The best answers, best first.
    pub answers: Vec<ShownAnswer<'a>, MAX_ANSWERS>,
    /// What the recognition cost.
    pub cost: Cost,
    /// Working memory of the model, in bytes.
    pub arena_bytes: usize,
}

/// One answer as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct ShownAnswer<'a> {
    /// Index of the class.
    pub class: u16,
    /// The class's label in the package.
    pub label: &'a str,
    /// The label as a picture, where the package has it.
    pub bitmap: Option<LabelBitmap<'a>>,
    /// Its probability, 0 to 100.
    pub percent: u8,
}

/// What a recognition cost: a number of ticks, and what a tick is.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// How many ticks.
    pub ticks: u64,
    /// Instructions or time of one; `None` where ticks say nothing of the board, and are not shown.
    pub tick: Option<Tick>,
}

impl Screen<'_> {
    /// Draws the whole screen.
    ///
    /// # Errors
    /// The target's own.
    pub fn draw<D: DrawTarget<Color: From<Gray8>>>(&self, target: &mut D) -> Result<(), D::Error> {
        let target = &mut target.color_converted::<Gray8>();
        target.clear(grey::BACKGROUND)?;
        let layout = Layout::of(target.bounding_box());

        target.fill_solid(&layout.title_bar, grey::TITLE)?;
        layout.lettering.draw(target, self.title, &layout.title, Alignment::Left, grey::BACKGROUND)?;
        if let Some(glyph) = &self.glyph {
            draw_glyph(target, glyph, &layout.glyph, layout.gap)?;
        }
        self.draw_answers(target, &layout.chart)?;
        self.draw_foot(target, &layout)
    }

    fn draw_answers<D: DrawTarget<Color = Gray8>>(&self, target: &mut D, chart: &Chart) -> Result<(), D::Error> {
        // All bitmaps alike: characters of one script are of one size.
        let fits = |bitmap: LabelBitmap<'_>| {
            let box_size = chart.label_size();
            (box_size.width / bitmap.width()).min(box_size.height / bitmap.height())
        };
        let factor =
            self.answers.iter().filter_map(|answer| answer.bitmap).map(fits).filter(|&factor| factor > 0).min();

        for (index, answer) in self.answers.iter().enumerate() {
            let column = chart.column(index as u32);
            let shade = if index == 0 { grey::BEST } else { grey::OTHER };
            let percent = words::percent(answer.percent, chart.has_percent_sign);
            chart.lettering.draw(target, &percent, &column.percent, Alignment::Center, shade)?;

            target.fill_solid(&column.bar, grey::TRACK)?;
            // An unlikely answer has a line to stand on.
            let Size { width, height } = column.bar.size;
            let filled = (height * u32::from(answer.percent.min(100)) / 100).max(chart.line_width).min(height);
            let top = column.bar.top_left + Point::new(0, (height - filled) as i32);
            target.fill_solid(&Rectangle::new(top, Size::new(width, filled)), shade)?;

            match (answer.bitmap.filter(|bitmap| fits(*bitmap) > 0), factor) {
                (Some(bitmap), Some(factor)) => draw_bitmap(target, &bitmap, factor, &column.label, shade)?,
                _ => draw_label_text(target, answer, &column.label, shade)?,
            }
        }
        Ok(())
    }

    /// Cost to the left, memory to the right, in the longest words for which there is room.
    fn draw_foot<D: DrawTarget<Color = Gray8>>(&self, target: &mut D, layout: &Layout) -> Result<(), D::Error> {
        let columns = (layout.foot.size.width / layout.lettering.column()) as usize;
        let wordings = [(true, true), (false, true), (false, false)];
        let wording = wordings.map(|(long_cost, long_memory)| {
            (words::cost(self.cost, long_cost), words::memory(self.arena_bytes, long_memory))
        });
        let fits = wording.iter().find(|(cost, memory)| cost.len() + memory.len() + 2 <= columns);
        let Some((cost, memory)) = fits.or(wording.last()) else { return Ok(()) };
        layout.lettering.draw(target, cost, &layout.foot, Alignment::Left, grey::OTHER)?;
        if cost.len() + memory.len() < columns {
            layout.lettering.draw(target, memory, &layout.foot, Alignment::Right, grey::OTHER)?;
        }
        Ok(())
    }
}

/// Draws the glyph in the middle of a sheet of paper, in dark ink, by the largest whole factor that fits.
///
/// The blank margin that every glyph has is left to the sheet. Where not even the ink fits, squares of pixels
/// become one, their mean.
fn draw_glyph<D: DrawTarget<Color = Gray8>>(
    target: &mut D,
    glyph: &ImageRaw<'_, Gray8>,
    sheet: &Rectangle,
    margin: u32,
) -> Result<(), D::Error> {
    target.fill_solid(sheet, Gray8::new(grey::PAPER))?;
    let ink_at = |place| glyph.pixel(place).map_or(0, |pixel| u32::from(pixel.luma()));
    let size = glyph.size();
    let to_edge = |place: Point| {
        let (x, y) = (place.x as u32, place.y as u32);
        x.min(y).min(size.width - 1 - x).min(size.height - 1 - y)
    };
    let inked = glyph.bounding_box().points().filter(|&place| ink_at(place) > 0);
    let Some(blank) = inked.map(to_edge).min() else { return Ok(()) };

    let ink = size - Size::new_equal(2 * blank);
    let room = sheet.size.saturating_sub(Size::new_equal(margin));
    let factor = (room.width / ink.width).min(room.height / ink.height).max(1);
    let square = ink.width.div_ceil(room.width.max(1)).max(ink.height.div_ceil(room.height.max(1)));
    let drawn = Size::new(ink.width.div_ceil(square), ink.height.div_ceil(square));

    let start = sheet.top_left + sheet.size.saturating_sub(drawn * factor) / 2;
    let mean = |place: Point| {
        let corner = Point::new_equal(blank as i32) + place * square as i32;
        let pixels = Rectangle::new(corner, Size::new_equal(square)).points();
        pixels.map(ink_at).sum::<u32>() / (square * square)
    };
    let shade = |place| Pixel(place, Gray8::new(grey::PAPER.saturating_sub(mean(place) as u8)));
    let pixels = Rectangle::new(Point::zero(), drawn).points().map(shade);
    Enlarged::new(&mut target.clipped(sheet), start, factor).draw_iter(pixels)
}

/// Draws a label's picture in the middle of `area`.
fn draw_bitmap<D: DrawTarget<Color = Gray8>>(
    target: &mut D,
    bitmap: &LabelBitmap<'_>,
    factor: u32,
    area: &Rectangle,
    shade: Gray8,
) -> Result<(), D::Error> {
    let size = Size::new(bitmap.width(), bitmap.height());
    let start = area.top_left + area.size.saturating_sub(size * factor) / 2;
    let pixels = Rectangle::new(Point::zero(), size).points();
    let ink = pixels.filter(|place| bitmap.is_ink(place.x as u32, place.y as u32));
    Enlarged::new(&mut target.clipped(area), start, factor).draw_iter(ink.map(|place| Pixel(place, shade)))
}

/// Writes a label in the middle of `area`: in one line where that fits, else in two without the `U+`.
fn draw_label_text<D: DrawTarget<Color = Gray8>>(
    target: &mut D,
    answer: &ShownAnswer<'_>,
    area: &Rectangle,
    shade: Gray8,
) -> Result<(), D::Error> {
    let text = words::label(answer.label, answer.class);
    let Size { width, height } = area.size;
    if let Some(lettering) = Lettering::largest(text.len() as u32, Size::new(width, height)) {
        return lettering.draw(target, &text, area, Alignment::Center, shade);
    }
    let text = text.strip_prefix("U+").unwrap_or(&text);
    // ASCII, which can be split anywhere.
    let (first, second) = text.split_at_checked(text.len().div_ceil(2)).unwrap_or((text, ""));
    let lettering = Lettering::largest(first.len() as u32, Size::new(width, height / 2)).unwrap_or(Lettering::SMALLEST);
    for (line, top) in [(first, 0), (second, height / 2)] {
        let line_area = Rectangle::new(area.top_left + Size::new(0, top), Size::new(width, height / 2));
        lettering.draw(target, line, &line_area, Alignment::Center, shade)?;
    }
    Ok(())
}
