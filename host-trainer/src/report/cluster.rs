//! Groups of classes that are taken for one another.

use std::collections::{BTreeMap, BTreeSet};

use super::confusion::ConfusionMatrix;

/// From what share of the samples of two classes on their being taken for each other joins them.
pub const JOINING_SHARE: f64 = 0.05;
/// A single mistake joins nothing: with few samples a class, it would reach any share.
pub const JOINING_COUNT: usize = 2;

/// Classes that are taken for one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The classes, in their order; at least two.
    pub classes: Vec<u32>,
    /// Mistakes between any two of them.
    pub mistakes: usize,
}

/// The connected components, of two classes or more, of the graph that joins two classes where each other's samples
/// were taken for the other [`JOINING_COUNT`] times or more and in [`JOINING_SHARE`] of their samples or more, both
/// directions taken together. The one with most mistakes comes first.
pub fn clusters(matrix: &ConfusionMatrix) -> Vec<Cluster> {
    let mut between: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for mistake in matrix.mistakes() {
        let pair = (mistake.truth.min(mistake.answer), mistake.truth.max(mistake.answer));
        *between.entry(pair).or_default() += mistake.count;
    }
    let joins = |&(&(a, b), &count): &(&(u32, u32), &usize)| {
        let samples = matrix.support(a) + matrix.support(b);
        count >= JOINING_COUNT && count as f64 >= JOINING_SHARE * samples as f64
    };
    let mut neighbours: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (&(a, b), _) in between.iter().filter(joins) {
        neighbours.entry(a).or_default().push(b);
        neighbours.entry(b).or_default().push(a);
    }

    let mut visited = BTreeSet::new();
    let mut clusters: Vec<Cluster> = Vec::new();
    for &start in neighbours.keys() {
        let mut members = BTreeSet::new();
        let mut open = vec![start];
        while let Some(class) = open.pop() {
            if visited.insert(class) {
                members.insert(class);
                open.extend(&neighbours[&class]);
            }
        }
        if !members.is_empty() {
            let inside = between.iter().filter(|((a, b), _)| members.contains(a) && members.contains(b));
            let mistakes = inside.map(|(_, count)| count).sum();
            clusters.push(Cluster { classes: members.into_iter().collect(), mistakes });
        }
    }
    clusters.sort_by_key(|cluster| usize::MAX - cluster.mistakes);
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty samples of each class, of which those in `mistakes` were taken for another.
    fn clusters_of(mistakes: &[(u32, u32, usize)]) -> Vec<Cluster> {
        let wrong = mistakes.iter().flat_map(|&(truth, answer, count)| std::iter::repeat_n((truth, answer), count));
        let right = (0..7).flat_map(|class| {
            let taken: usize = mistakes.iter().filter(|mistake| mistake.0 == class).map(|mistake| mistake.2).sum();
            std::iter::repeat_n((class, class), 20 - taken)
        });
        clusters(&ConfusionMatrix::of(7, wrong.chain(right)))
    }

    #[test]
    fn components_are_found_across_both_directions() {
        // 0–2 by either direction, 1–2, and 4–5 apart from them; 3 and 6 with a single mistake stay alone.
        let found = clusters_of(&[(0, 2, 1), (2, 0, 1), (2, 1, 3), (5, 4, 4), (3, 6, 1)]);
        let expected = [Cluster { classes: vec![0, 1, 2], mistakes: 5 }, Cluster { classes: vec![4, 5], mistakes: 4 }];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_share_below_the_threshold_joins_nothing() {
        // Two of forty are 5 %: just enough. Two of sixty are not.
        assert_eq!(clusters_of(&[(0, 1, 2)]).len(), 1);
        let samples =
            [(0, 40), (1, 20)].into_iter().flat_map(|(class, count)| std::iter::repeat_n((class, class), count));
        let matrix = ConfusionMatrix::of(2, samples.skip(2).chain([(0, 1); 2]));
        assert!(clusters(&matrix).is_empty());
    }
}
