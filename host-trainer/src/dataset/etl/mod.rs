//! The ETL Character Database's ETL8 and ETL9, as its files come: ETL8G, ETL8B, ETL9G, ETL9B.
//!
//! The database is free for research after registration at etlcdb.db.aist.go.jp; none of it is distributed here.
//!
//! Files are read a record at a time. What is kept of a grey image is half its size, 64×64, each pixel the mean of
//! four: training draws glyphs on squares of at most 64 pixels, and all of ETL9G at full size would take 9.9 GB.

mod jis;
mod records;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use self::records::{Kind, Records};
use super::folder::{distinct, search};
use super::idx::MAX_BYTES;
use super::sample_source::{NamedSample, SampleSource};
use super::{Dataset, DatasetError, Glyph, LoadOptions};

/// Loads every ETL8 and ETL9 file that `paths` name or hold.
///
/// The class of a sample is its character in Unicode, so corpora merge whatever their files. Its source is the sheet,
/// which is its writer: `ETL9 sheet 17`. Files are read in order of their names, wherever they lie.
pub(super) fn load(paths: &[PathBuf], options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    Dataset::from_source(Samples::open(paths)?, options)
}

/// Every data file that `paths` name or hold, each once, in order of their names. A file that is named but is not
/// called as one of the database is refused; in a folder such files are passed over.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DatasetError> {
    let is_data = |path: &Path| Kind::of_file_name(path).is_some();
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        if path.is_dir() {
            search(path, &is_data, &mut found)?;
        } else if is_data(path) {
            found.push(path.clone());
        }
        if found.len() == before {
            let remedy = "its name or those of its files must start with ETL8G, ETL8B, ETL9G or ETL9B, as in ETL9G_01";
            return Err(DatasetError::NoSamples { path: path.clone(), remedy });
        }
    }
    found.sort_by(|a, b| (a.file_name(), a).cmp(&(b.file_name(), b)));
    distinct(found)
}

/// All samples of some files, one after another.
struct Samples {
    /// The first path named.
    origin: PathBuf,
    /// What is wrong with the lengths of files: told first, before hours of reading.
    faults: VecDeque<DatasetError>,
    /// Files not yet opened, with their kinds and numbers of whole records.
    files: VecDeque<(PathBuf, Kind, u64)>,
    current: Option<Records<BufReader<File>>>,
    /// Samples not yet read, in all files.
    remaining: u64,
}

impl Samples {
    fn open(paths: &[PathBuf]) -> Result<Self, DatasetError> {
        let origin = paths.first().cloned().unwrap_or_default();
        let mut samples = Self { origin, faults: VecDeque::new(), files: VecDeque::new(), current: None, remaining: 0 };
        let mut bytes = 0;
        for path in files(paths)? {
            let Some(kind) = Kind::of_file_name(&path) else { continue };
            let length = fs::metadata(&path).map_err(DatasetError::io(&path, "read"))?.len();
            let records = length / kind.record_bytes() as u64;
            samples.faults.extend(length_fault(&path, kind, length));
            let count = records.saturating_sub(kind.dummy_records());
            samples.remaining += count;
            let (width, height) = kept_size(kind);
            bytes += count * u64::from(width) * u64::from(height);
            samples.files.push_back((path, kind, records));
        }
        if bytes > MAX_BYTES {
            let path = samples.origin;
            return Err(DatasetError::TooLarge { path, bytes, remedy: "name fewer of its files, as etl:FILE,FILE" });
        }
        Ok(samples)
    }
}

/// What is wrong where a file is no whole number of records.
fn length_fault(path: &Path, kind: Kind, length: u64) -> Option<DatasetError> {
    let record = kind.record_bytes() as u64;
    let left_over = length % record;
    (left_over != 0 || length == 0).then(|| DatasetError::Record {
        path: path.to_owned(),
        place: format!("byte {}", length - left_over),
        problem: format!(
            "{left_over} bytes stand where a record of {record} should: {length} bytes are no whole number of them"
        ),
        remedy: "fetch the file again, or give it the name of the kind that it is".to_owned(),
    })
}

impl Iterator for Samples {
    type Item = Result<NamedSample, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(fault) = self.faults.pop_front() {
            return Some(Err(fault));
        }
        loop {
            if let Some(records) = &mut self.current {
                let before = records.remaining();
                let next = records.next();
                self.remaining -= before - records.remaining();
                if let Some(record) = next {
                    let corpus = records.kind().corpus();
                    return Some(record.map(|(character, record)| NamedSample {
                        glyph: kept(record.glyph),
                        label: Some(character.to_string()),
                        source: format!("{corpus} sheet {}", record.sheet),
                    }));
                }
            }
            let (path, kind, records) = self.files.pop_front()?;
            match Records::open(&path, kind, records) {
                Ok(records) => self.current = Some(records),
                Err(error) => {
                    self.remaining -= records.saturating_sub(kind.dummy_records());
                    return Some(Err(error));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, usize::try_from(self.remaining).ok().map(|remaining| remaining + self.faults.len()))
    }
}

impl SampleSource for Samples {
    fn origin(&self) -> &Path {
        &self.origin
    }
}

/// Side of the largest image that is kept as it is.
const LONGEST_SIDE: u16 = 64;

/// Width and height of what is kept of an image of `kind`.
const fn kept_size(kind: Kind) -> (u16, u16) {
    match kind.size() {
        (width, height) if width > LONGEST_SIDE => (width.div_ceil(2), height.div_ceil(2)),
        size => size,
    }
}

/// The glyph, halved where it is larger than is kept: each pixel is the mean of two by two, or of those there are.
fn kept(glyph: Glyph) -> Glyph {
    if glyph.width <= LONGEST_SIDE {
        return glyph;
    }
    let (width, height) = (usize::from(glyph.width), usize::from(glyph.height));
    let mut pixels = Vec::with_capacity(width.div_ceil(2) * height.div_ceil(2));
    for top in (0..height).step_by(2) {
        for left in (0..width).step_by(2) {
            let rows = top..(top + 2).min(height);
            let block = rows.flat_map(|row| &glyph.pixels[row * width..][left..(left + 2).min(width)]);
            let (sum, count) = block.fold((0, 0), |(sum, count), &pixel| (sum + u16::from(pixel), count + 1));
            pixels.push(((sum + count / 2) / count) as u8);
        }
    }
    Glyph { width: glyph.width.div_ceil(2), height: glyph.height.div_ceil(2), pixels }
}

#[cfg(test)]
mod tests;
