//! KanjiVG (<http://kanjivg.tagaini.net>) as it is downloaded: one XML file, or a zip of SVG files.

use std::io::Read;

use flate2::bufread::DeflateDecoder;
use kurbo::{BezPath, PathEl, Shape, flatten};
use rawzip::{CompressionMethod, ZipArchive};
use roxmltree::{Document, Node, ParsingOptions};

use super::{Fault, KANJIVG, MAX_BYTES, Strokes, Written};

pub(super) const REMEDY: &str = "download KanjiVG's XML or zip again";

/// What stands before the code point in the `id` of a character: in the one XML file, and in an SVG file.
const ID_PREFIXES: [&str; 2] = ["kvg:kanji_", "kvg:StrokePaths_"];
/// Most elements and texts of an XML file: ten times those of all KanjiVG.
const MAX_NODES: u32 = 1 << 22;
/// A curve and the lines that it becomes are at most this share of the path's box apart.
const TOLERANCE: f64 = 1.0 / 2000.0;

/// Reads the characters of one XML or SVG document.
pub(super) fn read_xml(text: &str) -> Result<Vec<Written>, Fault> {
    // The SVG files use the prefix `kvg` and declare it only in their document type, which the parser does not read.
    let declared = text.contains("xmlns:kvg=");
    let text = if declared { text.to_owned() } else { text.replacen("<svg", "<svg xmlns:kvg=\"kvg\"", 1) };
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(&text, options).map_err(|error| Fault::new(error.pos().row, error.to_string()))?;
    let mut written = Vec::new();
    for node in document.descendants() {
        let id = node.attribute("id").unwrap_or_default();
        let Some(code) = ID_PREFIXES.iter().find_map(|prefix| id.strip_prefix(prefix)) else { continue };
        if code.contains('-') {
            continue;
        }
        let fault =
            |node: Node<'_, '_>, problem: String| Fault::new(document.text_pos_at(node.range().start).row, problem);
        let character = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        let character = character.ok_or_else(|| fault(node, format!("id {id:?} holds no code point")))?;
        let mut lines = Vec::new();
        for path in node.descendants().filter(|node| node.tag_name().name() == "path") {
            let data = path.attribute("d").ok_or_else(|| fault(path, "a path without d".to_owned()))?;
            let curves = BezPath::from_svg(data).map_err(|error| fault(path, format!("d: {error}")))?;
            lines.extend(lines_of(&curves));
        }
        let strokes = Strokes::from_lines(&lines);
        let strokes = strokes.ok_or_else(|| fault(node, format!("{character} has no strokes")))?;
        written.push(Written { character, writer: KANJIVG.to_owned(), strokes });
    }
    Ok(written)
}

/// Reads the SVG files of an archive that are named by a code point, in the archive's order.
pub(super) fn read_zip(bytes: &[u8]) -> Result<Vec<Written>, Fault> {
    let archive_fault = |error: rawzip::Error| Fault::new("archive", error.to_string());
    let archive = ZipArchive::from_slice(bytes).map_err(archive_fault)?;
    let mut entries = archive.entries();
    let mut written = Vec::new();
    let mut left = MAX_BYTES;
    while let Some(entry) = entries.next_entry().map_err(archive_fault)? {
        let Ok(name) = std::str::from_utf8(entry.file_path().as_bytes()).map(str::to_owned) else { continue };
        if !is_character_file(&name) {
            continue;
        }
        let fault = |problem: String| Fault::new(&name, problem);
        let method = entry.compression_method();
        let local = archive.get_entry(entry.wayfinder()).map_err(|error| fault(error.to_string()))?;
        let unpacked: Box<dyn Read> = match method {
            CompressionMethod::STORE => Box::new(local.data()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(local.data())),
            _ => return Err(fault("packed by a method other than deflate".to_owned())),
        };
        let mut text = String::new();
        local
            .verifying_reader(unpacked)
            .take(left + 1)
            .read_to_string(&mut text)
            .map_err(|error| fault(error.to_string()))?;
        left = left.checked_sub(text.len() as u64).ok_or_else(|| fault("the archive is too large".to_owned()))?;
        let place = |inner: Fault| Fault::new(format!("{name}:{}", inner.place), inner.problem);
        written.extend(read_xml(&text).map_err(place)?);
    }
    Ok(written)
}

/// Whether a file of the archive is that of a character: `kanji/04e00.svg`, but not the variant
/// `kanji/04e14-Kaisho.svg`.
fn is_character_file(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let code = file.strip_suffix(".svg").unwrap_or_default();
    (4..=6).contains(&code.len()) && code.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// A path as lines of points, one each time that the pen is set down. Coordinates that are not finite stay so, for
/// [`Strokes::from_lines`] to refuse.
pub(super) fn lines_of(path: &BezPath) -> Vec<Vec<[f64; 2]>> {
    if !path.is_finite() {
        return vec![vec![[f64::NAN; 2]]];
    }
    let bounds = path.bounding_box();
    let tolerance = (bounds.width().max(bounds.height()) * TOLERANCE).max(f64::MIN_POSITIVE);
    let mut lines: Vec<Vec<[f64; 2]>> = Vec::new();
    flatten(path, tolerance, |element| match element {
        PathEl::MoveTo(point) => lines.push(vec![[point.x, point.y]]),
        PathEl::ClosePath => {
            if let Some(line) = lines.last_mut() {
                line.extend(line.first().copied());
            }
        }
        // Flattened paths have no curves.
        other => {
            if let (Some(line), Some(point)) = (lines.last_mut(), other.end_point()) {
                line.push([point.x, point.y]);
            }
        }
    });
    lines
}
