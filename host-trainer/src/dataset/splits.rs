//! Dividing a data set into training, validation and test.

use std::collections::BTreeMap;
use std::str::FromStr;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::split::{SPLIT_STREAM, choose};
use super::{Dataset, DatasetError, Share, rng_for};

/// How a data set is divided, by name.
///
/// # The split of earlier work
///
/// [`SplitPlan::EarlierWork`] divides 607,200 samples (ETL9G) into 485,759, 60,721 and 60,720, as earlier work on ETL9G
/// did. The sizes are those of 80, 10 and 10 % where the test part is taken first and validation is 0.1 / 0.9 of the
/// rest, both rounded up in floating point, which makes one sample more of 60,720. Only the sizes are known of that
/// work, not which samples: the permutation is ours, of the seed that is given. It is random over samples, so writers
/// are on both sides, and a figure measured on it says nothing of writers never seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitPlan {
    /// Every class gives the same share of its samples, to within one. Samples of one source can land on both sides.
    Stratified {
        /// What validation gets.
        validation: Share,
        /// What the test gets.
        test: Share,
    },
    /// Every source (a writer, a sheet, a font) lands whole in one part, so the shares are met only about.
    BySource {
        /// What validation gets.
        validation: Share,
        /// What the test gets.
        test: Share,
    },
    /// At random, in the proportions of earlier work.
    EarlierWork,
}

/// What is kept together when data is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// Every class gives its share.
    Stratified,
    /// Every source (a sheet, a writer, a font) is held back whole or not at all.
    BySource,
    /// The random split of earlier work on ETL9G: 485,759 / 60,721 / 60,720 samples, or these proportions of the data.
    EarlierWork,
}

impl FromStr for SplitRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stratified" => Ok(Self::Stratified),
            "by-source" => Ok(Self::BySource),
            "earlier-work" => Ok(Self::EarlierWork),
            _ => Err("it is stratified, by-source or earlier-work".to_owned()),
        }
    }
}

/// The parts of a data set: together the whole, each in the set's order, with its class list and sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// What is learned from.
    pub training: Dataset,
    /// What is looked at while training, to choose and to stop.
    pub validation: Dataset,
    /// What is looked at once, at the end.
    pub test: Dataset,
}

impl Splits {
    /// The parts with their names.
    pub fn parts(&self) -> [(&'static str, &Dataset); 3] {
        [("training", &self.training), ("validation", &self.validation), ("test", &self.test)]
    }
}

/// Stream of [`rng_for`] that chooses sources.
const SOURCE_STREAM: u64 = SPLIT_STREAM - 1;
/// Stream of [`rng_for`] that orders samples in the split of earlier work.
const EARLIER_WORK_STREAM: u64 = SPLIT_STREAM - 2;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitPart {
    /// What is learned from.
    Training,
    /// What is looked at while training.
    Validation,
    /// What is looked at once.
    Test,
}

impl SplitPlan {
    /// Divides `dataset`; the same `seed` gives the same parts.
    ///
    /// # Errors
    /// [`DatasetError::Share`] where more is asked for than there is; [`DatasetError::Sources`] where there are fewer
    /// sources than parts that are to hold something.
    pub fn divide(self, dataset: Dataset, seed: u64) -> Result<Splits, DatasetError> {
        let parts = self.assign(&dataset, seed)?;
        Ok(distribute(dataset, parts))
    }

    /// The part that [`Self::divide`] puts each sample into. Pictures are not looked at.
    ///
    /// # Errors
    /// As [`Self::divide`].
    pub fn assign(self, dataset: &Dataset, seed: u64) -> Result<Vec<SplitPart>, DatasetError> {
        let total = dataset.samples.len();
        let mut parts = vec![SplitPart::Training; total];
        let mut put = |indices: &[usize], part| indices.iter().for_each(|&index| parts[index] = part);
        match self {
            Self::Stratified { validation, test } => {
                let [validation, test] = counts(validation, test, total)?;
                put(&choose(dataset, 0..total, test, seed), SplitPart::Test);
                let rest: Vec<usize> = (0..total).filter(|&index| parts[index] == SplitPart::Training).collect();
                let validation = choose(dataset, rest.into_iter(), validation, seed);
                validation.into_iter().for_each(|index| parts[index] = SplitPart::Validation);
            }
            Self::BySource { validation, test } => {
                let of_sources = parts_of_sources(dataset, counts(validation, test, total)?, seed)?;
                parts = dataset.samples.iter().map(|sample| of_sources[sample.source as usize]).collect();
            }
            Self::EarlierWork => {
                let [validation, test] = earlier_work_counts(total);
                let mut order: Vec<usize> = (0..total).collect();
                order.shuffle(&mut rng_for(seed, EARLIER_WORK_STREAM, 0));
                put(&order[..test], SplitPart::Test);
                put(&order[test..test + validation], SplitPart::Validation);
            }
        }
        Ok(parts)
    }
}

/// Samples of validation and of test.
fn counts(validation: Share, test: Share, total: usize) -> Result<[usize; 2], DatasetError> {
    let counts = [validation.of(total)?, test.of(total)?];
    if counts[0] + counts[1] > total {
        let asked = format!("{validation} and {test}");
        return Err(DatasetError::Share { asked, available: total });
    }
    Ok(counts)
}

/// Samples of validation and of test in the split of earlier work.
fn earlier_work_counts(total: usize) -> [usize; 2] {
    let ceil = |share: f64, of: usize| (share * of as f64).ceil() as usize;
    let test = ceil(0.1, total);
    // 0.1 / 0.9 is a little more than a ninth: at 546,480 samples the product is a little more than 60,720.
    let validation = ceil(0.1 / 0.9, total - test).min(total - test);
    [validation, test]
}

/// The part of each source. Sources of one name are one: the same writer in two data sets.
///
/// In a random order that only names and seed decide, sources go to the test while that brings it nearer to what was
/// asked for, then to validation; a part that is to hold something gets one source at least.
fn parts_of_sources(
    dataset: &Dataset,
    [validation, test]: [usize; 2],
    seed: u64,
) -> Result<Vec<SplitPart>, DatasetError> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for sample in &dataset.samples {
        *sizes.entry(&dataset.sources[sample.source as usize]).or_default() += 1;
    }
    let training = dataset.samples.len() - validation - test;
    // In the order of choice: what training keeps is last.
    let wanted = [(SplitPart::Test, test), (SplitPart::Validation, validation), (SplitPart::Training, training)];
    let wanted: Vec<_> = wanted.into_iter().filter(|&(_, count)| count > 0).collect();
    if sizes.len() < wanted.len() {
        return Err(DatasetError::Sources { sources: sizes.len(), parts: wanted.len() });
    }
    let mut left: Vec<(&str, usize)> = sizes.into_iter().collect();
    left.shuffle(&mut rng_for(seed, SOURCE_STREAM, 0));
    let mut chosen: BTreeMap<&str, SplitPart> = BTreeMap::new();
    for (place, &(part, wanted_here)) in wanted.iter().enumerate() {
        let later = wanted.len() - 1 - place;
        if later == 0 {
            chosen.extend(left.drain(..).map(|(name, _)| (name, part)));
            break;
        }
        let (mut taken, mut passed_over) = (0, Vec::new());
        for (number, &(name, size)) in left.iter().enumerate() {
            let spare = left.len() - number + passed_over.len() > later;
            if spare && size <= 2 * wanted_here.saturating_sub(taken) {
                taken += size;
                chosen.insert(name, part);
            } else {
                passed_over.push((name, size));
            }
        }
        if taken == 0 {
            // Every source is larger than twice what was asked for: the smallest comes nearest.
            let smallest = (0..passed_over.len()).min_by_key(|&index| passed_over[index].1);
            chosen.extend(smallest.map(|index| (passed_over.remove(index).0, part)));
        }
        left = passed_over;
    }
    Ok(dataset.sources.iter().map(|name| chosen.get(name.as_str()).copied().unwrap_or(SplitPart::Training)).collect())
}

/// Puts every sample into its part.
fn distribute(dataset: Dataset, parts: Vec<SplitPart>) -> Splits {
    let Dataset { samples, classes, sources, missing } = dataset;
    let empty = Dataset { samples: Vec::new(), classes, sources, missing };
    let mut splits = Splits { training: empty.clone(), validation: empty.clone(), test: empty };
    for (sample, part) in samples.into_iter().zip(parts) {
        let part = match part {
            SplitPart::Training => &mut splits.training,
            SplitPart::Validation => &mut splits.validation,
            SplitPart::Test => &mut splits.test,
        };
        part.samples.push(sample);
    }
    splits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dataset::{ClassList, Glyph, Sample};

    /// `samples` as (label, source), each carrying its index as its picture.
    fn set(samples: impl IntoIterator<Item = (u32, u32)>, sources: &[&str]) -> Dataset {
        let sample = |((label, source), index): ((u32, u32), u32)| Sample {
            glyph: Glyph { width: 4, height: 1, pixels: index.to_be_bytes().to_vec() },
            strokes: None,
            label: Some(label),
            source,
        };
        Dataset {
            samples: samples.into_iter().zip(0..).map(sample).collect(),
            classes: ClassList::numbered(10),
            sources: sources.iter().map(ToString::to_string).collect(),
            missing: Vec::new(),
        }
    }

    fn writers(count: usize) -> Vec<String> {
        (0..count).map(|writer| format!("writer {writer}")).collect()
    }

    /// 40 writers of 20 to 59 samples each, mixed.
    fn written() -> Dataset {
        let names = writers(40);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        set(
            (0..60 * 40).map(|i| (i % 10, i % 40)).filter(|&(label, writer)| (writer + label) % 3 != 0 || writer > 30),
            &names,
        )
    }

    fn names_in(part: &Dataset) -> BTreeSet<&str> {
        part.samples.iter().map(|sample| part.sources[sample.source as usize].as_str()).collect()
    }

    fn pixels(splits: &Splits) -> Vec<Vec<Vec<u8>>> {
        let part = |(_, part): (_, &Dataset)| part.samples.iter().map(|sample| sample.glyph.pixels.clone()).collect();
        splits.parts().into_iter().map(part).collect()
    }

    /// Nothing is lost or doubled, and every part keeps the set's order.
    fn assert_whole(splits: &Splits, total: usize) {
        let parts = pixels(splits);
        assert!(parts.iter().all(|part| part.is_sorted()));
        let all: BTreeSet<&Vec<u8>> = parts.iter().flatten().collect();
        assert_eq!((all.len(), parts.iter().map(Vec::len).sum::<usize>()), (total, total));
    }

    #[test]
    fn a_whole_source_lands_on_one_side() {
        let dataset = written();
        let total = dataset.samples.len();
        let plan = SplitPlan::BySource { validation: Share::Fraction(0.1), test: Share::Count(300) };
        let splits = plan.divide(dataset.clone(), 7).unwrap();
        assert_whole(&splits, total);
        let [training, validation, test] = splits.parts().map(|(_, part)| names_in(part));
        assert!(training.is_disjoint(&validation) && training.is_disjoint(&test) && validation.is_disjoint(&test));
        let sizes = splits.parts().map(|(_, part)| part.samples.len() as i64);
        assert!((sizes[1] - total as i64 / 10).abs() <= 30 && (sizes[2] - 300).abs() <= 30, "{sizes:?}");
        assert_eq!(splits, plan.divide(dataset.clone(), 7).unwrap());
        assert_ne!(names_in(&splits.test), names_in(&plan.divide(dataset, 8).unwrap().test));
    }

    #[test]
    fn the_choice_of_sources_does_not_depend_on_their_order() {
        let dataset = written();
        let plan = SplitPlan::BySource { validation: Share::Count(100), test: Share::Count(300) };
        let mut other = dataset.clone();
        other.samples.reverse();
        other.sources.reverse();
        other.samples.iter_mut().for_each(|sample| sample.source = 39 - sample.source);
        let (splits, other) = (plan.divide(dataset, 7).unwrap(), plan.divide(other, 7).unwrap());
        for ((_, part), (_, other)) in splits.parts().into_iter().zip(other.parts()) {
            assert_eq!(names_in(part), names_in(other));
        }
    }

    #[test]
    fn sources_of_one_name_are_one_writer() {
        let dataset = set((0..100).map(|i| (0, i % 4)), &["a", "b", "a", "b"]);
        let plan = SplitPlan::BySource { validation: Share::Count(0), test: Share::Count(50) };
        let splits = plan.divide(dataset, 1).unwrap();
        assert!(names_in(&splits.training).is_disjoint(&names_in(&splits.test)));
        assert_eq!(splits.test.samples.len(), 50);
    }

    #[test]
    fn few_and_large_sources_still_fill_every_part() {
        let three = || set((0..90).map(|i| (0, i % 3)), &["a", "b", "c"]);
        for (validation, test) in [(1, 1), (89, 0), (44, 45), (1, 88), (88, 1)] {
            let plan = SplitPlan::BySource { validation: Share::Count(validation), test: Share::Count(test) };
            let splits = plan.divide(three(), 3).unwrap();
            assert_whole(&splits, 90);
            let is_empty = splits.parts().map(|(_, part)| part.samples.is_empty());
            assert_eq!(is_empty, [false, validation == 0, test == 0], "{validation} {test}");
        }
        let plan = SplitPlan::BySource { validation: Share::Count(10), test: Share::Count(10) };
        let error = plan.divide(set((0..90).map(|i| (0, i % 2)), &["a", "b"]), 3).unwrap_err();
        assert!(matches!(error, DatasetError::Sources { sources: 2, parts: 3 }), "{error}");
    }

    #[test]
    fn stratified_parts_hold_every_class() {
        let dataset = set((0..1000).map(|i| (i % 10, 0)), &["one"]);
        let plan = SplitPlan::Stratified { validation: Share::Fraction(0.2), test: Share::Count(100) };
        let splits = plan.divide(dataset.clone(), 7).unwrap();
        assert_whole(&splits, 1000);
        for (part, expected) in [(&splits.training, 70), (&splits.validation, 20), (&splits.test, 10)] {
            for class in 0..10 {
                let count = part.samples.iter().filter(|sample| sample.label == Some(class)).count();
                assert_eq!(count, expected);
            }
        }
        // The test part does not depend on what validation gets.
        let held_back = SplitPlan::Stratified { validation: Share::Count(0), test: Share::Count(100) };
        assert_eq!(splits.test, held_back.divide(dataset.clone(), 7).unwrap().test);
        let plan = SplitPlan::Stratified { validation: Share::Count(901), test: Share::Count(100) };
        assert!(matches!(plan.divide(dataset, 7), Err(DatasetError::Share { available: 1000, .. })));
    }

    #[test]
    fn earlier_work_had_these_sizes() {
        let [validation, test] = earlier_work_counts(607_200);
        assert_eq!((607_200 - validation - test, validation, test), (485_759, 60_721, 60_720));
        assert_eq!([0, 1, 2, 10].map(earlier_work_counts), [[0, 0], [0, 1], [1, 1], [1, 1]]);
        let dataset = set((0..1000).map(|i| (i % 10, 0)), &["one"]);
        let splits = SplitPlan::EarlierWork.divide(dataset.clone(), 7).unwrap();
        assert_whole(&splits, 1000);
        assert_eq!(splits.parts().map(|(_, part)| part.samples.len()), [800, 100, 100]);
        assert_eq!(splits, SplitPlan::EarlierWork.divide(dataset.clone(), 7).unwrap());
        assert_ne!(splits, SplitPlan::EarlierWork.divide(dataset, 8).unwrap());
    }

    #[test]
    fn plans_are_written_by_name() {
        let plan = SplitPlan::BySource { validation: Share::Count(0), test: Share::Fraction(0.5) };
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(text, r#"{"by-source":{"validation":{"count":0},"test":{"fraction":0.5}}}"#);
        assert_eq!(serde_json::from_str::<SplitPlan>(&text).unwrap(), plan);
        assert_eq!(serde_json::to_string(&SplitPlan::EarlierWork).unwrap(), r#""earlier-work""#);
    }
}
