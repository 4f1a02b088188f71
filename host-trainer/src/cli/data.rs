//! Arguments that name data.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::CliError;
use super::progress::bar;
use crate::dataset::{
    ClassList, DataSpec, Dataset, Distortion, GRADE1, LoadOptions, Sample, Share, render, rng_for, split_off,
};
use crate::evaluate::TestSet;

/// Seed of the split that `--hold-back` makes, fixed so that training and evaluation agree on it.
const SPLIT_SEED: u64 = 0;

/// Which data, and what its labels mean.
#[derive(Debug, Clone, Args)]
pub struct DataArguments {
    /// Data: `fonts:DIR|FILE[,FILE…]`, `strokes:FILE[,FILE…]`, `idx:IMAGES[,LABELS]` or `folder:DIR`. May be given
    /// several times.
    #[arg(long, value_name = "KIND:PATH", required = true)]
    pub data: Vec<DataSpec>,
    /// Table of classes that maps label indices to characters (index, code point, character, group).
    #[arg(long, value_name = "FILE.tsv")]
    pub classes: Option<PathBuf>,
    /// Characters to take from fonts and strokes; `grade1` for the 80 of the first school year.
    #[arg(long, value_name = "TEXT|grade1")]
    pub characters: Option<String>,
    /// Hold this many samples back from training, evenly over the classes; `eval` and `verify` given the same
    /// number use just these.
    #[arg(long, value_name = "N")]
    pub hold_back: Option<usize>,
}

/// Which part of the data `--hold-back` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is trained on.
    Training,
    /// What was held back.
    HeldBack,
}

impl DataArguments {
    /// Loads all data into one set, classes merged by name.
    ///
    /// # Errors
    /// Where a source cannot be read, or has no labels though `labels_required`.
    pub fn load(&self, part: Part, labels_required: bool) -> Result<Dataset, CliError> {
        let characters = self.characters.as_deref().map(|text| if text == "grade1" { GRADE1 } else { text });
        let mut merged: Option<Dataset> = None;
        for spec in &self.data {
            let progress = bar(0, &format!("reading {spec}"));
            let tick = |done: u64, total: u64| {
                progress.set_length(total);
                progress.set_position(done);
            };
            let options = LoadOptions {
                classes: self.classes.clone(),
                characters: characters.map(|text| text.chars().collect()),
                labels_required,
                progress: Some(&tick),
            };
            let dataset = spec.load(&options)?;
            progress.finish_and_clear();
            merged = Some(match merged {
                None => dataset,
                Some(first) => merge(first, dataset)?,
            });
        }
        let dataset = merged.ok_or("no data was named; give --data KIND:PATH")?;
        let Some(count) = self.hold_back else { return Ok(dataset) };
        let (training, held_back) = split_off(dataset, Share::Count(count), SPLIT_SEED)?;
        Ok(match part {
            Part::Training => training,
            Part::HeldBack => held_back,
        })
    }

    /// The sources as on the command line.
    pub fn names(&self) -> Vec<String> {
        self.data.iter().map(ToString::to_string).collect()
    }
}

/// Arguments that name data to test on.
#[derive(Debug, Clone, Args)]
pub struct TestArguments {
    /// The data itself.
    #[command(flatten)]
    pub data: DataArguments,
    /// Test on this many seeded distortions of each sample instead of the sample.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub distortions: Option<u64>,
    /// Seed of the distortions.
    #[arg(long, default_value_t = 0, requires = "distortions")]
    pub distortion_seed: u64,
    /// Use the first N samples only.
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub limit: Option<usize>,
    /// Fail where a sample's character is unknown to the model, instead of counting it as skipped.
    #[arg(long)]
    pub strict: bool,
}

impl TestArguments {
    /// Loads the samples that a model with `labels` knows.
    ///
    /// # Errors
    /// Where data cannot be read, nothing is left to test on, or `--strict` and something was skipped.
    pub fn load(&self, labels: &[String], labels_required: bool) -> Result<TestSet, CliError> {
        let mut dataset = self.data.load(Part::HeldBack, labels_required)?;
        if let Some(count) = self.distortions {
            dataset.samples = distorted(&dataset.samples, count, self.distortion_seed);
        }
        if let Some(limit) = self.limit {
            dataset.samples.truncate(limit);
        }
        let names = self.data.names().join(" ");
        let classes = ClassList::named(labels.iter().cloned(), "the model's classes".as_ref())?;
        let set = TestSet::new(dataset, &classes);
        if self.strict && set.skipped > 0 {
            let text = format!("{names}: {} samples have classes that the model does not know", set.skipped);
            return Err(format!("{text}; leave --strict out to skip them").into());
        }
        if set.glyphs.is_empty() {
            return Err(format!("{names}: no sample has a class of the model; check --classes").into());
        }
        Ok(set)
    }
}

/// Reads a count of things of which there must be one.
pub fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// `count` distortions of each sample, those of one sample together.
fn distorted(samples: &[Sample], count: u64, seed: u64) -> Vec<Sample> {
    let settings = Distortion { side: glyph_side(samples), ..Distortion::default() };
    let variants = samples.iter().enumerate().flat_map(|(index, sample)| {
        let settings = &settings;
        (0..count).map(move |variant| {
            let mut rng = rng_for(seed, variant, index as u64);
            Sample { glyph: render(sample, settings, &mut rng), ..sample.clone() }
        })
    });
    variants.collect()
}

/// Side of the square that distorted glyphs of `samples` are drawn on: that of the largest, at most 64.
pub fn glyph_side(samples: &[Sample]) -> u16 {
    samples.iter().map(|sample| sample.glyph.width.max(sample.glyph.height)).max().unwrap_or(64).min(64)
}

/// Appends `second` to `first`; classes are the union in order of appearance.
///
/// # Errors
/// Where the labels of one are characters and those of the other numbers: nothing says which is which.
fn merge(mut first: Dataset, second: Dataset) -> Result<Dataset, CliError> {
    let is_numbered = |dataset: &Dataset| !dataset.classes.is_named() && !dataset.classes.is_empty();
    if (first.classes.is_named() && is_numbered(&second)) || (is_numbered(&first) && second.classes.is_named()) {
        let [first, second] = [&first, &second].map(|dataset| dataset.sources.join(", "));
        return Err(format!(
            "{first} and {second}: the labels of one are characters, those of the other numbers; give --classes"
        )
        .into());
    }
    let mut labels = first.classes.labels().to_vec();
    labels.extend(second.classes.labels().iter().filter(|label| !first.classes.labels().contains(label)).cloned());
    if first.classes.is_named() || second.classes.is_named() {
        first.classes = ClassList::named(labels, "the classes of all --data".as_ref())?;
    } else {
        first.classes = ClassList::numbered(labels.len() as u32);
    }
    let map = second.classes.map_to(&first.classes);
    let sources = first.sources.len() as u32;
    first.samples.extend(second.samples.into_iter().map(|sample| Sample {
        label: sample.label.and_then(|label| map[label as usize]),
        source: sample.source + sources,
        ..sample
    }));
    first.sources.extend(second.sources);
    first.missing.extend(second.missing);
    Ok(first)
}
