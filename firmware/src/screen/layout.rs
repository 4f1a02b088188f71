//! Where things are on a display of some size.

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use super::lettering::Lettering;

/// Most answers that are shown.
pub const ANSWERS: u32 = 5;
/// Side of a full-width label bitmap, in pixels.
const LABEL: u32 = 16;
/// Columns that the title and the foot have at least, and how often their line fits the display's height.
const COLUMNS: u32 = 25;
const LINES: u32 = 10;

/// The parts of the screen. None overlaps another, and none leaves the display if that has 128×64 pixels or more.
#[derive(Debug)]
pub struct Layout {
    /// Of title and foot.
    pub lettering: Lettering,
    /// Between parts, in pixels.
    pub gap: u32,
    /// The whole width at the top; [`Self::title`] is inside.
    pub title_bar: Rectangle,
    pub title: Rectangle,
    pub glyph: Rectangle,
    pub chart: Chart,
    pub foot: Rectangle,
}

impl Layout {
    /// The layout of a display with this area.
    pub fn of(area: Rectangle) -> Self {
        let Size { width, height } = area.size;
        let room = Size::new(width, height / LINES);
        let lettering = Lettering::largest(COLUMNS, room).unwrap_or(Lettering::SMALLEST);
        let line = lettering.line();
        let gap = line / 4;

        let inner = width.saturating_sub(2 * gap);
        let bar_height = line + line / 8;
        let foot_top = height.saturating_sub(line + gap / 2);
        let content_top = bar_height + gap;
        let content = Size::new(inner, foot_top.saturating_sub(content_top + gap / 2));
        let (glyph, chart) = split(content, gap);
        let at = |left, top, size| Rectangle::new(area.top_left + Size::new(left, top), size);
        let below = |part: Rectangle| Rectangle::new(part.top_left + at(gap, content_top, content).top_left, part.size);
        Self {
            lettering,
            gap,
            title_bar: at(0, 0, Size::new(width, bar_height)),
            title: at(gap, 0, Size::new(inner, bar_height)),
            glyph: below(glyph),
            chart: Chart::of(below(chart)),
            foot: at(gap, foot_top, Size::new(inner, line)),
        }
    }
}

/// Shares the room between glyph and answers: side by side, on upright displays one below the other.
fn split(room: Size, gap: u32) -> (Rectangle, Rectangle) {
    let Size { width, height } = room;
    if width >= height {
        // Labels are enlarged, with a pixel between them, as long as the glyph keeps most of the height.
        let glyph_width = |factor| width.saturating_sub(ANSWERS * (LABEL + 1) * factor + gap);
        let factor = (2..=height / (2 * LABEL)).rev().find(|&factor| glyph_width(factor) >= height * 7 / 10);
        let smallest = width.saturating_sub(ANSWERS * LABEL + gap);
        let side = factor.map_or(smallest, glyph_width).min(height);
        let chart_left = side + gap;
        let chart = Size::new(width.saturating_sub(chart_left), height);
        (
            Rectangle::new(Point::zero(), Size::new(side, height)),
            Rectangle::new(Point::new(chart_left as i32, 0), chart),
        )
    } else {
        let side = width.min(height * 4 / 7);
        let chart_top = side + gap;
        let chart = Size::new(width, height.saturating_sub(chart_top));
        (Rectangle::new(Point::zero(), Size::new(width, side)), Rectangle::new(Point::new(0, chart_top as i32), chart))
    }
}

/// The answers: columns side by side, each with percentage, bar and label.
#[derive(Debug)]
pub struct Chart {
    area: Rectangle,
    /// Side of the square for a label.
    label: u32,
    /// Between the parts of a column.
    gap: u32,
    /// Of the percentages.
    pub lettering: Lettering,
    /// Whether there is room for it.
    pub has_percent_sign: bool,
    /// Thickness of the thinnest bar.
    pub line_width: u32,
}

/// One answer's place.
#[derive(Debug)]
pub struct Column {
    pub percent: Rectangle,
    pub bar: Rectangle,
    pub label: Rectangle,
}

impl Chart {
    fn of(area: Rectangle) -> Self {
        let column = area.size.width / ANSWERS;
        // Percentage and bar have more height than the label.
        let factor = (column / LABEL).min(area.size.height / (5 * LABEL / 2)).max(1);
        let label = LABEL * factor;
        let fits = |columns| Lettering::largest(columns, Size::new(column, label.min(area.size.height / 4)));
        let with_sign = fits(4);
        let lettering = with_sign.or_else(|| fits(3)).unwrap_or(Lettering::SMALLEST);
        Self {
            area,
            label,
            gap: factor + 1,
            lettering,
            has_percent_sign: with_sign.is_some(),
            line_width: 1 + factor / 4,
        }
    }

    /// Room for one label.
    pub fn label_size(&self) -> Size {
        Size::new(self.area.size.width / ANSWERS, self.label)
    }

    /// The place of the answer at `index`.
    pub fn column(&self, index: u32) -> Column {
        let Size { width, height } = self.area.size;
        let column = width / ANSWERS;
        let left = index * column + width % ANSWERS / 2;
        let at = |left, top, size| Rectangle::new(self.area.top_left + Size::new(left, top), size);
        let label_top = height.saturating_sub(self.label);
        let bar_top = self.lettering.line() + self.gap;
        let bar = Size::new(column * 5 / 8, label_top.saturating_sub(bar_top + self.gap));
        Column {
            percent: at(left, 0, Size::new(column, self.lettering.line())),
            bar: at(left + (column - bar.width) / 2, bar_top, bar),
            label: at(left, label_top, Size::new(column, self.label)),
        }
    }
}
