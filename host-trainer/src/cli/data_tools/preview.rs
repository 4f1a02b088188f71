//! `fude data preview`: a contact sheet of what training sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::sheet::{CELL, Group, Sheet};
use crate::cli::data::{DataArguments, DataOptions, Part};
use crate::cli::outcome::rows;
use crate::cli::{CliError, Outcome};
use crate::dataset::{DataSpec, Dataset, Distortion, Glyph, Sample, Writer, distort, rng_for};
use crate::files::FileError;
use crate::train::toml_fault;

/// Draw a contact sheet: a class a row, samples as they are read, as training sees them, and real ones beside.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude data preview strokes:kanjivg.xml.gz --characters grade1 --out sheet.png
  fude data preview strokes:kanjivg.zip --real idx:images-idx3-ubyte.gz --classes classes.tsv --out sheet.png
  fude data preview fonts:/usr/share/fonts --settings mine.toml --writers 10 --out sheet.png")]
pub struct PreviewArguments {
    /// Data, named as for `fude train --data`.
    #[arg(value_name = "KIND:PATH", required = true)]
    pub data: Vec<DataSpec>,
    /// PNG file to write.
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
    /// Samples to show beside, of the same classes: how people really write, for one.
    #[arg(long, value_name = "KIND:PATH")]
    pub real: Vec<DataSpec>,
    /// Table of classes that maps label indices to characters.
    #[arg(long, value_name = "FILE.tsv")]
    pub classes: Option<PathBuf>,
    /// Characters to take from fonts and strokes; `grade1` for the 80 of the first school year.
    #[arg(long, value_name = "TEXT|grade1")]
    pub characters: Option<String>,
    /// Rows: so many classes, evenly over those there are.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=900))]
    pub rows: u16,
    /// Columns as training sees them; each is one writer where strokes are known.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(0..=400))]
    pub writers: u16,
    /// Strengths of handwriting and distortion, a TOML file of the fields of the library's `Distortion`.
    #[arg(long, value_name = "FILE.toml")]
    pub settings: Option<PathBuf>,
    /// The strengths of `fude train --mild`.
    #[arg(long, conflicts_with = "settings")]
    pub mild: bool,
    /// Seed of the writers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Most columns of samples as they are read, one a source.
const READ_COLUMNS: usize = 3;
/// Most columns of real samples.
const REAL_COLUMNS: usize = 5;

#[derive(Debug, Serialize)]
struct Preview {
    out: PathBuf,
    /// Labels of the rows.
    classes: Vec<String>,
    as_read: usize,
    simulated: usize,
    real: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &PreviewArguments) -> Result<Outcome, CliError> {
    let settings = settings(arguments)?;
    let read = ByClass::new(load(arguments, &arguments.data)?);
    let real = match &arguments.real[..] {
        [] => None,
        specs => Some(ByClass::new(load(arguments, specs)?)),
    };
    let classes = chosen_classes(&read, real.as_ref(), usize::from(arguments.rows));
    if classes.is_empty() {
        return Err("the data and --real have no class in common; give both the same --classes".into());
    }
    let widest =
        |set: &ByClass, most: usize| classes.iter().map(|class| set.of(class).len()).max().unwrap_or(0).min(most);
    let read_columns = classes.iter().map(|class| one_a_source(&read.of(class)).len()).max().unwrap_or(0);
    let writers = usize::from(arguments.writers);
    let real_columns = real.as_ref().map_or(0, |set| widest(set, REAL_COLUMNS));
    let columns = [read_columns, writers, real_columns];
    let groups = ["as read", "as training sees it", "real"].into_iter().zip(columns);
    // All three are a few hundred at most.
    let groups: Vec<Group<'_>> = groups.map(|(heading, columns)| Group { heading, columns: columns as u16 }).collect();
    let too_large = "the sheet would be larger than a picture may be; lower --rows or --writers";
    let mut sheet = Sheet::new(&groups, classes.len()).ok_or(too_large)?;

    for (row, class) in classes.iter().enumerate() {
        let samples = read.of(class);
        for (column, sample) in one_a_source(&samples).into_iter().enumerate() {
            sheet.put(column, row, &sample.glyph);
        }
        for writer in 0..writers {
            let glyph = as_trained(samples[writer % samples.len()], &settings, arguments.seed, writer, row);
            sheet.put(read_columns + writer, row, &glyph);
        }
        let real = real.iter().flat_map(|set| set.of(class)).take(REAL_COLUMNS);
        for (column, sample) in real.enumerate() {
            sheet.put(read_columns + writers + column, row, &sample.glyph);
        }
    }
    sheet.write(&arguments.out)?;
    let preview =
        Preview { out: arguments.out.clone(), classes, as_read: read_columns, simulated: writers, real: real_columns };
    let text = rows(&[
        ("sheet", preview.out.display().to_string()),
        ("rows", preview.classes.join(" ")),
        ("columns", format!("{read_columns} as read, {writers} as training sees it, {real_columns} real")),
    ]);
    Outcome::new(&preview, text)
}

/// The strengths: those of a file, or a preset's.
fn settings(arguments: &PreviewArguments) -> Result<Distortion, CliError> {
    let settings = match &arguments.settings {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|source| FileError::read(path, source))?;
            toml::from_str(&text).map_err(|error| {
                let (line, message) = toml_fault(&text, &error);
                format!("{}:{line}: {message}; its fields are those of the library's `Distortion`", path.display())
            })?
        }
        None if arguments.mild => Distortion::mild(),
        None => Distortion::default(),
    };
    Ok(Distortion { side: CELL, ..settings })
}

fn load(arguments: &PreviewArguments, specs: &[DataSpec]) -> Result<Dataset, CliError> {
    let data = DataArguments {
        data: specs.to_vec(),
        options: DataOptions {
            classes: arguments.classes.clone(),
            characters: arguments.characters.clone(),
            ..DataOptions::default()
        },
    };
    data.load(Part::Training, true)
}

/// The samples of each class, by its label.
struct ByClass {
    dataset: Dataset,
    indices: BTreeMap<String, Vec<usize>>,
}

impl ByClass {
    fn new(dataset: Dataset) -> Self {
        let mut indices: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, sample) in dataset.samples.iter().enumerate() {
            if let Some(label) = sample.label.and_then(|label| dataset.classes.labels().get(label as usize)) {
                indices.entry(label.clone()).or_default().push(index);
            }
        }
        Self { dataset, indices }
    }

    fn of(&self, class: &str) -> Vec<&Sample> {
        let indices = self.indices.get(class).map(Vec::as_slice).unwrap_or_default();
        indices.iter().map(|&index| &self.dataset.samples[index]).collect()
    }
}

/// `count` of the classes that both sets have, evenly over them, in the order of the class list.
fn chosen_classes(read: &ByClass, real: Option<&ByClass>, count: usize) -> Vec<String> {
    let has = |set: &ByClass, label: &String| set.indices.contains_key(label);
    let labels = read.dataset.classes.labels().iter();
    let common: Vec<&String> =
        labels.filter(|&label| has(read, label) && real.is_none_or(|real| has(real, label))).collect();
    let count = count.min(common.len());
    (0..count).map(|row| common[row * common.len() / count].clone()).collect()
}

/// The first sample of each source, [`READ_COLUMNS`] at most.
fn one_a_source<'a>(samples: &[&'a Sample]) -> Vec<&'a Sample> {
    let mut first: Vec<&Sample> = Vec::new();
    for &sample in samples {
        if first.len() < READ_COLUMNS && first.iter().all(|other| other.source != sample.source) {
            first.push(sample);
        }
    }
    first
}

/// A sample as [`render`](crate::dataset::render()) shows it to training, but for the writer, who is the same in all
/// rows of a column.
fn as_trained(sample: &Sample, settings: &Distortion, seed: u64, column: usize, row: usize) -> Glyph {
    let mut rng = rng_for(seed, column as u64, 1 + row as u64);
    match &sample.strokes {
        Some(strokes) => {
            let writer = Writer::random(&settings.handwriting, &mut rng_for(seed, column as u64, 0));
            distort(&writer.write(strokes, &mut rng), settings, &mut rng)
        }
        None => distort(&sample.glyph, settings, &mut rng),
    }
}
