//! ASCII text in the fonts of `embedded-graphics`, also enlarged.

use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::mono_font::ascii::{FONT_5X8, FONT_6X10, FONT_7X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text};

use super::enlarged::Enlarged;

/// Smallest first.
const FONTS: [&MonoFont<'_>; 4] = [&FONT_5X8, &FONT_6X10, &FONT_7X13, &FONT_10X20];
const MAX_FACTOR: u32 = 4;

/// A font enlarged by a whole factor.
#[derive(Debug, Clone, Copy)]
pub struct Lettering {
    font: &'static MonoFont<'static>,
    factor: u32,
}

impl Lettering {
    /// Where nothing else fits.
    pub const SMALLEST: Self = Self { font: &FONT_5X8, factor: 1 };

    /// The highest one of which `columns` characters fit `room`.
    pub fn largest(columns: u32, room: Size) -> Option<Self> {
        let all = FONTS.into_iter().flat_map(|font| (1..=MAX_FACTOR).map(move |factor| Self { font, factor }));
        all.filter(|one| one.column() * columns <= room.width && one.line() <= room.height).max_by_key(Self::line)
    }

    /// Width of a character, in pixels.
    pub fn column(&self) -> u32 {
        self.font.character_size.width * self.factor
    }

    /// Height of a character, in pixels.
    pub fn line(&self) -> u32 {
        self.font.character_size.height * self.factor
    }

    /// Writes a line in `area`, in the middle of its height; what does not fit is cut off.
    pub fn draw<D: DrawTarget<Color = Gray8>>(
        &self,
        target: &mut D,
        text: &str,
        area: &Rectangle,
        alignment: Alignment,
        shade: Gray8,
    ) -> Result<(), D::Error> {
        let width = text.len() as u32 * self.column();
        let free = area.size.saturating_sub(Size::new(width, self.line()));
        let left = match alignment {
            Alignment::Left => 0,
            Alignment::Center => free.width / 2,
            Alignment::Right => free.width,
        };
        let start = area.top_left + Size::new(left, free.height / 2);
        let style = MonoTextStyle::new(self.font, shade);
        let mut clipped = target.clipped(area);
        let mut enlarged = Enlarged::new(&mut clipped, start, self.factor);
        Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut enlarged).map(|_| ())
    }
}
