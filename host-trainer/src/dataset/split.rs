//! How much of a data set is held back, and which samples where every class gives its share.

use std::collections::BTreeMap;
use std::fmt;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Dataset, DatasetError, rng_for};

/// How much of a data set to hold back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// A fraction of 0 to 1, rounded to whole samples.
    Fraction(f64),
    /// A number of samples.
    Count(usize),
}

impl Share {
    /// The number of samples out of `available`.
    ///
    /// # Errors
    /// [`DatasetError::Share`] when that is more than there are, or a fraction is outside 0 to 1.
    pub fn of(self, available: usize) -> Result<usize, DatasetError> {
        match self {
            Self::Count(count) if count <= available => Ok(count),
            Self::Fraction(fraction) if (0.0..=1.0).contains(&fraction) => {
                Ok((fraction * available as f64).round() as usize)
            }
            _ => Err(DatasetError::Share { asked: self.to_string(), available }),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fraction(fraction) => write!(f, "a fraction of {fraction}"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// Stream of [`rng_for`] that the split draws from, so that it shares no numbers with distortion,
/// whose streams count epochs from 0.
pub(super) const SPLIT_STREAM: u64 = u64::MAX;

/// `count` of the `candidates`, which are indices of samples, chosen at random; `count` is at most their number.
///
/// Every class, and the samples without a label taken together, gives the same share to within one sample. What is left
/// over by rounding goes to the classes with the largest remainders, the lower class first where they tie.
pub(super) fn choose(
    dataset: &Dataset,
    candidates: impl Iterator<Item = usize>,
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let mut strata: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
    for index in candidates {
        strata.entry(dataset.samples[index].label).or_default().push(index);
    }
    let sizes: Vec<usize> = strata.values().map(Vec::len).collect();
    let quotas = apportion(&sizes, count);
    let chosen = strata.into_values().zip(quotas).zip(0..).flat_map(|((mut members, quota), stratum)| {
        members.shuffle(&mut rng_for(seed, SPLIT_STREAM, stratum));
        members.truncate(quota);
        members
    });
    chosen.collect()
}

/// Divides `count` among groups of the given sizes in proportion, by largest remainder (Hamilton's
/// method); `count` is at most the sizes' sum.
fn apportion(sizes: &[usize], count: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    if total == 0 {
        return vec![0; sizes.len()];
    }
    let (mut quotas, remainders): (Vec<usize>, Vec<u128>) = sizes
        .iter()
        .map(|&size| {
            let product = size as u128 * count as u128;
            ((product / total as u128) as usize, product % total as u128)
        })
        .unzip();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    // The sort is stable: ties keep the order of the groups.
    order.sort_by_key(|&group| std::cmp::Reverse(remainders[group]));
    let left_over = count - quotas.iter().sum::<usize>();
    for &group in &order[..left_over] {
        quotas[group] += 1;
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{ClassList, Glyph, Sample, SplitPlan};

    /// What is kept, and what is held back.
    fn split_off(dataset: Dataset, share: Share, seed: u64) -> Result<(Dataset, Dataset), DatasetError> {
        let splits = SplitPlan::Stratified { validation: Share::Count(0), test: share }.divide(dataset, seed)?;
        Ok((splits.training, splits.test))
    }

    /// Samples with the given labels; each carries its index as its picture.
    fn set(labels: impl IntoIterator<Item = Option<u32>>) -> Dataset {
        let sample = |(index, label): (u16, Option<u32>)| Sample {
            glyph: Glyph { width: 2, height: 1, pixels: index.to_be_bytes().to_vec() },
            strokes: None,
            label,
            source: 0,
        };
        Dataset {
            samples: (0..).zip(labels).map(sample).collect(),
            classes: ClassList::numbered(10),
            sources: vec!["test".to_owned()],
            missing: Vec::new(),
        }
    }

    fn indices(set: &Dataset) -> Vec<u16> {
        let index = |sample: &Sample| u16::from_be_bytes([sample.glyph.pixels[0], sample.glyph.pixels[1]]);
        set.samples.iter().map(index).collect()
    }

    fn count_of(set: &Dataset, label: Option<u32>) -> usize {
        set.samples.iter().filter(|sample| sample.label == label).count()
    }

    /// 600 of class 0, 300 of class 1, 90 of class 2, 10 without a label, mixed.
    fn mixed() -> Dataset {
        set((0..1000).map(|i| match i % 100 {
            0..60 => Some(0),
            60..90 => Some(1),
            90..99 => Some(2),
            _ => None,
        }))
    }

    #[test]
    fn every_class_gives_its_share_and_nothing_is_lost() {
        let (kept, held_back) = split_off(mixed(), Share::Fraction(0.1), 7).unwrap();
        for (label, expected) in [(Some(0), 60), (Some(1), 30), (Some(2), 9), (None, 1)] {
            assert_eq!(count_of(&held_back, label), expected, "{label:?}");
        }
        let (kept, held_back) = (indices(&kept), indices(&held_back));
        assert!(kept.is_sorted() && held_back.is_sorted());
        let mut all = [kept, held_back].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
    }

    #[test]
    fn a_count_is_kept_exactly() {
        for count in [0, 1, 333, 999, 1000] {
            let (kept, held_back) = split_off(mixed(), Share::Count(count), 7).unwrap();
            assert_eq!((kept.samples.len(), held_back.samples.len()), (1000 - count, count));
        }
        assert_eq!(apportion(&[3, 3, 3], 4), [2, 1, 1]);
        assert_eq!(apportion(&[600, 300, 90, 10], 333), [200, 100, 30, 3]);
        assert_eq!(apportion(&[0, 0], 0), [0, 0]);
    }

    #[test]
    fn the_seed_decides_the_split() {
        let held_back = |seed| indices(&split_off(mixed(), Share::Count(100), seed).unwrap().1);
        assert_eq!(held_back(7), held_back(7));
        assert_ne!(held_back(7), held_back(8));
        // A random choice, not the first of each class.
        assert!(held_back(7).into_iter().max() > Some(900));
    }

    #[test]
    fn more_than_there_is_cannot_be_held_back() {
        for share in [Share::Count(1001), Share::Fraction(1.5), Share::Fraction(-0.1), Share::Fraction(f64::NAN)] {
            let error = split_off(mixed(), share, 7).unwrap_err();
            assert!(matches!(error, DatasetError::Share { available: 1000, .. }), "{error}");
        }
    }
}
