//! Characters that people wrote on a tablet, one a line of tab-separated fields.

use super::{Fault, Strokes, Written, character};

pub(super) const REMEDY: &str =
    "each line is source, code point in hex, character, width, height, number of strokes, strokes, separated by tabs";

const FIELDS: usize = 7;

/// Whether a line has the fields of a character.
pub(super) fn is_record(line: &str) -> bool {
    !line.starts_with('#') && line.split('\t').count() == FIELDS
}

pub(super) fn read(text: &str) -> Result<Vec<Written>, Fault> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, number)| read_line(line).map_err(|problem| Fault::new(number, problem))).collect()
}

fn read_line(line: &str) -> Result<Written, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [source, code_point, label, _width, _height, count, strokes] = fields[..] else {
        return Err(format!("{} fields instead of {FIELDS}", fields.len()));
    };
    let character = character(label, Some(code_point))?;
    let lines = strokes.split_ascii_whitespace().map(line_of).collect::<Result<Vec<_>, _>>()?;
    if count.parse() != Ok(lines.len()) {
        return Err(format!("{} strokes, but their number is given as {count:?}", lines.len()));
    }
    let strokes = Strokes::from_lines(&lines).ok_or("a character without strokes")?;
    Ok(Written { character, writer: writer_of(source).to_owned(), strokes })
}

fn line_of(stroke: &str) -> Result<Vec<[f64; 2]>, String> {
    let point = |text: &str| -> Option<[f64; 2]> {
        let (x, y) = text.split_once(',')?;
        Some([x.parse().ok()?, y.parse().ok()?]).filter(|point: &[f64; 2]| point.iter().all(|at| at.is_finite()))
    };
    let points = stroke.split(';').filter(|text| !text.is_empty());
    points.map(|text| point(text).ok_or_else(|| format!("{text:?} is not a point x,y"))).collect()
}

/// The writer of a `source`: what stands before the session, as in `japanese-learner1-train-s4`. Sessions of one writer
/// must not count as writers, or a split by writer would have the same hand on both sides.
fn writer_of(source: &str) -> &str {
    let session = source.rsplit_once("-s").filter(|(_, number)| number.bytes().all(|digit| digit.is_ascii_digit()));
    let part = session.and_then(|(rest, _)| rest.strip_suffix("-train").or_else(|| rest.strip_suffix("-eval")));
    part.unwrap_or(source)
}
