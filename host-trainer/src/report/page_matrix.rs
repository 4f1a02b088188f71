//! A confusion matrix on the page: the cells as a picture of a pixel each, enlarged, with lettering around them.

use maud::{Markup, html};

use super::ReportError;
use super::confusion::ConfusionMatrix;
use super::picture::{MatrixPicture, Scale, data_uri};

/// Side of the cells together.
const SIDE: f64 = 480.0;
/// Room for lettering to the left and above.
const BORDER: f64 = 62.0;
/// Most classes whose cells carry figures.
const WITH_FIGURES: usize = 16;
/// Largest lettering.
const LETTERING: f64 = 16.0;

/// The matrix as SVG.
pub fn svg(
    matrix: &ConfusionMatrix,
    picture: &MatrixPicture<'_>,
    labels: &[&str],
    scale: Scale,
) -> Result<Markup, ReportError> {
    let cells = data_uri(&picture.cells_png(scale)?);
    let cell = SIDE / picture.classes.len().max(1) as f64;
    let middle = |index: usize| format!("{:.2}", (index as f64 + 0.5) * cell);
    let figures = if picture.classes.len() <= WITH_FIGURES { picture.classes.as_slice() } else { &[] };
    let side = SIDE + BORDER + 6.0;
    let axis = -BORDER + 10.0;
    Ok(html! {
        svg.matrix viewBox=(format!("{} {} {side} {side}", -BORDER, -BORDER)) role="img" aria-label="confusion matrix" {
            text.axis x=(SIDE / 2.0) y=(axis) font-size="13" { "answer →" }
            text.axis x=(axis) y=(SIDE / 2.0) font-size="13" transform=(format!("rotate(-90 {axis} {})", SIDE / 2.0)) {
                "← right class"
            }
            image width=(SIDE) height=(SIDE) preserveAspectRatio="none" href=(cells) {}
            rect.frame width=(SIDE) height=(SIDE) {}
            @for (index, &class) in picture.classes.iter().enumerate() {
                @let text = labels[class as usize];
                text.row lang="ja" x="-6" y=(middle(index)) font-size=(size(text, cell)) { (text) }
                text lang="ja" x=(middle(index)) y="-14" font-size=(size(text, cell)) { (text) }
            }
            @for (row, &truth) in figures.iter().enumerate() {
                @for (column, &answer) in figures.iter().enumerate() {
                    @if matrix.count(truth, answer) > 0 {
                        text.strong[picture.strength(truth, answer, scale) > 0.55]
                            x=(middle(column)) y=(middle(row)) font-size=(format!("{:.1}", (cell * 0.3).min(13.0)))
                        { (figure(matrix, truth, answer, scale)) }
                    }
                }
            }
        }
    })
}

/// Lettering that fits the cell's side and, for longer labels, the border.
fn size(text: &str, cell: f64) -> String {
    let width = text.chars().count().max(1) as f64;
    let size = (cell * 0.95).min(LETTERING).min((BORDER - 24.0) / width);
    format!("{size:.1}")
}

fn figure(matrix: &ConfusionMatrix, truth: u32, answer: u32, scale: Scale) -> String {
    match scale {
        Scale::Count => matrix.count(truth, answer).to_string(),
        Scale::Share => format!("{:.3}", matrix.share(truth, answer)).trim_start_matches('0').to_owned(),
    }
}
