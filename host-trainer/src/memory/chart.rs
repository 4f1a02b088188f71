//! The memory plan as a picture: time across, addresses upwards, a rectangle a tensor.

use plotters::prelude::{PathElement, RGBColor, Rectangle, Text};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, FontTransform};

use super::{Block, MemoryPlan};
use crate::numbers::grouped;
use crate::plot::{Area, BLUE, GREEN, GREY, GRID, ORANGE, PlotError, legend, svg, text};

/// Sizes in pixels: a layer's column, the arena, and the margins.
const COLUMN: i32 = 40;
const ARENA: i32 = 420;
const LEFT: i32 = 84;
const RIGHT: i32 = 16;
const HEAD: i32 = 64;
const FOOT: i32 = 130;
/// Steps on the scale of addresses.
const STEPS: usize = 4;
/// Width of a letter, and the height that a line of them takes.
const LETTER: i32 = 8;
const LINE: i32 = 16;

/// The picture of `plan`, of the model of this name.
///
/// # Errors
/// [`PlotError`] where it cannot be drawn.
pub fn picture(plan: &MemoryPlan, model: &str) -> Result<String, PlotError> {
    let width = (LEFT + COLUMN * plan.layers.len() as i32 + RIGHT).max(640);
    svg((width as u32, (HEAD + ARENA + FOOT) as u32), |area| draw(plan, model, area))
}

fn draw(plan: &MemoryPlan, model: &str, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let (arena, bound) = (grouped(plan.arena_bytes as u64), grouped(plan.lower_bound as u64));
    let title = format!("Arena of {model}: {arena} bytes, of which one layer uses {bound}");
    area.draw(&Text::new(title, (12, 18), text(HPos::Left)))?;
    legend(area, (12, 42), [("tensor", BLUE), ("input", GREEN), ("scratch memory", GREY), ("band by band", ORANGE)])?;

    let right = LEFT + COLUMN * plan.layers.len() as i32;
    for step in 0..=STEPS {
        let address = plan.arena_bytes * step / STEPS;
        let y = height(plan, address);
        area.draw(&PathElement::new([(LEFT, y), (right, y)], GRID))?;
        area.draw(&Text::new(grouped(address as u64), (LEFT - 8, y), text(HPos::Right)))?;
    }
    for (index, layer) in plan.layers.iter().enumerate() {
        let place = (LEFT + COLUMN * index as i32 + COLUMN / 2, HEAD + ARENA + 10);
        let upright = text(HPos::Right).transform(FontTransform::Rotate270);
        area.draw(&Text::new(format!("{index} {}", layer.operator), place, upright))?;
    }
    for stage in &plan.stages {
        let column = |layer: usize| LEFT + COLUMN * layer as i32;
        let corners = [(column(stage.first_layer) + 1, HEAD - 9), (column(stage.last_layer + 1) - 1, HEAD - 5)];
        area.draw(&Rectangle::new(corners, ORANGE.filled()))?;
    }
    for (index, block) in plan.blocks.iter().enumerate() {
        let colour = match block.tensor {
            None => GREY,
            Some(0) => GREEN,
            Some(_) => BLUE,
        };
        draw_block(plan, (index, block), colour, area)?;
    }
    Ok(())
}

/// Where an address is drawn.
fn height(plan: &MemoryPlan, address: usize) -> i32 {
    HEAD + ARENA - (address as f64 / plan.arena_bytes.max(1) as f64 * f64::from(ARENA)) as i32
}

fn draw_block(
    plan: &MemoryPlan,
    (index, block): (usize, &Block),
    colour: RGBColor,
    area: &Area<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    // From the layer that writes over it on, it belongs to what is written.
    let is_shown = |layer: &usize| plan.layers[*layer].blocks.iter().any(|&(shown, _)| shown == index);
    let end = (block.first_layer..=block.last_layer).rfind(is_shown).map_or(block.first_layer, |last| last + 1);
    let (left, right) = (LEFT + COLUMN * block.first_layer as i32, LEFT + COLUMN * end as i32);
    let (bottom, top) = (height(plan, block.offset), height(plan, block.offset + block.bytes));
    let corners = [(left + 1, top), (right - 1, bottom)];
    area.draw(&Rectangle::new(corners, colour.mix(0.25).filled()))?;
    area.draw(&Rectangle::new(corners, colour))?;
    // The whole name where there is room, across or upright, else its number, else nothing.
    let (width, height, middle) = (right - left, bottom - top, ((left + right) / 2, (top + bottom) / 2));
    let number = block.name.split(' ').next().unwrap_or_default();
    let upright = text(HPos::Center).transform(FontTransform::Rotate270);
    let ways = [(block.name.as_str(), false), (&block.name, true), (number, false)];
    let fits = |&(name, is_upright): &(&str, bool)| {
        let (across, up) = (LETTER * name.len() as i32, LINE);
        if is_upright { across < height && up < width } else { across < width && up < height }
    };
    if let Some((name, is_upright)) = ways.into_iter().find(fits) {
        let style = if is_upright { upright } else { text(HPos::Center) };
        area.draw(&Text::new(name, middle, style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;
    use super::*;

    #[test]
    fn every_block_is_a_rectangle_and_every_layer_named() {
        let plan = plan();
        let svg = picture(&plan, "kana").unwrap();
        // A filled one and its outline, besides the paper, the legend's four, and stages.
        assert_eq!(svg.matches("<rect").count(), 2 * plan.blocks.len() + 1 + 4 + plan.stages.len());
        for (index, layer) in plan.layers.iter().enumerate() {
            assert!(svg.contains(&format!("{index} {}", layer.operator)), "layer {index}");
        }
        assert!(svg.contains(&format!("Arena of kana: {} bytes", grouped(plan.arena_bytes as u64))), "{svg}");
    }
}
