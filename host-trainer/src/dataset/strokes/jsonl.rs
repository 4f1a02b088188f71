//! Characters as JSON, one a line: curves of KanjiVG or of one's own.

use kurbo::{BezPath, Point};
use serde::Deserialize;

use super::kanjivg::lines_of;
use super::{Fault, KANJIVG, Strokes, Written, character};

pub(super) const REMEDY: &str = "each line is {\"ch\": \"一\", \"s\": [[x, y, then six numbers a cubic curve, …], …]}";

/// One line. Other keys say nothing of the shape.
#[derive(Deserialize)]
struct Record {
    ch: String,
    u: Option<String>,
    source: Option<String>,
    s: Vec<Vec<f64>>,
}

pub(super) fn read(text: &str) -> Result<Vec<Written>, Fault> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, number)| read_line(line).map_err(|problem| Fault::new(number, problem))).collect()
}

fn read_line(line: &str) -> Result<Written, String> {
    let record: Record = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let character = character(&record.ch, record.u.as_deref())?;
    let mut lines = Vec::new();
    for (stroke, number) in record.s.iter().zip(1..) {
        lines.extend(lines_of(&path(stroke).ok_or_else(|| {
            format!("stroke {number} has {} numbers, which are not a start point and whole curves", stroke.len())
        })?));
    }
    let strokes = Strokes::from_lines(&lines).ok_or("a character without strokes")?;
    Ok(Written { character, writer: record.source.unwrap_or_else(|| KANJIVG.to_owned()), strokes })
}

/// A start point and then three points for each curve; `None` where numbers are missing.
fn path(numbers: &[f64]) -> Option<BezPath> {
    let (points, []) = numbers.as_chunks::<2>() else { return None };
    let points: Vec<Point> = points.iter().map(|&[x, y]| Point::new(x, y)).collect();
    let (&start, curves) = points.split_first()?;
    let (curves, []) = curves.as_chunks::<3>() else { return None };
    let mut path = BezPath::new();
    path.move_to(start);
    for &[first, second, end] in curves {
        path.curve_to(first, second, end);
    }
    Some(path)
}
