//! A profile as horizontal bars, one a layer, as SVG.

use plotters::prelude::{RGBColor, Rectangle, Text};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::Profile;
use crate::numbers::{grouped, percent};
use crate::plot::{Area, BLUE, GREEN, GREY, ORANGE, PlotError, legend, svg, text};

/// Width in pixels, of which the bars have the part between the lettering on both sides.
const WIDTH: u32 = 720;
const LEFT: i32 = 150;
const RIGHT: i32 = 190;
const HEAD: i32 = 64;
/// Height of a row and of the bar in it.
const ROW: i32 = 22;
const BAR: i32 = 14;

/// The chart of `profile`.
///
/// # Errors
/// [`PlotError`] where it cannot be drawn.
pub fn bars(profile: &Profile) -> Result<String, PlotError> {
    let height = HEAD + ROW * (profile.layers.len() as i32 + 1) + 12;
    svg((WIDTH, height as u32), |area| draw(profile, area))
}

fn draw(profile: &Profile, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let title =
        format!("{} on {}: {} {} a glyph", profile.model, profile.place(), grouped(profile.cost), profile.unit.name());
    area.draw(&Text::new(title, (12, 18), text(HPos::Left)))?;
    let kinds = [("matrix products", BLUE), ("depthwise", ORANGE), ("other layers", GREEN), ("outside layers", GREY)];
    legend(area, (12, 42), kinds)?;

    let layers = profile.layers.iter().enumerate();
    let layers =
        layers.map(|(index, layer)| (format!("{index} {}", layer.operator), layer.cost, colour(layer.operator)));
    let rows: Vec<_> = layers.chain([("outside layers".to_owned(), profile.outside_layers, GREY)]).collect();
    let longest = rows.iter().map(|&(_, cost, _)| cost).max().unwrap_or(0).max(1);
    for (nth, (name, cost, colour)) in rows.into_iter().enumerate() {
        let middle = HEAD + ROW * nth as i32 + ROW / 2;
        let end = LEFT + (cost as f64 / longest as f64 * f64::from(WIDTH as i32 - LEFT - RIGHT)) as i32;
        let share = percent(cost as f64 / profile.cost.max(1) as f64);
        area.draw(&Text::new(name, (LEFT - 8, middle), text(HPos::Right)))?;
        area.draw(&Rectangle::new([(LEFT, middle - BAR / 2), (end, middle + BAR / 2)], colour.filled()))?;
        area.draw(&Text::new(format!("{} ({share})", grouped(cost)), (end + 8, middle), text(HPos::Left)))?;
    }
    Ok(())
}

fn colour(operator: &str) -> RGBColor {
    match operator {
        "convolution" | "pointwise" | "dense" => BLUE,
        "depthwise" => ORANGE,
        _ => GREEN,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_made;
    use super::*;

    #[test]
    fn every_layer_has_its_bar() {
        let svg = bars(&hand_made()).unwrap();
        for part in ["kana on qemu-m4 (emulated): 1,000 instructions a glyph", "0 depthwise", "600 (60.00 %)", "1 gate"]
        {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        // The paper, four of the legend, two layers and what lies outside of them.
        assert_eq!(svg.matches("<rect").count(), 1 + 4 + 2 + 1);
        let width = |colour: &str| {
            let bar = svg.lines().rfind(|line| line.starts_with("<rect") && line.contains(colour)).unwrap();
            bar.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<i32>().unwrap()
        };
        assert_eq!((width("#C2571A"), width("#2E7D4F"), width("#BBBBBB")), (380, 190, 63));
    }
}
