//! Which samples an epoch sees, and in which order.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Dataset, DatasetError, rng_for};

/// Stream of random numbers that orders an epoch; distortions use the epoch's number.
const ORDER_STREAM: u64 = 1 << 62;

/// How often an epoch sees the samples of each class.
///
/// An epoch is always as long as the data set. Where a class is to be seen more often than it has samples, each of them
/// is seen equally often, to within one; where less often, other samples of it are left out in every epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every sample once.
    #[default]
    Uniform,
    /// Every class equally often, whatever its number of samples.
    Balanced,
    /// A class as often as its number of samples to this power: 0 is balanced, 1 as uniform, between them classes are
    /// evened out in part.
    Power(f64),
    /// A class in proportion to its weight, by label. A class that is not named weighs 1, samples without a label too.
    Weights(BTreeMap<String, f64>),
}

impl Sampling {
    /// Reads weights: UTF-8 lines of a label, a tab and a weight of at least 0. Lines that start with `#` and empty
    /// lines are skipped.
    ///
    /// # Errors
    /// [`DatasetError::Record`] names the line.
    pub fn read_weights(path: &Path) -> Result<Self, DatasetError> {
        let text = fs::read_to_string(path).map_err(DatasetError::io(path, "read"))?;
        let mut weights = BTreeMap::new();
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
            let fault = |problem: String| DatasetError::Record {
                path: path.to_owned(),
                place: format!("line {number}"),
                problem,
                remedy: "each line is a label, a tab and a weight of at least 0, each label once".to_owned(),
            };
            let (label, weight) = line.split_once('\t').ok_or_else(|| fault("no tab".to_owned()))?;
            let number: Option<f64> = weight.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight >= 0.0);
            let number = number.ok_or_else(|| fault(format!("{weight:?} is no weight")))?;
            if weights.insert(label.to_owned(), number).is_some() {
                return Err(fault(format!("{label:?} has a weight already")));
            }
        }
        Ok(Self::Weights(weights))
    }

    /// The samples that epoch `epoch` sees, in order: indices of `dataset`, as many as it has samples. The same seed
    /// and epoch give the same order.
    ///
    /// Weights that are negative or no number count as 0; where none is positive, the order is that of
    /// [`Self::Uniform`].
    pub fn order(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize> {
        let mut rng = rng_for(seed, ORDER_STREAM, epoch);
        let mut order: Vec<usize> = (0..dataset.samples.len()).collect();
        if *self != Self::Uniform {
            let mut classes: Vec<(f64, Vec<usize>)> = self.weighted_classes(dataset);
            let total: f64 = classes.iter().map(|(weight, _)| weight).sum();
            if total > 0.0 {
                // Who is rounded up changes from epoch to epoch.
                classes.shuffle(&mut rng);
                let weights = classes.iter().map(|(weight, _)| weight / total);
                let quotas = apportion_at_random(weights, order.len(), rng.random());
                order.clear();
                for ((_, mut members), mut quota) in classes.into_iter().zip(quotas) {
                    while quota > 0 {
                        members.shuffle(&mut rng);
                        let taken = quota.min(members.len());
                        order.extend(&members[..taken]);
                        quota -= taken;
                    }
                }
            }
        }
        order.shuffle(&mut rng);
        order
    }

    /// The weight and the samples of each class that has any.
    fn weighted_classes(&self, dataset: &Dataset) -> Vec<(f64, Vec<usize>)> {
        let mut classes: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
        for (index, sample) in dataset.samples.iter().enumerate() {
            classes.entry(sample.label).or_default().push(index);
        }
        let weight = |label: Option<u32>, count: usize| match self {
            Self::Uniform => count as f64,
            Self::Balanced => 1.0,
            Self::Power(exponent) => (count as f64).powf(*exponent),
            Self::Weights(weights) => {
                let label = label.and_then(|label| dataset.classes.labels().get(label as usize));
                label.and_then(|label| weights.get(label)).copied().unwrap_or(1.0)
            }
        };
        let weighted = classes.into_iter().map(|(label, members)| {
            let weight = weight(label, members.len());
            (if weight.is_finite() && weight > 0.0 { weight } else { 0.0 }, members)
        });
        weighted.collect()
    }
}

/// Divides `count` in proportion to `shares`, which sum to 1: each gets its product rounded up or down, up as often as
/// its fraction says (systematic sampling: `offset`, from 0 to 1, moves one grid over all shares).
fn apportion_at_random(shares: impl Iterator<Item = f64>, count: usize, offset: f64) -> Vec<usize> {
    let (mut sum, mut given) = (0.0, 0);
    let mut quotas: Vec<usize> = shares
        .map(|share| {
            sum += share;
            let end = ((sum * count as f64 + offset) as usize).clamp(given, count);
            let quota = end - given;
            given = end;
            quota
        })
        .collect();
    // Sums of floats may end a grain below 1.
    if let Some(last) = quotas.iter_mut().rfind(|quota| **quota > 0) {
        *last += count - given;
    }
    quotas
}

/// `uniform`, `balanced`, `power=EXPONENT` or `weights=FILE`.
impl FromStr for Sampling {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        match text.split_once('=') {
            None if text == "uniform" => return Ok(Self::Uniform),
            None if text == "balanced" => return Ok(Self::Balanced),
            Some(("power", exponent)) => {
                if let Some(exponent) = exponent.parse().ok().filter(|exponent: &f64| exponent.is_finite()) {
                    return Ok(Self::Power(exponent));
                }
            }
            Some(("weights", path)) => return Self::read_weights(path.as_ref()),
            _ => {}
        }
        Err(DatasetError::Sampling { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{ClassList, Glyph, Sample};

    /// Samples of classes a, b, c and without a label, so many of each.
    fn set(counts: [usize; 4]) -> Dataset {
        let labels = [Some(0), Some(1), Some(2), None].into_iter().zip(counts);
        let sample =
            |label| Sample { glyph: Glyph { width: 1, height: 1, pixels: vec![0] }, strokes: None, label, source: 0 };
        Dataset {
            samples: labels.flat_map(|(label, count)| (0..count).map(move |_| sample(label))).collect(),
            classes: ClassList::named(["a", "b", "c"].map(str::to_owned), "test".as_ref()).unwrap(),
            sources: vec!["test".to_owned()],
            missing: Vec::new(),
        }
    }

    /// How often each class is seen in `epochs` epochs.
    fn seen(sampling: &Sampling, set: &Dataset, epochs: u64) -> [usize; 4] {
        let mut seen = [0; 4];
        for epoch in 0..epochs {
            let order = sampling.order(set, 5, epoch);
            assert_eq!(order.len(), set.samples.len());
            order.into_iter().for_each(|index| seen[set.samples[index].label.map_or(3, |label| label as usize)] += 1);
        }
        seen
    }

    #[test]
    fn uniform_is_the_order_there_always_was() {
        let set = set([50, 30, 15, 5]);
        for epoch in [0, 1, 9] {
            let mut expected: Vec<usize> = (0..100).collect();
            expected.shuffle(&mut rng_for(5, 1 << 62, epoch));
            assert_eq!(Sampling::Uniform.order(&set, 5, epoch), expected);
        }
    }

    #[test]
    fn seed_and_epoch_decide_the_order() {
        let set = set([50, 30, 15, 5]);
        for sampling in [Sampling::Uniform, Sampling::Balanced, Sampling::Power(0.5)] {
            let order = |seed, epoch| sampling.order(&set, seed, epoch);
            assert_eq!(order(5, 3), order(5, 3), "{sampling:?}");
            assert_ne!(order(5, 3), order(5, 4), "{sampling:?}");
            assert_ne!(order(5, 3), order(6, 3), "{sampling:?}");
        }
    }

    #[test]
    fn balanced_sees_every_class_equally_often() {
        let set = set([70, 20, 7, 3]);
        assert_eq!(seen(&Sampling::Balanced, &set, 4), [100; 4]);
        // Of a class with more samples than its share others are left out every time, of a smaller one each is seen
        // as often as the others.
        let mut each = [0; 100];
        for epoch in 0..40 {
            Sampling::Balanced.order(&set, 5, epoch).into_iter().for_each(|index| each[index] += 1);
        }
        assert!(each[..70].iter().all(|&count| (5..25).contains(&count)), "{each:?}");
        assert!(each[97..].iter().all(|&count| (320..=360).contains(&count)), "{each:?}");
    }

    #[test]
    fn powers_and_weights_are_met_on_average() {
        let data = set([64, 16, 4, 16]);
        // Square roots 8, 4, 2 and 4 of 18.
        let root = seen(&Sampling::Power(0.5), &data, 180);
        for (count, expected) in root.into_iter().zip([8000, 4000, 2000, 4000]) {
            assert!(usize::abs_diff(count, expected) < 120, "{root:?}");
        }
        let uneven = set([50, 30, 15, 5]);
        assert_eq!(seen(&Sampling::Power(1.0), &uneven, 3), [150, 90, 45, 15]);
        let weights = BTreeMap::from([("a".to_owned(), 0.0), ("b".to_owned(), 2.0)]);
        assert_eq!(seen(&Sampling::Weights(weights), &uneven, 4), [0, 200, 100, 100]);
        let nothing = ["a", "b", "c"].map(|label| (label.to_owned(), f64::NAN));
        let none = Dataset { samples: uneven.samples[..95].to_vec(), ..uneven.clone() };
        let order = Sampling::Weights(nothing.into()).order(&none, 5, 0);
        assert_eq!(order, Sampling::Uniform.order(&none, 5, 0));
    }

    /// More classes than an epoch has places for: each has its turn.
    #[test]
    fn shares_below_one_sample_are_not_lost() {
        let mut counts = [0; 5];
        for step in 0..1000 {
            let quotas = apportion_at_random([0.1, 0.2, 0.3, 0.3, 0.1].into_iter(), 2, f64::from(step) / 1000.0);
            assert_eq!(quotas.iter().sum::<usize>(), 2);
            counts.iter_mut().zip(quotas).for_each(|(count, quota)| *count += quota);
        }
        for (count, expected) in counts.into_iter().zip([200, 400, 600, 600, 200]) {
            assert!(usize::abs_diff(count, expected) <= 2, "{counts:?}");
        }
    }

    #[test]
    fn forms_are_read_and_others_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.tsv");
        fs::write(&path, "# label\tweight\n学\t2.5\n\n一\t0\n").unwrap();
        let weights = Sampling::Weights(BTreeMap::from([("一".to_owned(), 0.0), ("学".to_owned(), 2.5)]));
        let from_file = format!("weights={}", path.display());
        let forms = [
            ("uniform", Sampling::Uniform),
            ("balanced", Sampling::Balanced),
            ("power=0.5", Sampling::Power(0.5)),
            (&from_file, weights),
        ];
        for (text, sampling) in forms {
            assert_eq!(text.parse::<Sampling>().unwrap(), sampling);
            let json = serde_json::to_string(&sampling).unwrap();
            assert_eq!(serde_json::from_str::<Sampling>(&json).unwrap(), sampling, "{json}");
        }
        for text in ["", "even", "power", "power=x", "power=inf", "balanced=1"] {
            let message = text.parse::<Sampling>().unwrap_err().to_string();
            assert!(message.contains("power=EXPONENT"), "{message}");
        }
        for (text, part) in [("学 2", "no tab"), ("学\t-1", "no weight"), ("学\t1\n学\t2", "line 2")] {
            fs::write(&path, text).unwrap();
            let message = from_file.parse::<Sampling>().unwrap_err().to_string();
            assert!(message.contains("weights.tsv: line") && message.contains(part), "{message}");
        }
    }
}
