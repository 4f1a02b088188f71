//! Naming a data set on the command line, and loading what was named.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{ClassList, Dataset, DatasetError, folder, fonts, idx, strokes};

/// The forms a data set's name may take; part of every message about a name that has none of them.
pub(super) const FORMS: &str = "fonts:DIR|FILE[,FILE...], strokes:FILE[,FILE...], idx:IMAGES[,LABELS] or folder:DIR";

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
    /// `folder:DIR`: PNG and JPEG files, one sub-folder per class.
    Folder(PathBuf),
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
}

impl DataSpec {
    /// Reads or renders every sample into memory.
    ///
    /// # Errors
    /// Any [`DatasetError`] but `Spec` and `Share`: the first fault found, with its file and place.
    pub fn load(&self, options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
        match self {
            Self::Fonts(paths) => fonts::load(paths, options),
            Self::Strokes(paths) => strokes::load(paths, options),
            Self::Idx { images, labels } => idx::load(images, labels.as_deref(), options),
            Self::Folder(dir) => folder::load(dir, options),
        }
    }
}

impl LoadOptions<'_> {
    /// The class file's list, when one is given.
    pub(super) fn class_list(&self) -> Result<Option<ClassList>, DatasetError> {
        self.classes.as_deref().map(ClassList::read_tsv).transpose()
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
            "idx" => {
                let (images, labels) = match path.split_once(',') {
                    Some((images, labels)) => (images, Some(PathBuf::from(labels))),
                    None => (path, None),
                };
                Ok(Self::Idx { images: PathBuf::from(images), labels })
            }
            "folder" => Ok(Self::Folder(PathBuf::from(path))),
            unknown => Err(fault(format!("unknown KIND {unknown:?}"))),
        }
    }
}

/// Writes the form that [`DataSpec::from_str`] reads.
impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |paths: &[PathBuf]| {
            let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            paths.join(",")
        };
        match self {
            Self::Fonts(paths) => write!(f, "fonts:{}", joined(paths)),
            Self::Strokes(paths) => write!(f, "strokes:{}", joined(paths)),
            Self::Idx { images, labels: None } => write!(f, "idx:{}", images.display()),
            Self::Idx { images, labels: Some(labels) } => {
                write!(f, "idx:{},{}", images.display(), labels.display())
            }
            Self::Folder(dir) => write!(f, "folder:{}", dir.display()),
        }
    }
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
            ("folder:C:\\glyphs", DataSpec::Folder("C:\\glyphs".into())),
        ];
        for (text, spec) in expected {
            assert_eq!(text.parse::<DataSpec>().unwrap(), spec);
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn a_name_of_no_known_form_is_told_the_forms() {
        for text in ["mnist:train", "images.gz", "folder:", "idx:a,", "fonts:a,,b", ""] {
            let error = text.parse::<DataSpec>().unwrap_err();
            assert!(matches!(&error, DatasetError::Spec { spec, .. } if spec == text), "{error}");
            let message = error.to_string();
            for kind in ["fonts:", "strokes:", "idx:", "folder:"] {
                assert!(message.contains(kind), "{message}");
            }
            assert!(!message.contains('\n'));
        }
    }
}
