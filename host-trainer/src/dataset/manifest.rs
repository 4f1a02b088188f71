//! What a run learned from: its files, its split, and a fingerprint of every part.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Dataset, DatasetError, Sample, SplitPlan, Splits};
use crate::files::{FileError, write_atomically};

/// Name of the manifest in a run's folder.
pub const MANIFEST_FILE: &str = "data.json";

/// What went into which part of a run's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataManifest {
    /// Every file that was read.
    pub files: Vec<SourceFile>,
    /// How the samples were divided; `None` where all are trained on.
    pub split: Option<SplitPlan>,
    /// Seed of the division.
    pub seed: u64,
    /// The parts: `training`, `validation`, `test`.
    pub parts: BTreeMap<String, PartRecord>,
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Where it was.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// One part of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Number of samples.
    pub samples: usize,
    /// SHA-256 over the part's samples, whatever their order and wherever their files: each by the SHA-256 of its
    /// size, pixels, label and source.
    pub identity: String,
    /// Samples of each class that has any, by label.
    pub classes: BTreeMap<String, usize>,
    /// Number of sources that gave any.
    pub sources: usize,
}

impl DataManifest {
    /// Describes `splits`, which came of `files` by `split`, telling `hashed` how many files are done.
    ///
    /// # Errors
    /// [`DatasetError::Io`] where a file cannot be read any more.
    pub fn new(
        files: &[PathBuf],
        split: Option<SplitPlan>,
        seed: u64,
        splits: &Splits,
        mut hashed: impl FnMut(usize),
    ) -> Result<Self, DatasetError> {
        let describe = |(path, number): (&PathBuf, usize)| {
            let file = SourceFile::of(path);
            hashed(number);
            file
        };
        let files = files.iter().zip(1..).map(describe).collect::<Result<_, _>>()?;
        let parts = splits.parts().map(|(name, part)| (name.to_owned(), PartRecord::of(part)));
        Ok(Self { files, split, seed, parts: parts.into() })
    }

    /// Writes `data.json` in the folder of a run.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn write(&self, run: &Path) -> Result<(), FileError> {
        let path = run.join(MANIFEST_FILE);
        let text = serde_json::to_string_pretty(self).map_err(|error| FileError::write(&path, error.into()))?;
        write_atomically(&path, text.as_bytes())
    }

    /// Reads `data.json` of a run.
    ///
    /// # Errors
    /// [`FileError::Read`], also where it is damaged.
    pub fn read(run: &Path) -> Result<Self, FileError> {
        let path = run.join(MANIFEST_FILE);
        let text = crate::files::read(&path)?;
        serde_json::from_slice(&text).map_err(|error| FileError::read(&path, error.into()))
    }

    /// The first part that holds other samples than that of `other`: results on it cannot be compared. `None` where
    /// all parts are the same, whatever the files, rules and seeds that made them.
    pub fn first_difference<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let names = self.parts.keys().chain(other.parts.keys());
        names.map(String::as_str).find(|&name| self.parts.get(name) != other.parts.get(name))
    }
}

impl SourceFile {
    fn of(path: &Path) -> Result<Self, DatasetError> {
        let hash = || -> io::Result<(u64, String)> {
            let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
            let (mut hasher, mut bytes) = (Sha256::new(), 0);
            loop {
                let chunk = reader.fill_buf()?;
                let length = chunk.len();
                if length == 0 {
                    return Ok((bytes, hexadecimal(&hasher.finalize())));
                }
                hasher.update(chunk);
                bytes += length as u64;
                reader.consume(length);
            }
        };
        let (bytes, sha256) = hash().map_err(DatasetError::io(path, "read"))?;
        Ok(Self { path: path.to_owned(), bytes, sha256 })
    }
}

impl PartRecord {
    fn of(part: &Dataset) -> Self {
        let mut identities = identities(part);
        identities.par_sort_unstable();
        let mut hasher = Sha256::new();
        identities.iter().for_each(|identity| hasher.update(identity));
        let mut classes = BTreeMap::new();
        for label in part.samples.iter().filter_map(|sample| label(sample, part)) {
            *classes.entry(label.to_owned()).or_default() += 1;
        }
        let mut sources: Vec<u32> = part.samples.iter().map(|sample| sample.source).collect();
        sources.sort_unstable();
        sources.dedup();
        let identity = hexadecimal(&hasher.finalize());
        Self { samples: part.samples.len(), identity, classes, sources: sources.len() }
    }
}

fn label<'a>(sample: &Sample, part: &'a Dataset) -> Option<&'a str> {
    sample.label.and_then(|label| part.classes.labels().get(label as usize)).map(String::as_str)
}

/// What each sample of `part` is, whatever its place and the numbers of its class and source.
pub(super) fn identities(part: &Dataset) -> Vec<[u8; 32]> {
    part.samples.par_iter().map(|sample| identity(sample, part)).collect()
}

/// SHA-256 of a sample: each field behind its length, so that no two samples read alike.
fn identity(sample: &Sample, part: &Dataset) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let source = part.sources.get(sample.source as usize).map_or("", String::as_str);
    let size = [sample.glyph.width.to_le_bytes(), sample.glyph.height.to_le_bytes()].concat();
    let label = label(sample, part);
    let is_labelled = [u8::from(label.is_some())];
    let fields = [&size, &sample.glyph.pixels, &is_labelled[..], label.unwrap_or("").as_bytes(), source.as_bytes()];
    for field in fields {
        hasher.update((field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    for line in sample.strokes.iter().flat_map(|strokes| strokes.lines()) {
        hasher.update((line.len() as u64).to_le_bytes());
        for point in line {
            hasher.update([point.x, point.y].map(i16::to_le_bytes).as_flattened());
            hasher.update([point.width]);
        }
    }
    hasher.finalize().into()
}

/// Two digits a byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dataset::{ClassList, Glyph, Share, Strokes};

    fn set() -> Dataset {
        let sample = |index: u32| Sample {
            glyph: Glyph { width: 2, height: 2, pixels: index.to_be_bytes().to_vec() },
            strokes: None,
            label: (index != 9).then_some(index % 2),
            source: index % 3,
        };
        Dataset {
            samples: (0..10).map(sample).collect(),
            classes: ClassList::named(["一".to_owned(), "二".into()], Path::new("test")).unwrap(),
            sources: vec!["x".to_owned(), "y".into(), "z".into()],
            missing: Vec::new(),
        }
    }

    fn manifest(dataset: Dataset, seed: u64) -> DataManifest {
        let plan = SplitPlan::Stratified { validation: Share::Count(2), test: Share::Count(3) };
        let splits = plan.divide(dataset, seed).unwrap();
        DataManifest::new(&[], Some(plan), seed, &splits, |_| ()).unwrap()
    }

    #[test]
    fn parts_are_counted_and_told_apart() {
        let first = manifest(set(), 1);
        let counts = ["training", "validation", "test"].map(|part| first.parts[part].samples);
        assert_eq!(counts, [5, 2, 3]);
        let of_classes: usize = first.parts.values().flat_map(|part| part.classes.values()).sum();
        assert_eq!(of_classes, 9, "one sample has no label");
        assert_eq!(first.first_difference(&manifest(set(), 1)), None);
        assert!(first.first_difference(&manifest(set(), 2)).is_some());
    }

    #[test]
    fn the_identity_knows_every_field_but_not_the_order() {
        let identity = |change: &dyn Fn(&mut Dataset)| {
            let mut dataset = set();
            change(&mut dataset);
            PartRecord::of(&dataset).identity
        };
        let same = identity(&|_| ());
        assert_eq!(identity(&|set| set.samples.reverse()), same);
        // Numbers of classes and sources are not what the sample is.
        let renumbered = identity(&|set| {
            set.sources.reverse();
            set.samples.iter_mut().for_each(|sample| sample.source = 2 - sample.source);
        });
        assert_eq!(renumbered, same);
        let changes: [&dyn Fn(&mut Dataset); 7] = [
            &|set| set.samples[4].strokes = Strokes::from_lines(&[vec![[0.0, 0.0], [1.0, 1.0]]]).map(Arc::new),
            &|set| set.samples[4].glyph.pixels[0] = 1,
            &|set| (set.samples[4].glyph.width, set.samples[4].glyph.height) = (4, 1),
            &|set| set.samples[4].label = Some(1),
            &|set| set.samples[4].label = None,
            &|set| set.samples[4].source = 0,
            &|set| set.samples.push(set.samples[4].clone()),
        ];
        for (number, change) in changes.iter().enumerate() {
            assert_ne!(identity(change), same, "change {number}");
        }
    }

    #[test]
    fn files_are_hashed_and_the_manifest_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        std::fs::write(&path, "abc").unwrap();
        let splits = SplitPlan::EarlierWork.divide(set(), 0).unwrap();
        let manifest = DataManifest::new(std::slice::from_ref(&path), None, 0, &splits, |_| ()).unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((manifest.files[0].bytes, manifest.files[0].sha256.as_str()), (3, expected));
        manifest.write(dir.path()).unwrap();
        assert_eq!(DataManifest::read(dir.path()).unwrap(), manifest);
        std::fs::write(dir.path().join(MANIFEST_FILE), "{").unwrap();
        let error = DataManifest::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("data.json") && error.contains("EOF"), "{error}");
        let absent = DataManifest::new(&[dir.path().join("absent")], None, 0, &splits, |_| ()).unwrap_err();
        assert!(matches!(absent, DatasetError::Io { .. }));
    }
}
