//! Where training and test samples come from.
//!
//! A data set is named on the command line as `KIND:PATH` ([`DataSpec`]) and loaded into memory as a
//! [`Dataset`]: glyphs, the class each belongs to, and where each came from.
//!
//! ```text
//!  fonts:DIR ──► fonts ──┐
//!  strokes:FILE► strokes ┤ ► render: written anew by another hand each time
//!  idx:IMAGES ─► idx ────┼──► Dataset ──► SplitPlan ──► distort ──► training
//!  emnist:… ───► emnist ─┤
//!  folder:DIR ─► folder ─┤      │
//!  etl:DIR ────► etl ────┘      │
//!                  classes.tsv ─┴► ClassList::map_to ──► the package's classes
//! ```
//!
//! Nothing here is random except what takes a seed: files and folders are visited in sorted order,
//! so the same files always give the same samples in the same order.

pub mod check;
mod classes;
mod distort;
mod emnist;
mod error;
mod etl;
mod folder;
mod fonts;
mod grade1;
mod handwriting;
mod idx;
mod image_file;
mod manifest;
mod render;
mod sample_source;
mod sampling;
mod source;
mod split;
mod splits;
mod strokes;

pub use classes::ClassList;
pub use distort::{Distortion, distort, rng_for};
pub use error::DatasetError;
pub use fonts::{RENDER_BOX, RENDER_SIDE};
pub use grade1::GRADE1;
pub use handwriting::{Handwriting, Writer};
pub use image_file::{load_glyph, write_grey_png, write_png};
pub use manifest::{DataManifest, MANIFEST_FILE, PartRecord, SourceFile, hexadecimal};
pub use render::render;
pub use sample_source::{NamedSample, SampleSource};
pub use sampling::Sampling;
pub use source::{DataSpec, LoadOptions};
pub use split::Share;
pub use splits::{SplitPart, SplitPlan, SplitRule, Splits};
pub use strokes::{SPAN, Strokes};

use std::sync::Arc;

use manifest::identities;
use sha2::{Digest, Sha256};

/// A grey picture of one character: 255 is full ink, 0 is paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glyph {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// `width * height` pixels, row by row from the top left.
    pub pixels: Vec<u8>,
}

/// One glyph and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The picture; where there are strokes, these drawn as they are.
    pub glyph: Glyph,
    /// What the pen wrote, where that is known: training draws it anew each time ([`render()`]).
    pub strokes: Option<Arc<Strokes>>,
    /// Index into [`Dataset::classes`]; `None` where the set carries no labels.
    pub label: Option<u32>,
    /// Index into [`Dataset::sources`]: the font face, file or folder the glyph came from.
    pub source: u32,
}

/// Samples held in memory, with the class list their labels index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The samples, in the order of their files.
    pub samples: Vec<Sample>,
    /// What the labels mean.
    pub classes: ClassList,
    /// Names of the sources: a font's file stem, a writer of strokes, an IDX file's stem, or a folder's name.
    pub sources: Vec<String>,
    /// Characters that were asked of a font face or of files of strokes which lack them, as (face or first file,
    /// character). Always empty for other data sets.
    pub missing: Vec<(String, char)>,
}

impl Dataset {
    /// A SHA-256, in hexadecimal digits, over all samples in their order: two sets with the same digest are the same
    /// data, wherever their files lie.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for label in self.classes.labels() {
            hasher.update((label.len() as u64).to_le_bytes());
            hasher.update(label);
        }
        identities(self).iter().for_each(|identity| hasher.update(identity));
        hexadecimal(&hasher.finalize())
    }
}
