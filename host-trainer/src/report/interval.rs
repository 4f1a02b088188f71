//! How sure a share of a sample is.

use serde::{Deserialize, Serialize};

/// The normal distribution's 97.5 % quantile: 95 % of it lie within this many standard deviations.
const Z_95: f64 = 1.959_963_984_540_054;

/// An interval of shares, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The Wilson score interval of 95 % confidence for `hits` of `count`.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
/// Statistical Association 22 (1927), 209–212. Unlike p ± 2σ it stays within 0 to 1 and holds near both ends, where
/// accuracies are. It speaks of samples drawn independently: distortions of one glyph, or glyphs of one writer, vary
/// less than their number suggests.
pub fn wilson(hits: usize, count: usize) -> Interval {
    if count == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = count as f64;
    let share = hits as f64 / n;
    let z2 = Z_95 * Z_95;
    let centre = share + z2 / (2.0 * n);
    let half = Z_95 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the formula gives 0 and 1, and arithmetic nearly so.
    let low = if hits == 0 { 0.0 } else { (centre - half) / scale };
    let high = if hits == count { 1.0 } else { (centre + half) / scale };
    Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(hits: usize, count: usize, low: f64, high: f64) -> bool {
        let interval = wilson(hits, count);
        (interval.low - low).abs() < 5e-5 && (interval.high - high).abs() < 5e-5
    }

    /// Newcombe (1998), table I, method 3: the examples in which intervals are usually compared.
    #[test]
    fn agrees_with_published_intervals() {
        assert!(is_near(81, 263, 0.2553, 0.3662), "{:?}", wilson(81, 263));
        assert!(is_near(15, 148, 0.0624, 0.1605), "{:?}", wilson(15, 148));
        assert!(is_near(0, 20, 0.0, 0.1611), "{:?}", wilson(0, 20));
        assert!(is_near(1, 29, 0.0061, 0.1718), "{:?}", wilson(1, 29));
    }

    #[test]
    fn stays_within_shares() {
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
        assert_eq!((wilson(0, 7).low, wilson(7, 7).high), (0.0, 1.0));
        assert!(wilson(7, 7).low < 0.7 && wilson(7000, 7000).low > 0.999);
    }
}
