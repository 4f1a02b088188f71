//! Data of one's own: what a loader must do, and what is done for it.
//!
//! A loader is an iterator over [`NamedSample`]s that also knows where they come from. [`Dataset::from_source`] draws
//! them all, checks them, counts progress, and makes numbers of the names. `examples/own_data.rs` is a whole one.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::{ClassList, Dataset, DatasetError, Glyph, LoadOptions, Sample};

/// A glyph with the names of its class and its writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSample {
    /// The picture, ink 255 on 0.
    pub glyph: Glyph,
    /// What it shows, normally one character; `None` where nobody has said.
    pub label: Option<String>,
    /// Who or what wrote it: a writer, a sheet, a font. A split by source keeps all of one source on one side.
    pub source: String,
}

/// A loader: an iterator over samples, one in memory at a time.
///
/// A sample that cannot be read is an `Err`, best a [`DatasetError::Record`] with its place; the iterator then goes
/// on with the next, or returns `None` where it cannot. Its order must be the same every time: splits and training
/// depend on it. [`Iterator::size_hint`], where it is exact, gives progress its total.
pub trait SampleSource: Iterator<Item = Result<NamedSample, DatasetError>> {
    /// The file or folder that errors about the whole of it name.
    fn origin(&self) -> &Path;
}

impl Dataset {
    /// Reads all samples of `source`.
    ///
    /// Classes are those of the options' class file, or else the labels found, sorted: so they depend neither on the
    /// order of the samples nor on how they are spread over files. Sources are numbered as they come.
    ///
    /// # Errors
    /// The first fault, unless [`LoadOptions::bad_record`] takes it; [`DatasetError::UnknownClass`] for a label that
    /// the class file lacks, [`DatasetError::NoLabels`] where labels are required and a sample has none, and
    /// [`DatasetError::NoSamples`].
    pub fn from_source(mut source: impl SampleSource, options: &LoadOptions<'_>) -> Result<Self, DatasetError> {
        let listed = options.class_list()?;
        let (mut names, mut sources) = (Numbering::default(), Numbering::default());
        let mut samples = Vec::new();
        let total = source.size_hint().1.unwrap_or(0);
        let mut done = 0;
        while let Some(next) = source.next() {
            done += 1;
            options.report(done, total.max(done));
            let NamedSample { glyph, label, source: writer } =
                match next.and_then(|sample| checked(sample, &source, done)) {
                    Ok(sample) => sample,
                    Err(error) => {
                        options.tolerate(error)?;
                        continue;
                    }
                };
            if label.is_none() && options.labels_required {
                let remedy = "its loader must give every sample a label to train or test with";
                return Err(DatasetError::NoLabels { path: source.origin().to_owned(), remedy });
            }
            let label = match (&listed, label) {
                (_, None) => None,
                (None, Some(label)) => Some(names.number(label)),
                (Some(classes), Some(label)) => {
                    let index = classes.index_of(&label);
                    let unknown = || DatasetError::UnknownClass { path: source.origin().to_owned(), label };
                    Some(index.ok_or_else(unknown)?)
                }
            };
            samples.push(Sample { glyph, strokes: None, label, source: sources.number(writer) });
        }
        if samples.is_empty() {
            let remedy = "the loader found none; name a file or folder that holds some";
            return Err(DatasetError::NoSamples { path: source.origin().to_owned(), remedy });
        }
        let classes = match listed {
            Some(classes) => classes,
            None => {
                let (classes, map) = names.sorted(source.origin())?;
                for label in samples.iter_mut().filter_map(|sample| sample.label.as_mut()) {
                    *label = map[*label as usize];
                }
                classes
            }
        };
        Ok(Self { samples, classes, sources: sources.names, missing: Vec::new() })
    }
}

/// The sample, if its picture is one: everything after this relies on it.
fn checked(sample: NamedSample, source: &impl SampleSource, number: usize) -> Result<NamedSample, DatasetError> {
    let Glyph { width, height, pixels } = &sample.glyph;
    if *width > 0 && *height > 0 && pixels.len() == usize::from(*width) * usize::from(*height) {
        return Ok(sample);
    }
    Err(DatasetError::Record {
        path: source.origin().to_owned(),
        place: format!("sample {number}"),
        problem: format!("a glyph of {width}x{height} pixels has {} of them", pixels.len()),
        remedy: "the loader must give width × height pixels, at least one".to_owned(),
    })
}

/// Names, numbered in order of appearance.
#[derive(Default)]
struct Numbering {
    names: Vec<String>,
    by_name: HashMap<String, u32>,
}

impl Numbering {
    fn number(&mut self, name: String) -> u32 {
        if let Some(&number) = self.by_name.get(&name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.by_name.insert(name, number);
        number
    }

    /// The names in order, and the place there of each number; without a name, classes that stand for nothing.
    fn sorted(self, origin: &Path) -> Result<(ClassList, Vec<u32>), DatasetError> {
        if self.names.is_empty() {
            return Ok((ClassList::numbered(0), Vec::new()));
        }
        let sorted: BTreeMap<String, u32> = self.by_name.into_iter().collect();
        let mut map = vec![0; sorted.len()];
        for (&number, place) in sorted.values().zip(0..) {
            map[number as usize] = place;
        }
        Ok((ClassList::named(sorted.into_keys(), origin)?, map))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct List(std::vec::IntoIter<Result<NamedSample, DatasetError>>);

    impl Iterator for List {
        type Item = Result<NamedSample, DatasetError>;

        fn next(&mut self) -> Option<Self::Item> {
            self.0.next()
        }
    }

    impl SampleSource for List {
        fn origin(&self) -> &Path {
            "list".as_ref()
        }
    }

    fn sample(label: &str, source: &str) -> Result<NamedSample, DatasetError> {
        let label = (!label.is_empty()).then(|| label.to_owned());
        let glyph = Glyph { width: 2, height: 1, pixels: vec![0, 255] };
        Ok(NamedSample { glyph, label, source: source.to_owned() })
    }

    fn load(
        samples: Vec<Result<NamedSample, DatasetError>>,
        options: &LoadOptions<'_>,
    ) -> Result<Dataset, DatasetError> {
        Dataset::from_source(List(samples.into_iter()), options)
    }

    #[test]
    fn names_become_numbers() {
        let set =
            load(vec![sample("b", "x"), sample("a", "y"), sample("", "x"), sample("b", "y")], &LoadOptions::default());
        let set = set.unwrap();
        assert_eq!(
            (set.classes.labels(), &set.sources[..]),
            (&["a".to_owned(), "b".into()][..], &["x".into(), "y".into()][..])
        );
        let numbers: Vec<_> = set.samples.iter().map(|sample| (sample.label, sample.source)).collect();
        assert_eq!(numbers, [(Some(1), 0), (Some(0), 1), (None, 0), (Some(1), 1)]);
    }

    #[test]
    fn faults_stop_the_loading_unless_they_are_taken() {
        let flat = || {
            sample("a", "x").map(|mut sample| {
                sample.glyph.pixels.pop();
                sample
            })
        };
        let error = load(vec![sample("a", "x"), flat()], &LoadOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list: sample 2: a glyph of 2x1 pixels has 1 of them; the loader must give width × height pixels, at least one"
        );
        let faults = RefCell::new(Vec::new());
        let take = |fault| faults.borrow_mut().push(fault);
        let options = LoadOptions { bad_record: Some(&take), ..LoadOptions::default() };
        let set = load(vec![flat(), sample("a", "x"), flat(), sample("b", "x")], &options).unwrap();
        assert_eq!((set.samples.len(), faults.borrow().len()), (2, 2));
    }

    #[test]
    fn nothing_and_no_labels_are_refused() {
        assert!(matches!(load(vec![], &LoadOptions::default()), Err(DatasetError::NoSamples { .. })));
        let options = LoadOptions { labels_required: true, ..LoadOptions::default() };
        assert!(matches!(load(vec![sample("", "x")], &options), Err(DatasetError::NoLabels { .. })));
    }
}
