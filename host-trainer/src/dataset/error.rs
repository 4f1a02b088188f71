//! Everything that can be wrong with a data set.

use std::path::{Path, PathBuf};

use super::idx::MAX_BYTES;
use super::image_file::{MAX_PIXELS, MAX_SIDE};

/// Why a data set could not be named, read, written or split.
///
/// Each message is one line that names the file, the place in it, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The text is not `KIND:PATH` with a known KIND.
    #[error("data set {spec:?}: {problem}; write one of {}", super::source::FORMS)]
    Spec {
        /// The text as given.
        spec: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {source}; check the file and its permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done: `read`, `list`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },

    /// A picture cannot be written.
    #[error(transparent)]
    Write(#[from] crate::files::FileError),

    /// A data set holds nothing to learn from.
    #[error("{}: no samples: {remedy}", path.display())]
    NoSamples {
        /// The file or folder.
        path: PathBuf,
        /// What would make it a data set.
        remedy: &'static str,
    },

    /// Labels are needed, but the set has none.
    #[error("{}: no labels: {remedy}", path.display())]
    NoLabels {
        /// The image file or folder.
        path: PathBuf,
        /// Where labels are looked for.
        remedy: &'static str,
    },

    /// A line of a class file breaks the format.
    #[error("{}:{line}: {problem}; each line is index, code point in hex, character, group, separated by tabs", path.display())]
    ClassFile {
        /// The class file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: usize,
        /// What is wrong with the line.
        problem: String,
    },

    /// Two classes carry the same label, so the label no longer tells which is meant.
    #[error("{}: class {label:?} appears twice; keep one of the two", path.display())]
    DuplicateClass {
        /// The file or folder that lists the classes.
        path: PathBuf,
        /// The label.
        label: String,
    },

    /// A label or character that the class list does not hold.
    #[error("{}: {label:?} is not in the class list; add it to the --classes file or leave it out", path.display())]
    UnknownClass {
        /// The class folder, or the font that was to render the character.
        path: PathBuf,
        /// The label that was looked up.
        label: String,
    },

    /// A file's first four bytes are not those of the IDX file it should be.
    #[error("{}: magic {magic:#010x} is not that of IDX {expected}; check that the right file is named", path.display())]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// The first four bytes, big-endian.
        magic: u32,
        /// What should be there, in words.
        expected: &'static str,
    },

    /// An IDX header asks for images that are empty or larger than a glyph can be.
    #[error("{}: header gives images of {width}x{height} pixels; each side must be 1 to 65535", path.display())]
    IdxImageSize {
        /// The file.
        path: PathBuf,
        /// Width in pixels by the header.
        width: u32,
        /// Height in pixels by the header.
        height: u32,
    },

    /// An IDX file of more images than a data set in memory may have.
    #[error(
        "{}: {count} images of {width}x{height} pixels would take more than {} GiB of memory; split the file, or make the images smaller",
        path.display(),
        MAX_BYTES >> 30
    )]
    IdxMemory {
        /// The file.
        path: PathBuf,
        /// Number of images by the header.
        count: usize,
        /// Width of each in pixels.
        width: u16,
        /// Height of each in pixels.
        height: u16,
    },

    /// An IDX file is longer or shorter than its header says.
    #[error("{}: header promises {promised} bytes of data, the file holds {held}; fetch or write it again", path.display())]
    IdxLength {
        /// The file.
        path: PathBuf,
        /// Bytes by the header (the product of its dimensions, which may exceed 64 bits).
        promised: u128,
        /// `N`, or `more` when bytes are left over.
        held: String,
    },

    /// The image file and the label file have different numbers of records.
    #[error("{}: {label_count} labels for the {image_count} images of {}; name the label file that belongs to them", labels.display(), images.display())]
    CountMismatch {
        /// The image file.
        images: PathBuf,
        /// The label file.
        labels: PathBuf,
        /// Records in the image file.
        image_count: usize,
        /// Records in the label file.
        label_count: usize,
    },

    /// A label does not index the class list.
    #[error("{}: record {record} has label {label}, but classes are 0 to {}; give the --classes file these labels index", path.display(), class_count.saturating_sub(1))]
    LabelOutOfRange {
        /// The label file.
        path: PathBuf,
        /// Index of the record, counted from 0.
        record: usize,
        /// The label found.
        label: i32,
        /// Number of classes it may index.
        class_count: usize,
    },

    /// A class folder without a single image.
    #[error("{}: class folder holds no .png, .jpg or .jpeg; add images or remove the folder", path.display())]
    EmptyClass {
        /// The class folder.
        path: PathBuf,
    },

    /// An image file that cannot be decoded or encoded.
    #[error("{}: not a usable PNG or JPEG: {source}; repair or remove it", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },

    /// An image with more pixels than are read.
    #[error(
        "{}: {width}x{height} pixels; a side may have {MAX_SIDE} and all of it {MAX_PIXELS}: make the picture smaller",
        path.display()
    )]
    ImageSize {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },

    /// A file of none of the formats that strokes are read from.
    #[error(
        "{}: not a file of strokes; name KanjiVG's XML or zip, JSON lines or TSV of strokes, gzipped or not",
        path.display()
    )]
    StrokesFormat {
        /// The file.
        path: PathBuf,
    },

    /// A record of a file of strokes breaks the format.
    #[error("{}:{place}: {problem}; {remedy}", path.display())]
    StrokesRecord {
        /// The file.
        path: PathBuf,
        /// A line number counted from 1, after the name of the file inside an archive.
        place: String,
        /// What is wrong with the record.
        problem: String,
        /// What a record looks like.
        remedy: &'static str,
    },

    /// A file of strokes that is larger than any collection.
    #[error("{}: more than {} MiB once unpacked; split the file", path.display(), super::strokes::MAX_BYTES >> 20)]
    StrokesMemory {
        /// The file.
        path: PathBuf,
    },

    /// A file that is not a TrueType or OpenType font.
    #[error("{}: not a readable TrueType or OpenType font; repair it, remove it, or name the fonts one by one", path.display())]
    Font {
        /// The file.
        path: PathBuf,
    },

    /// The text names no way to sample.
    #[error("sampling {text:?}: write one of uniform, balanced, power=EXPONENT or weights=FILE")]
    Sampling {
        /// The text as given.
        text: String,
    },

    /// A record, or what stands in place of one, that cannot be used.
    #[error("{}: {place}: {problem}; {remedy}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Where in it: `byte 8199 (record 1)`, `line 7`.
        place: String,
        /// What is wrong there.
        problem: String,
        /// What to do.
        remedy: String,
    },

    /// A data set that would take more memory than one may.
    #[error("{}: {bytes} bytes of pixels, more than {} GiB; {remedy}", path.display(), MAX_BYTES >> 30)]
    TooLarge {
        /// The file or folder.
        path: PathBuf,
        /// Memory its pixels would take, in bytes.
        bytes: u64,
        /// What would make it smaller.
        remedy: &'static str,
    },

    /// More samples were to be held back than there are, or a fraction outside 0 to 1.
    #[error("cannot hold back {asked} of {available} samples; ask for 0 to {available}, or a fraction of 0 to 1")]
    Share {
        /// What was asked for.
        asked: String,
        /// Number of samples in the set.
        available: usize,
    },

    /// A split by source of too few sources.
    #[error("{sources} sources cannot fill {parts} parts whole; split stratified, or add data of other writers")]
    Sources {
        /// Sources there are.
        sources: usize,
        /// Parts that are to hold something.
        parts: usize,
    },
}

impl DatasetError {
    /// Wraps a system error with the file it befell; for use in `map_err`.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}
