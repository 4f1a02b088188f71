//! Arguments that name data.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::CliError;
use super::progress::bar;
use crate::dataset::{
    ClassList, DataManifest, DataSpec, Dataset, DatasetError, Distortion, GRADE1, Glyph, LoadOptions, Sample, Share,
    SplitPart, SplitPlan, SplitRule, Splits, render, rng_for,
};
use crate::evaluate::TestSet;

/// Seed of the split that `--hold-back` makes, fixed so that training and evaluation agree on it.
const SPLIT_SEED: u64 = 0;

/// Which data, and what its labels mean.
#[derive(Debug, Clone, Default, Args)]
pub struct DataArguments {
    /// Data: `fonts:DIR|FILE[,FILE…]`, `strokes:FILE[,FILE…]`, `idx:IMAGES[,LABELS]`, `emnist:IMAGES[,LABELS]`,
    /// `folder:DIR` or `etl:DIR`. May be given several times.
    #[arg(long, value_name = "KIND:PATH")]
    pub data: Vec<DataSpec>,
    #[command(flatten)]
    pub options: DataOptions,
}

/// What the data's labels mean, and how it is divided.
#[derive(Debug, Clone, Default, Args)]
pub struct DataOptions {
    /// Table of classes that maps label indices to characters (index, code point, character, group).
    #[arg(long, value_name = "FILE.tsv")]
    pub classes: Option<PathBuf>,
    /// Characters to take from fonts and strokes; `grade1` for the 80 of the first school year.
    #[arg(long, value_name = "TEXT|grade1")]
    pub characters: Option<String>,
    /// Hold this many samples back from training, evenly over the classes, or whole sheets of `etl:` data; `eval` and
    /// `verify` given the same number use just these.
    #[arg(long, value_name = "N")]
    pub hold_back: Option<usize>,
    /// Hold this many more back from training, to measure every epoch on them; `eval` and `verify` leave them alone.
    #[arg(long, value_name = "N")]
    pub validation: Option<usize>,
    /// What is kept together when samples are held back; by writer where the data names its writers, else stratified.
    #[arg(long, value_name = "stratified|by-source|earlier-work")]
    pub split: Option<SplitRule>,
}

/// Which part of the data `--hold-back` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is trained on.
    Training,
    /// What was held back.
    HeldBack,
}

/// All of the data, divided.
#[derive(Debug)]
pub struct DividedData {
    plan: Option<SplitPlan>,
    splits: Splits,
}

impl DividedData {
    /// One part. Where nothing is held back, both parts are the whole.
    pub fn part(self, part: Part) -> Dataset {
        match part {
            Part::HeldBack if !self.splits.test.samples.is_empty() => self.splits.test,
            _ => self.splits.training,
        }
    }

    /// What is learned from, and what every epoch is measured on.
    pub fn training_and_validation(self) -> (Dataset, Dataset) {
        (self.splits.training, self.splits.validation)
    }
}

impl DataArguments {
    /// Loads all data into one set, classes merged by name, and leaves one part.
    ///
    /// # Errors
    /// As [`Self::load_divided`].
    pub fn load(&self, part: Part, labels_required: bool) -> Result<Dataset, CliError> {
        Ok(self.load_divided(labels_required)?.part(part))
    }

    /// Loads all data into one set, classes merged by name, and divides it.
    ///
    /// # Errors
    /// Where a source cannot be read, or has no labels though `labels_required`, or cannot be divided as asked.
    pub fn load_divided(&self, labels_required: bool) -> Result<DividedData, CliError> {
        let plan = self.plan()?;
        let sets = self.data.iter().map(|spec| Ok(self.load_one(spec, labels_required, None)?));
        let dataset = merge_all(sets)?.ok_or("no data was named; give --data KIND:PATH")?;
        let everything = SplitPlan::Stratified { validation: Share::Count(0), test: Share::Count(0) };
        let splits = plan.unwrap_or(everything).divide(dataset, SPLIT_SEED)?;
        Ok(DividedData { plan, splits })
    }

    /// Loads one of the sets, `bad_record` as in [`LoadOptions`].
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load_one(
        &self,
        spec: &DataSpec,
        labels_required: bool,
        bad_record: Option<&dyn Fn(DatasetError)>,
    ) -> Result<Dataset, DatasetError> {
        let characters = self.options.characters.as_deref().map(|text| if text == "grade1" { GRADE1 } else { text });
        let progress = bar(0, &format!("reading {spec}"));
        let tick = |done: u64, total: u64| {
            progress.set_length(total);
            progress.set_position(done);
        };
        let options = LoadOptions {
            classes: self.options.classes.clone(),
            characters: characters.map(|text| text.chars().collect()),
            labels_required,
            progress: Some(&tick),
            bad_record,
        };
        let dataset = spec.load(&options)?;
        progress.finish_and_clear();
        Ok(dataset)
    }

    /// The part that each sample of each of `sets` would be in, were they all the data; `None` where nothing is divided.
    ///
    /// # Errors
    /// As [`Self::load_divided`].
    pub fn parts(&self, sets: &[&Dataset]) -> Result<Option<Vec<Vec<SplitPart>>>, CliError> {
        let Some(plan) = self.plan()? else { return Ok(None) };
        // Parts do not depend on pictures, which may fill the memory.
        let blank_sample = |sample: &Sample| Sample {
            glyph: Glyph { width: 0, height: 0, pixels: Vec::new() },
            strokes: None,
            label: sample.label,
            source: sample.source,
        };
        let blank = |set: &&Dataset| {
            Ok(Dataset {
                samples: set.samples.iter().map(blank_sample).collect(),
                classes: set.classes.clone(),
                sources: set.sources.clone(),
                missing: Vec::new(),
            })
        };
        let Some(merged) = merge_all(sets.iter().map(blank))? else { return Ok(None) };
        let mut parts = plan.assign(&merged, SPLIT_SEED)?.into_iter();
        Ok(Some(sets.iter().map(|set| parts.by_ref().take(set.samples.len()).collect()).collect()))
    }

    /// How the data is to be divided; `None` where all of it is one part.
    fn plan(&self) -> Result<Option<SplitPlan>, CliError> {
        if self.options.hold_back.is_none() && self.options.validation.is_none() {
            return match self.options.split {
                None => Ok(None),
                Some(SplitRule::EarlierWork) => Ok(Some(SplitPlan::EarlierWork)),
                Some(_) => Err("--split says how, not how much; give --hold-back N or --validation N too".into()),
            };
        }
        let writers_known = self.data.iter().filter(|spec| spec.knows_writers()).count();
        let rule = match self.options.split {
            Some(rule) => rule,
            None if writers_known == 0 => SplitRule::Stratified,
            None if writers_known == self.data.len() => SplitRule::BySource,
            None => {
                let remedy = "give --split stratified, or --split by-source";
                return Err(format!("some of the data names its writers, some does not; {remedy}").into());
            }
        };
        let [validation, test] =
            [self.options.validation, self.options.hold_back].map(|count| Share::Count(count.unwrap_or(0)));
        match rule {
            SplitRule::Stratified => Ok(Some(SplitPlan::Stratified { validation, test })),
            SplitRule::BySource => Ok(Some(SplitPlan::BySource { validation, test })),
            SplitRule::EarlierWork => {
                Err("--split earlier-work has sizes of its own; leave --hold-back and --validation out".into())
            }
        }
    }

    /// Describes the data as it was divided: its files with their hashes, and what is in each part.
    ///
    /// # Errors
    /// Where a file cannot be read any more.
    pub fn manifest(&self, data: &DividedData) -> Result<DataManifest, CliError> {
        let files = self.data.iter().map(DataSpec::files).collect::<Result<Vec<_>, _>>()?.concat();
        let progress = bar(files.len(), "hashing the data's files");
        let hashed = |count| progress.set_position(count as u64);
        let manifest = DataManifest::new(&files, data.plan, SPLIT_SEED, &data.splits, hashed)?;
        progress.finish_and_clear();
        Ok(manifest)
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

/// All `sets` as one, in their order; `None` of none.
///
/// # Errors
/// The first of theirs, or as [`merge`].
fn merge_all(mut sets: impl Iterator<Item = Result<Dataset, CliError>>) -> Result<Option<Dataset>, CliError> {
    let Some(first) = sets.next() else { return Ok(None) };
    sets.try_fold(first?, |merged, set| merge(merged, set?)).map(Some)
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
