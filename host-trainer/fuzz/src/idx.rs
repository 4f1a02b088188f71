//! IDX files: images, labels, and a class file, plain or gzipped.
//!
//! An input is a byte of [`Form`] bits, the length of the image file in two bytes, the image file, the label file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::dataset::{DataSpec, LoadOptions};
use crate::tally::Tally;

static TALLY: Tally = Tally::new("idx");
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for the files"));

/// What the bits of the first byte say.
struct Form(u8);

impl Form {
    fn has(&self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// The images are to be gzipped: a mutated gzip file hardly ever has the right checksum.
    fn gzipped_images(&self) -> bool {
        self.has(0)
    }

    fn gzipped_labels(&self) -> bool {
        self.has(1)
    }

    fn labels(&self) -> bool {
        self.has(2)
    }

    fn classes(&self) -> bool {
        self.has(3)
    }

    /// The headers are to fit the data, as far as rows and columns allow: mutated ones hardly ever do.
    fn fitted(&self) -> bool {
        self.has(4)
    }
}

/// Loads the files; every sample must be of the size that its glyph says and of a class that there is.
///
/// # Panics
/// Where the reader has a defect.
pub fn run(input: &[u8]) {
    let [form, low, high, files @ ..] = input else { return };
    let form = Form(*form);
    let (images, labels) = files.split_at(usize::from(u16::from_le_bytes([*low, *high])).min(files.len()));
    let (mut images, mut labels) = (images.to_vec(), labels.to_vec());
    if form.fitted() {
        fit(&mut images, &mut labels);
    }
    let spec = DataSpec::Idx {
        images: write("t-images", &images, form.gzipped_images()),
        labels: form.labels().then(|| write("t-labels", &labels, form.gzipped_labels())),
    };
    let classes = form.classes().then(|| write("classes.tsv", "0\t3042\tあ\tx\n1\t3044\tい\tx\n".as_bytes(), false));
    let options = LoadOptions { classes, labels_required: form.labels(), ..LoadOptions::default() };
    let loaded = spec.load(&options);
    TALLY.count(loaded.is_ok());
    match loaded {
        Ok(set) => {
            for sample in &set.samples {
                let glyph = &sample.glyph;
                assert_eq!(glyph.pixels.len(), usize::from(glyph.width) * usize::from(glyph.height));
                assert!(sample.label.is_none_or(|label| (label as usize) < set.classes.len()));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Makes the image file whole by a new count and a cut, and the label file as many labels.
fn fit(images: &mut Vec<u8>, labels: &mut Vec<u8>) {
    let header = 16;
    let Some(sides) = images.get(8..header).and_then(|sides| <[u8; 8]>::try_from(sides).ok()) else { return };
    let [rows, columns] = [0, 4].map(|at| u64::from(u32::from_be_bytes([0, 1, 2, 3].map(|byte| sides[at + byte]))));
    let pixels = (images.len() - header) as u64;
    let Some(count) = rows.checked_mul(columns).and_then(|size| pixels.checked_div(size)) else { return };
    images[4..8].copy_from_slice(&(count as u32).to_be_bytes());
    images.truncate(header + (count * rows * columns) as usize);

    let header = 8;
    if labels.len() >= header {
        let label_bytes = if labels[2] == 0x0B { 2 } else { 1 };
        labels[4..header].copy_from_slice(&(count as u32).to_be_bytes());
        labels.resize(header + count as usize * label_bytes, 1);
    }
}

fn write(name: &str, bytes: &[u8], gzipped: bool) -> PathBuf {
    let path = Path::new(FOLDER.path()).join(name);
    let written = if gzipped {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).and_then(|bytes| fs::write(&path, bytes))
    } else {
        fs::write(&path, bytes)
    };
    written.expect("the folder takes a file");
    path
}
