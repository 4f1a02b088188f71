//! What pictures of figures have in common: colours, lettering, SVG.

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, IntoFont, RGBColor, Rectangle, SVGBackend, Text, TextStyle};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use thiserror::Error;

/// plotters takes a font's size to be 1.24² times what it writes into the SVG.
const LETTERING: f64 = 14.0 * 1.24;

/// What is drawn on.
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Lettering and axes.
pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Lines behind the figures.
pub const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// What matters least.
pub const GREY: RGBColor = RGBColor(0xbb, 0xbb, 0xbb);
/// The first kind of figure.
pub const BLUE: RGBColor = RGBColor(0x1f, 0x5f, 0xbf);
/// The second.
pub const ORANGE: RGBColor = RGBColor(0xc2, 0x57, 0x1a);
/// The third.
pub const GREEN: RGBColor = RGBColor(0x2e, 0x7d, 0x4f);

/// A drawing.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A chart that cannot be drawn.
#[derive(Debug, Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct PlotError(String);

/// The SVG document of this size, in pixels, that `draw` draws on paper.
///
/// # Errors
/// What `draw` comes to.
pub fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    let drawn = area.fill(&PAPER).map_err(Into::into).and_then(|()| draw(&area)).and_then(|()| Ok(area.present()?));
    drawn.map_err(|error| PlotError(error.to_string()))?;
    drop(area);
    Ok(svg)
}

/// Lettering that is centred on its place from above to below, and lies as `position` says from left to right.
pub fn text(position: HPos) -> TextStyle<'static> {
    ("sans-serif", LETTERING).into_font().color(&INK).pos(Pos::new(position, VPos::Center))
}

/// Names with their colours, side by side from `place` on.
///
/// # Errors
/// Where they cannot be drawn.
pub fn legend(
    area: &Area<'_>,
    (mut x, middle): (i32, i32),
    entries: impl IntoIterator<Item = (&'static str, RGBColor)>,
) -> Result<(), Box<dyn std::error::Error>> {
    for (name, colour) in entries {
        area.draw(&Rectangle::new([(x, middle - 2), (x + 12, middle + 2)], colour.filled()))?;
        area.draw(&Text::new(name, (x + 17, middle), text(HPos::Left)))?;
        x += 36 + 7 * name.len() as i32;
    }
    Ok(())
}
