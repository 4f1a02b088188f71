//! The records of ETL8 and ETL9: fixed lengths, big-endian, one character each.
//!
//! | | bytes | sheet | code | reading | serial | image | pixels |
//! |---|---|---|---|---|---|---|---|
//! | ETL8G | 8,199 | u16 at 0 | u16 at 2 | 8 at 4 | u32 at 12 | 8,128 at 60 | 128×127, 4 bits, high nibble first |
//! | ETL9G | 8,199 | u16 at 0 | u16 at 2 | 8 at 4 | u32 at 12 | 8,128 at 64 | the same |
//! | ETL8B | 512 | u16 at 0 | u16 at 2 | 4 at 4 | – | 504 at 8 | 64×63, 1 bit, high bit first |
//! | ETL9B | 576 | u16 at 0 | u16 at 2 | 4 at 4 | – | 504 at 8 | the same |
//!
//! Bytes that the table leaves out are not read. The first record of an ETL8B or ETL9B file is a dummy. A higher value
//! is more ink. Source: the database's own pages, `form_e8g.htm`, `form_e8b.htm`, `form_e9g.htm` and `form_e9b.htm`
//! of etlcdb.db.aist.go.jp, and the programs there, which show images as `255 − 16 × value`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::jis;
use crate::dataset::{DatasetError, Glyph};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ETL8 in 16 grey levels.
    Etl8G,
    /// ETL8 in black and white.
    Etl8B,
    /// ETL9 in 16 grey levels.
    Etl9G,
    /// ETL9 in black and white.
    Etl9B,
}

impl Kind {
    /// The kind of a file by its name, such as `ETL9G_01` or `ETL8B2C1`; `None` for what is none, such as `ETL9INFO`.
    pub fn of_file_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_uppercase();
        let (kind, rest) = name.split_at_checked(5)?;
        let kind = match kind {
            "ETL8G" => Self::Etl8G,
            "ETL8B" => Self::Etl8B,
            "ETL9G" => Self::Etl9G,
            "ETL9B" => Self::Etl9B,
            _ => return None,
        };
        // `ETL9G.zip` is not data, `ETL8B2C1` is.
        rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'C' | b'_' | b'-')).then_some(kind)
    }

    /// The corpus that its sheets are numbered in; a sheet of ETL9B is the sheet of ETL9G, in fewer grey levels.
    pub const fn corpus(self) -> &'static str {
        match self {
            Self::Etl8G | Self::Etl8B => "ETL8",
            Self::Etl9G | Self::Etl9B => "ETL9",
        }
    }

    /// Length of a record in bytes.
    pub const fn record_bytes(self) -> usize {
        match self {
            Self::Etl8G | Self::Etl9G => 8199,
            Self::Etl8B => 512,
            Self::Etl9B => 576,
        }
    }

    /// Records before the first sample.
    pub const fn dummy_records(self) -> u64 {
        match self {
            Self::Etl8G | Self::Etl9G => 0,
            Self::Etl8B | Self::Etl9B => 1,
        }
    }

    /// Width and height of its images in pixels.
    pub const fn size(self) -> (u16, u16) {
        match self {
            Self::Etl8G | Self::Etl9G => (128, 127),
            Self::Etl8B | Self::Etl9B => (64, 63),
        }
    }

    /// What a record of this kind says.
    ///
    /// # Panics
    /// Where `bytes` is not [`Self::record_bytes`] long.
    pub fn decode(self, bytes: &[u8]) -> Record {
        assert_eq!(bytes.len(), self.record_bytes());
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let (reading, serial, image) = match self {
            Self::Etl8G => (&bytes[4..12], Some(12), &bytes[60..60 + 8128]),
            Self::Etl9G => (&bytes[4..12], Some(12), &bytes[64..64 + 8128]),
            Self::Etl8B | Self::Etl9B => (&bytes[4..8], None, &bytes[8..8 + 504]),
        };
        let pixels = match self {
            Self::Etl8G | Self::Etl9G => {
                image.iter().flat_map(|byte| [byte >> 4, byte & 15].map(|grey| grey * 17)).collect()
            }
            Self::Etl8B | Self::Etl9B => image
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| if byte << bit & 0x80 == 0 { 0 } else { 255 }))
                .collect(),
        };
        let (width, height) = self.size();
        Record {
            sheet: short(0),
            code: short(2),
            reading: String::from_utf8_lossy(reading).trim_matches(['\0', ' ']).to_owned(),
            serial: serial.map(|at: usize| u32::from(short(at)) << 16 | u32::from(short(at + 2))),
            glyph: Glyph { width, height, pixels },
        }
    }
}

/// One character as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Number of the sheet, which is that of its writer.
    pub sheet: u16,
    /// The character in JIS X 0208.
    pub code: u16,
    /// Its typical reading in Latin letters, cut to 8 or 4 bytes: `AI.MEDER`.
    pub reading: String,
    /// Number of the sample in the corpus; grey files only.
    pub serial: Option<u32>,
    /// The image, ink 255 on 0.
    pub glyph: Glyph,
}

impl Record {
    /// The character in Unicode; `None` where the code is none of JIS X 0208.
    pub fn character(&self) -> Option<char> {
        jis::character(self.code)
    }
}

/// The records of one file, read one at a time.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    path: PathBuf,
    kind: Kind,
    /// Number of the next record, dummies counted.
    next: u64,
    /// Number of whole records.
    count: u64,
    buffer: Vec<u8>,
}

impl Records<BufReader<File>> {
    /// Opens a file of `kind` that holds `count` whole records, dummies counted.
    ///
    /// # Errors
    /// [`DatasetError::Io`].
    pub fn open(path: &Path, kind: Kind, count: u64) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(DatasetError::io(path, "read"))?;
        Ok(Self::new(BufReader::new(file), path, kind, count))
    }
}

impl<R: Read> Records<R> {
    /// Reads `count` records of `kind`, dummies counted, from `reader`; errors name `path`.
    pub fn new(reader: R, path: &Path, kind: Kind, count: u64) -> Self {
        Self { reader, path: path.to_owned(), kind, next: 0, count, buffer: vec![0; kind.record_bytes()] }
    }

    /// The kind of the file.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Samples not yet read.
    pub const fn remaining(&self) -> u64 {
        let dummies = self.kind.dummy_records();
        self.count.saturating_sub(if self.next > dummies { self.next } else { dummies })
    }
}

impl<R: Read> Iterator for Records<R> {
    /// A sample and its character. A record whose code is none does not end the file; an error of reading does.
    type Item = Result<(char, Record), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.next >= self.count {
                return None;
            }
            if let Err(source) = self.reader.read_exact(&mut self.buffer) {
                self.next = self.count;
                return Some(Err(DatasetError::io(&self.path, "read")(source)));
            }
            let number = self.next;
            self.next += 1;
            if number < self.kind.dummy_records() {
                continue;
            }
            let record = self.kind.decode(&self.buffer);
            let offset = number * self.kind.record_bytes() as u64;
            let fault = || DatasetError::Record {
                path: self.path.clone(),
                place: format!("byte {offset} (record {number})"),
                problem: format!(
                    "code {:#06x} (reading {:?}) is no character of JIS X 0208",
                    record.code, record.reading
                ),
                remedy: "fetch the file again, or give it the name of the kind that it is".to_owned(),
            };
            return Some(record.character().ok_or_else(fault).map(|character| (character, record)));
        }
    }
}
