//! Naming a data set on the command line, and loading what was named.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{ClassList, Dataset, DatasetError, emnist, etl, folder, fonts, idx, strokes};

/// The forms a data set's name may take; part of every message about a name that has none of them.
pub(super) const FORMS: &str = "fonts:DIR|FILE[,FILE...], strokes:FILE[,FILE...], idx:IMAGES[,LABELS], \
    emnist:IMAGES[,LABELS], folder:DIR or etl:DIR|FILE[,FILE...]";

/// A data set as it is named on the command line: `KIND:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSpec {
    /// `fonts:DIR|FILE[,FILE…]`: characters rendered from font files. A folder is searched
    /// recursively for `.ttf`, `.otf` and `.ttc`.
    Fonts(Vec<PathBuf>),
    /// `strokes:FILE[,FILE…]`: what a pen wrote, from KanjiVG's XML or zip, JSON lines or TSV.
    Strokes(Vec<PathBuf>),
    /// `idx:IMAGES[,LABELS]`: MNIST's file format, gzipped or not. Labels that are not named are
    /// looked for beside the images.
    Idx {
        /// The image file.
        images: PathBuf,
        /// The label file, when named.
        labels: Option<PathBuf>,
    },
    /// `emnist:IMAGES[,LABELS]`: the same, with images stored transposed, as EMNIST's are.
    Emnist {
        /// The image file.
        images: PathBuf,
        /// The label file, when named.
        labels: Option<PathBuf>,
    },
    /// `folder:DIR`: PNG and JPEG files, one sub-folder per class.
    Folder(PathBuf),
    /// `etl:DIR|FILE[,FILE…]`: files of the ETL Character Database, ETL8 and ETL9. A folder is searched recursively.
    Etl(Vec<PathBuf>),
}

/// How to load a data set.
#[derive(Default, Clone)]
pub struct LoadOptions<'a> {
    /// A class file that says what the labels mean ([`ClassList::read_tsv`]).
    pub classes: Option<PathBuf>,
    /// For fonts and strokes, the characters to take. Without it the class file's, or else the 80 of
    /// [`GRADE1`](super::GRADE1) from fonts and all from strokes.
    pub characters: Option<Vec<char>>,
    /// Refuse a data set that has no labels.
    pub labels_required: bool,
    /// Called after each sample with (samples done, samples in all).
    pub progress: Option<&'a dyn Fn(u64, u64)>,
    /// Takes the fault of a record that cannot be read, and loading goes on without it; where there is none, the first
    /// such fault ends the loading.
    pub bad_record: Option<&'a dyn Fn(DatasetError)>,
}

impl DataSpec {
    /// Reads or renders every sample into memory.
    ///
    /// # Errors
    /// Any [`DatasetError`] but `Spec`, `Share` and `Sources`: the first fault found, with its file and place.
    pub fn load(&self, options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
        match self {
            Self::Fonts(paths) => fonts::load(paths, options),
            Self::Strokes(paths) => strokes::load(paths, options),
            Self::Idx { images, labels } => idx::load(images, labels.as_deref(), options),
            Self::Emnist { images, labels } => emnist::load(images, labels.as_deref(), options),
            Self::Folder(dir) => folder::load(dir, options),
            Self::Etl(paths) => etl::load(paths, options),
        }
    }

    /// Every file that [`Self::load`] reads samples from.
    ///
    /// # Errors
    /// [`DatasetError`] where a folder cannot be searched.
    pub fn files(&self) -> Result<Vec<PathBuf>, DatasetError> {
        match self {
            Self::Fonts(paths) => fonts::font_files(paths),
            Self::Strokes(paths) => Ok(paths.clone()),
            Self::Idx { images, labels } => Ok(idx::files(images, labels.as_deref())),
            Self::Emnist { images, labels } => Ok(emnist::files(images, labels.as_deref())),
            Self::Folder(dir) => folder::files(dir),
            Self::Etl(paths) => etl::files(paths),
        }
    }

    /// Whether [`Sample::source`](super::Sample::source) is the writer, so that a split by source keeps writers apart.
    pub fn knows_writers(&self) -> bool {
        match self {
            Self::Etl(_) | Self::Strokes(_) => true,
            Self::Fonts(_) | Self::Idx { .. } | Self::Emnist { .. } | Self::Folder(_) => false,
        }
    }
}

impl LoadOptions<'_> {
    /// The class file's list, when one is given.
    pub(super) fn class_list(&self) -> Result<Option<ClassList>, DatasetError> {
        self.classes.as_deref().map(ClassList::read_tsv).transpose()
    }

    /// Hands on the fault of one record; an error where nobody takes it.
    pub(super) fn tolerate(&self, fault: DatasetError) -> Result<(), DatasetError> {
        match self.bad_record {
            Some(take) => {
                take(fault);
                Ok(())
            }
            None => Err(fault),
        }
    }

    /// Reports `done` of `total` samples.
    pub(super) fn report(&self, done: usize, total: usize) {
        if let Some(progress) = self.progress {
            progress(done as u64, total as u64);
        }
    }
}

impl FromStr for DataSpec {
    type Err = DatasetError;

    fn from_str(spec: &str) -> Result<Self, DatasetError> {
        let fault = |problem: String| DatasetError::Spec { spec: spec.to_owned(), problem };
        let (kind, path) = spec.split_once(':').ok_or_else(|| fault("no KIND".to_owned()))?;
        if path.split(',').any(str::is_empty) {
            return Err(fault(format!("an empty path after {kind:?}")));
        }
        match kind {
            "fonts" => Ok(Self::Fonts(path.split(',').map(PathBuf::from).collect())),
            "strokes" => Ok(Self::Strokes(path.split(',').map(PathBuf::from).collect())),
            "etl" => Ok(Self::Etl(path.split(',').map(PathBuf::from).collect())),
            "idx" | "emnist" => {
                let (images, labels) = match path.split_once(',') {
                    Some((images, labels)) => (images, Some(PathBuf::from(labels))),
                    None => (path, None),
                };
                let images = PathBuf::from(images);
                Ok(if kind == "idx" { Self::Idx { images, labels } } else { Self::Emnist { images, labels } })
            }
            "folder" => Ok(Self::Folder(PathBuf::from(path))),
            unknown => Err(fault(format!("unknown KIND {unknown:?}"))),
        }
    }
}

/// Writes the form that [`DataSpec::from_str`] reads.
impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fonts(paths) => write!(f, "fonts:{}", listed(paths)),
            Self::Strokes(paths) => write!(f, "strokes:{}", listed(paths)),
            Self::Etl(paths) => write!(f, "etl:{}", listed(paths)),
            Self::Idx { images, labels } => write!(f, "idx:{}", with_labels(images, labels.as_deref())),
            Self::Emnist { images, labels } => write!(f, "emnist:{}", with_labels(images, labels.as_deref())),
            Self::Folder(dir) => write!(f, "folder:{}", dir.display()),
        }
    }
}

fn with_labels(images: &Path, labels: Option<&Path>) -> String {
    let paths: Vec<PathBuf> = [Some(images), labels].into_iter().flatten().map(Path::to_owned).collect();
    listed(&paths)
}

/// Paths with commas between them.
fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        let expected = [
            ("fonts:a.ttf,b/c.otf", DataSpec::Fonts(vec!["a.ttf".into(), "b/c.otf".into()])),
            ("strokes:kanjivg.xml.gz,b.tsv", DataSpec::Strokes(vec!["kanjivg.xml.gz".into(), "b.tsv".into()])),
            ("idx:images.gz", DataSpec::Idx { images: "images.gz".into(), labels: None }),
            ("idx:images,labels", DataSpec::Idx { images: "images".into(), labels: Some("labels".into()) }),
            ("emnist:images", DataSpec::Emnist { images: "images".into(), labels: None }),
            ("folder:C:\\glyphs", DataSpec::Folder("C:\\glyphs".into())),
            ("etl:ETL8G,ETL9G/ETL9G_01", DataSpec::Etl(vec!["ETL8G".into(), "ETL9G/ETL9G_01".into()])),
        ];
        for (text, spec) in expected {
            assert_eq!(text.parse::<DataSpec>().unwrap(), spec);
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn a_name_of_no_known_form_is_told_the_forms() {
        for text in ["mnist:train", "images.gz", "folder:", "idx:a,", "fonts:a,,b", "etl:", ""] {
            let error = text.parse::<DataSpec>().unwrap_err();
            assert!(matches!(&error, DatasetError::Spec { spec, .. } if spec == text), "{error}");
            let message = error.to_string();
            for kind in ["fonts:", "strokes:", "idx:", "folder:", "etl:", "emnist:"] {
                assert!(message.contains(kind), "{message}");
            }
            assert!(!message.contains('\n'));
        }
    }
}
