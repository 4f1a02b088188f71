//! Which class was taken for which, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of (right class, answered class); sparse, for there may be thousands of classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: BTreeMap<(u32, u32), usize>,
    /// Samples of each class.
    support: Vec<usize>,
    /// Answers of each class, right or wrong.
    answered: Vec<usize>,
    total: usize,
}

/// How well one class is recognised. Shares are `None` where nothing defines them: no sample, or no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Its label.
    pub label: String,
    /// Samples of the class.
    pub support: usize,
    /// How often it was answered, rightly or wrongly.
    pub answered: usize,
    /// How often rightly.
    pub correct: usize,
    /// Share of its answers that were right.
    pub precision: Option<f64>,
    /// Share of its samples that were recognised.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall: 2 · correct / (support + answered).
    pub f1: Option<f64>,
    /// Share of all samples that were rightly held to be of this class or not of it.
    pub accuracy: f64,
}

/// Means over the classes that have samples, each class counting the same; an undefined precision counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MacroAverage {
    /// Classes with samples.
    pub classes: usize,
    /// Mean precision.
    pub precision: f64,
    /// Mean recall, also called balanced accuracy.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

/// One class taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mistake {
    /// The right class.
    pub truth: u32,
    /// The class that was answered.
    pub answer: u32,
    /// How often.
    pub count: usize,
}

impl ConfusionMatrix {
    /// Counts `(truth, answer)` pairs of `classes` classes.
    pub fn of(classes: usize, pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut matrix =
            Self { counts: BTreeMap::new(), support: vec![0; classes], answered: vec![0; classes], total: 0 };
        for (truth, answer) in pairs {
            *matrix.counts.entry((truth, answer)).or_default() += 1;
            matrix.support[truth as usize] += 1;
            matrix.answered[answer as usize] += 1;
            matrix.total += 1;
        }
        matrix
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.support.len()
    }

    /// How often `answer` was answered where `truth` was right.
    pub fn count(&self, truth: u32, answer: u32) -> usize {
        self.counts.get(&(truth, answer)).copied().unwrap_or(0)
    }

    /// Samples of `class`.
    pub fn support(&self, class: u32) -> usize {
        self.support[class as usize]
    }

    /// Share of the samples of `truth` for which `answer` was answered; 0 where there is none.
    pub fn share(&self, truth: u32, answer: u32) -> f64 {
        share(self.count(truth, answer), self.support(truth)).unwrap_or(0.0)
    }

    /// All cells that are not zero, as (truth, answer, count), row by row.
    pub fn cells(&self) -> impl Iterator<Item = (u32, u32, usize)> {
        self.counts.iter().map(|(&(truth, answer), &count)| (truth, answer, count))
    }

    /// All mistakes, the most frequent first.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let wrong = self.cells().filter(|(truth, answer, _)| truth != answer);
        let mut mistakes: Vec<Mistake> = wrong.map(|(truth, answer, count)| Mistake { truth, answer, count }).collect();
        mistakes.sort_by_key(|mistake| usize::MAX - mistake.count);
        mistakes
    }

    /// The scores of every class, in the order of `labels`.
    pub fn scores(&self, labels: &[String]) -> Vec<ClassScore> {
        let classes = labels.iter().zip(0_u32..).zip(self.support.iter().zip(&self.answered));
        let score = |((label, class), (&support, &answered)): ((&String, u32), (&usize, &usize))| {
            let correct = self.count(class, class);
            ClassScore {
                label: label.clone(),
                support,
                answered,
                correct,
                precision: share(correct, answered),
                recall: share(correct, support),
                f1: share(2 * correct, support + answered),
                accuracy: share(self.total + 2 * correct - support - answered, self.total).unwrap_or(0.0),
            }
        };
        classes.map(score).collect()
    }

    /// The classes that take part in the most mistakes, as truth or as answer, at most `limit`, in their order.
    pub fn most_mistaken(&self, limit: usize) -> Vec<u32> {
        let mut mistakes = vec![0; self.classes()];
        for Mistake { truth, answer, count } in self.mistakes() {
            mistakes[truth as usize] += count;
            mistakes[answer as usize] += count;
        }
        let mut classes: Vec<u32> = (0..self.classes() as u32).collect();
        classes.sort_by_key(|&class| usize::MAX - mistakes[class as usize]);
        classes.truncate(limit);
        classes.sort_unstable();
        classes
    }
}

impl MacroAverage {
    /// The means of `scores`.
    pub fn of(scores: &[ClassScore]) -> Self {
        let seen: Vec<&ClassScore> = scores.iter().filter(|score| score.support > 0).collect();
        let mean = |value: fn(&ClassScore) -> Option<f64>| {
            seen.iter().map(|score| value(score).unwrap_or(0.0)).sum::<f64>() / seen.len().max(1) as f64
        };
        Self {
            classes: seen.len(),
            precision: mean(|score| score.precision),
            recall: mean(|score| score.recall),
            f1: mean(|score| score.f1),
        }
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten samples of three classes and one class that nobody saw:
    ///
    /// ```text
    ///          answered a  b  c  d
    /// truth a           3  1  0  0
    ///       b           2  2  0  0
    ///       c           0  1  1  0
    ///       d           0  0  0  0
    /// ```
    fn matrix() -> ConfusionMatrix {
        let rows: [[usize; 4]; 4] = [[3, 1, 0, 0], [2, 2, 0, 0], [0, 1, 1, 0], [0; 4]];
        let pairs = rows.iter().zip(0..).flat_map(|(row, truth)| {
            row.iter().zip(0..).flat_map(move |(&count, answer)| std::iter::repeat_n((truth, answer), count))
        });
        ConfusionMatrix::of(4, pairs)
    }

    fn labels() -> Vec<String> {
        ["a", "b", "c", "d"].map(str::to_owned).into()
    }

    #[test]
    fn scores_are_those_computed_by_hand() {
        let scores = matrix().scores(&labels());
        let row = |class: usize| {
            let score = &scores[class];
            (score.support, score.answered, score.correct, score.precision, score.recall, score.f1, score.accuracy)
        };
        assert_eq!(row(0), (4, 5, 3, Some(0.6), Some(0.75), Some(6.0 / 9.0), 0.7));
        assert_eq!(row(1), (4, 4, 2, Some(0.5), Some(0.5), Some(0.5), 0.6));
        assert_eq!(row(2), (2, 1, 1, Some(1.0), Some(0.5), Some(2.0 / 3.0), 0.9));
        assert_eq!(row(3), (0, 0, 0, None, None, None, 1.0));
    }

    #[test]
    fn averages_leave_out_classes_without_samples() {
        let average = MacroAverage::of(&matrix().scores(&labels()));
        assert_eq!(average.classes, 3);
        assert!((average.precision - 0.7).abs() < 1e-12);
        assert!((average.recall - 1.75 / 3.0).abs() < 1e-12);
        assert!((average.f1 - (2.0 / 3.0 + 0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn an_answer_that_is_never_right_has_a_precision_and_no_recall() {
        let scores = ConfusionMatrix::of(2, [(0, 1)]).scores(&labels()[..2]);
        assert_eq!((scores[1].precision, scores[1].recall, scores[1].f1), (Some(0.0), None, Some(0.0)));
        assert_eq!((scores[0].precision, scores[0].recall, scores[0].accuracy), (None, Some(0.0), 0.0));
    }

    #[test]
    fn mistakes_come_most_frequent_first() {
        let mistakes = matrix().mistakes();
        let first = Mistake { truth: 1, answer: 0, count: 2 };
        assert_eq!((mistakes[0], mistakes.len()), (first, 3));
        assert_eq!(matrix().share(1, 0), 0.5);
        assert_eq!(matrix().share(3, 3), 0.0);
    }

    #[test]
    fn the_most_mistaken_classes_are_kept_in_order() {
        // b takes part in four mistakes, a in three, c in one.
        assert_eq!(matrix().most_mistaken(2), [0, 1]);
        assert_eq!(matrix().most_mistaken(1), [1]);
        assert_eq!(matrix().most_mistaken(9), [0, 1, 2, 3]);
    }
}
