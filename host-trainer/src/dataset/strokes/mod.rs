//! Characters as the strokes that a pen wrote.
//!
//! Three formats are read, told apart by their content, each of them gzipped or not:
//!
//! - **JSON lines**, one character a line: `{"ch": "一", "s": [[x0, y0, c1x, c1y, c2x, c2y, x, y, …]]}`. A stroke is a
//!   start point and then six numbers for each cubic Bézier curve. `u`, the code point in hex, is checked when it is
//!   there; `source` is who wrote it, KanjiVG if it is not there; other keys are ignored.
//! - **TSV**: `source`, `codepoint` (hex), `char`, `width`, `height`, `nstrokes`, `strokes`; strokes are separated by a
//!   space and points, `x,y`, by a semicolon. Lines that start with `#` are skipped.
//! - **KanjiVG**: its release in one XML file, or the zip of its SVG files. Variants of a character
//!   (`04e14-Kaisho`) are left out.
//!
//! x grows to the right and y downwards; the unit does not matter.

mod ink;
mod jsonl;
mod kanjivg;
mod tsv;

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use ink::{SPAN, Strokes, to_glyph};

use super::fonts::requested;
use super::idx::decompressed;
use super::{ClassList, Dataset, DatasetError, LoadOptions, Sample};

/// Most bytes of a file of strokes once it is unpacked: fifteen times those of all KanjiVG.
pub(super) const MAX_BYTES: u64 = 1 << 28;

/// Name of KanjiVG as the source of a sample.
const KANJIVG: &str = "kanjivg";

/// One character that somebody wrote.
#[derive(Debug, Clone, PartialEq)]
struct Written {
    character: char,
    /// Who wrote it, or the name of the collection.
    writer: String,
    strokes: Strokes,
}

/// What is wrong with a file, and where in it.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// A line number, or a file inside an archive with one.
    place: String,
    problem: String,
}

impl Fault {
    fn new(place: impl ToString, problem: impl Into<String>) -> Self {
        Self { place: place.to_string(), problem: problem.into() }
    }
}

/// Reads the characters of all files, in the order of the files and of what stands in them.
///
/// Which characters: those of `options.characters`, else the one-character classes of its class file, else all.
/// Without a class file the characters asked for are the classes, or all there are in the order of their code points.
/// Characters asked for by name that no file holds are listed in [`Dataset::missing`].
pub(super) fn load(paths: &[PathBuf], options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    let origin = paths.first().cloned().unwrap_or_default();
    let mut written = Vec::new();
    for path in paths {
        written.extend(read(path)?);
    }
    let (classes, wanted) = if options.characters.is_some() || options.classes.is_some() {
        requested(&origin, options)?
    } else {
        let all: BTreeSet<char> = written.iter().map(|one| one.character).collect();
        (ClassList::named(all.iter().map(char::to_string), &origin)?, all.into_iter().zip(0..).collect())
    };
    let labels: HashMap<char, u32> = wanted.iter().copied().collect();
    written.retain(|one| labels.contains_key(&one.character));
    if written.is_empty() {
        let remedy = "none of the characters asked for is in the files of strokes; ask for others";
        return Err(DatasetError::NoSamples { path: origin, remedy });
    }

    let mut set = Dataset { samples: Vec::new(), classes, sources: Vec::new(), missing: Vec::new() };
    if options.characters.is_some() {
        let held: BTreeSet<char> = written.iter().map(|one| one.character).collect();
        let name = origin.file_name().unwrap_or_default().to_string_lossy();
        let missing = wanted.iter().filter(|(character, _)| !held.contains(character));
        set.missing = missing.map(|&(character, _)| (name.to_string(), character)).collect();
    }
    let total = written.len();
    let mut sources: HashMap<String, u32> = HashMap::new();
    for one in written {
        let next = sources.len() as u32;
        let source = *sources.entry(one.writer).or_insert_with_key(|writer| {
            set.sources.push(writer.clone());
            next
        });
        let label = labels.get(&one.character).copied();
        let glyph = one.strokes.to_glyph();
        set.samples.push(Sample { glyph, strokes: Some(Arc::new(one.strokes)), label, source });
        options.report(set.samples.len(), total);
    }
    Ok(set)
}

/// Reads one file, whichever format it has.
fn read(path: &Path) -> Result<Vec<Written>, DatasetError> {
    let mut bytes = Vec::new();
    decompressed(path)
        .and_then(|reader| reader.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(DatasetError::io(path, "read"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(DatasetError::StrokesMemory { path: path.to_owned() });
    }
    parse(&bytes, path)
}

/// The characters in the unpacked bytes of a file, whose `path` is for messages.
fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Written>, DatasetError> {
    let unknown = || DatasetError::StrokesFormat { path: path.to_owned() };
    let (result, remedy) = if bytes.starts_with(b"PK") {
        (kanjivg::read_zip(bytes), kanjivg::REMEDY)
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| unknown())?;
        let text = text.trim_start_matches('\u{FEFF}');
        match text.trim_start().chars().next() {
            Some('<') => (kanjivg::read_xml(text), kanjivg::REMEDY),
            Some('{') => (jsonl::read(text), jsonl::REMEDY),
            _ if text.lines().any(tsv::is_record) => (tsv::read(text), tsv::REMEDY),
            _ => return Err(unknown()),
        }
    };
    let written = result.map_err(|Fault { place, problem }| DatasetError::StrokesRecord {
        path: path.to_owned(),
        place,
        problem,
        remedy,
    })?;
    if written.is_empty() {
        let remedy = "the file holds no character; name KanjiVG's XML or zip, JSON lines or TSV of strokes";
        return Err(DatasetError::NoSamples { path: path.to_owned(), remedy });
    }
    Ok(written)
}

/// The one character that `text` is, whose code point in hex is `code_point` where that is given.
fn character(text: &str, code_point: Option<&str>) -> Result<char, String> {
    let mut characters = text.chars();
    let (Some(character), None) = (characters.next(), characters.next()) else {
        return Err(format!("{text:?} is not one character"));
    };
    match code_point {
        Some(hex) if u32::from_str_radix(hex, 16) != Ok(character.into()) => {
            Err(format!("code point {hex:?} is not that of {text:?}"))
        }
        _ => Ok(character),
    }
}

#[cfg(test)]
mod tests;
