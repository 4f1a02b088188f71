//! The learning rate over a run.

/// Share of the steps over which the rate rises from zero.
const WARM_UP: f64 = 0.05;

/// Rate of step `step` of `steps`: a linear rise to `peak`, then a cosine down to nothing (Loshchilov and
/// Hutter, 2017).
pub fn cosine_with_warm_up(peak: f64, step: usize, steps: usize) -> f64 {
    let warm_up = (steps as f64 * WARM_UP).max(1.0);
    let done = (step as f64 + 1.0) / warm_up;
    if done < 1.0 {
        return peak * done;
    }
    let progress = (step as f64 + 1.0 - warm_up) / (steps as f64 - warm_up).max(1.0);
    peak * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::cosine_with_warm_up;

    #[test]
    fn rises_to_the_peak_and_falls_to_nothing() {
        let rates: Vec<f64> = (0..200).map(|step| cosine_with_warm_up(0.1, step, 200)).collect();
        assert!((rates[9] - 0.1).abs() < 1e-9, "the peak is reached at the end of the warm-up");
        assert!(rates[..9].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rates[9..].windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates[199] < 1e-6);
    }
}
