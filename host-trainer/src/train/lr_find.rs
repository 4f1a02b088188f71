//! The learning-rate range test (Smith, 2017): train while the rate rises, and see where the loss falls fastest.

use burn::tensor::Device;
use serde::Serialize;

use super::{Batch, Learner, StageConfig, Step};
use crate::model::{Mode, Network};

/// The first and the last rate.
pub const RATES: (f64, f64) = (1e-7, 10.0);
/// Share of the old mean that the mean loss keeps at a step.
const SMOOTHING: f64 = 0.9;
/// Training has diverged where the mean loss is this many times the lowest so far.
const DIVERGENCE: f64 = 4.0;
/// Share of the steps whose slope means nothing: the mean is of few losses yet.
const UNSETTLED: f64 = 0.1;
/// Share of the mean by which two steps must lower it to count as a fall.
const LEAST_FALL: f64 = 1e-4;

/// One step of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// Learning rate.
    pub rate: f64,
    /// Loss of the batch before the step.
    pub loss: f64,
    /// Moving average of the losses up to here.
    pub mean: f64,
}

/// Losses at rates that rise exponentially from the first to the last of [`RATES`].
#[derive(Debug, Clone, PartialEq)]
pub struct RangeTest {
    steps: usize,
    points: Vec<RatePoint>,
    /// The moving average with its start from zero still in it.
    biased: f64,
    diverged: bool,
}

impl RangeTest {
    /// A test of `steps` steps, at least 2.
    pub const fn new(steps: usize) -> Self {
        Self { steps, points: Vec::new(), biased: 0.0, diverged: false }
    }

    /// The rate of the next step; none where the test is over.
    pub fn next_rate(&self) -> Option<f64> {
        let step = self.points.len();
        let share = step as f64 / (self.steps.max(2) - 1) as f64;
        (step < self.steps && !self.diverged).then(|| RATES.0 * (RATES.1 / RATES.0).powf(share))
    }

    /// Notes the loss at the rate of the next step.
    pub fn record(&mut self, loss: f64) {
        let Some(rate) = self.next_rate() else { return };
        self.biased = SMOOTHING * self.biased + (1.0 - SMOOTHING) * loss;
        let mean = self.biased / (1.0 - SMOOTHING.powi(self.points.len() as i32 + 1));
        self.diverged = !mean.is_finite() || mean > DIVERGENCE * self.lowest_mean();
        if mean.is_finite() {
            self.points.push(RatePoint { rate, loss, mean });
        }
    }

    /// The steps so far.
    pub fn points(&self) -> &[RatePoint] {
        &self.points
    }

    /// Whether the loss has left all bounds, which ends the test.
    pub const fn has_diverged(&self) -> bool {
        self.diverged
    }

    /// The rate at which the mean loss falls fastest over the logarithm of the rate, on its way to the lowest, to two
    /// digits; none where it never falls.
    pub fn suggestion(&self) -> Option<f64> {
        let first = (self.steps as f64 * UNSETTLED).ceil() as usize;
        let lowest = self.points.iter().position(|point| point.mean <= self.lowest_mean())?;
        // The rates are equally far apart in their logarithm.
        let slopes = self.points.get(first..=lowest)?.windows(3);
        let steepest = slopes.min_by(|a, b| (a[2].mean - a[0].mean).total_cmp(&(b[2].mean - b[0].mean)))?;
        let fall = (steepest[0].mean - steepest[2].mean) / steepest[0].mean;
        let rate = steepest[1].rate;
        (fall > LEAST_FALL).then(|| format!("{rate:.1e}").parse().unwrap_or(rate))
    }

    fn lowest_mean(&self) -> f64 {
        self.points.iter().map(|point| point.mean).fold(f64::INFINITY, f64::min)
    }
}

/// Trains a copy of `network` with the batch, optimiser, clipping and smoothing of `stage`, and no teacher.
///
/// `batches` are what a step takes, glyphs as large as the network's input, and must last for the steps; `seed` is that
/// of dropout; `device` is without automatic differentiation. `progress` is told of every step.
pub fn range_test(
    network: &Network,
    mut batches: impl Iterator<Item = Batch>,
    stage: &StageConfig,
    (seed, steps): (u64, usize),
    device: &Device,
    mut progress: impl FnMut(&RatePoint),
) -> RangeTest {
    let mut learner = Learner::new(network.clone(), stage, None, device);
    let mut test = RangeTest::new(steps);
    while let (Some(learning_rate), Some(batch)) = (test.next_rate(), batches.next()) {
        let number = test.points().len();
        let loss;
        (learner, loss) = learner.step(&batch, Step { mode: Mode::Float, learning_rate, seed, number });
        test.record(loss);
        test.points().last().into_iter().for_each(&mut progress);
    }
    test
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Preset;

    /// The test of a loss that is a function of the rate.
    fn test_of(loss: impl Fn(f64) -> f64) -> RangeTest {
        let mut test = RangeTest::new(201);
        while let Some(rate) = test.next_rate() {
            test.record(loss(rate));
        }
        test
    }

    #[test]
    fn rates_rise_exponentially_over_the_whole_range() {
        let test = test_of(|_| 1.0);
        let rates: Vec<f64> = test.points().iter().map(|point| point.rate).collect();
        assert_eq!((rates.len(), rates[0]), (201, 1e-7));
        assert!((rates[200] - 10.0).abs() < 1e-9 && (rates[100] - 1e-3).abs() < 1e-12);
        assert!(!test.has_diverged());
    }

    /// A loss that falls fastest at 10⁻³ (a logistic curve) and explodes above 0.3.
    #[test]
    fn the_suggestion_is_at_the_steepest_descent() {
        let loss = |rate: f64| 0.2 + 2.0 / (1.0 + (4.0 * (rate.log10() + 3.0)).exp()) + (rate / 0.3).powi(4);
        let test = test_of(loss);
        let suggestion = test.suggestion().unwrap();
        // The moving average lags by some ten steps of 0.04 decades.
        assert!((8e-4..3e-3).contains(&suggestion), "{suggestion}");
        assert!(test.has_diverged() && test.points().last().unwrap().rate < 3.0);
    }

    #[test]
    fn the_mean_is_of_the_losses_and_not_of_its_start() {
        let test = test_of(|_| 2.5);
        assert!(test.points().iter().all(|point| (point.mean - 2.5).abs() < 1e-9));
    }

    #[test]
    fn there_is_no_suggestion_where_the_loss_never_falls() {
        assert_eq!(test_of(|rate| 1.0 + rate.log10() * 0.01).suggestion(), None);
        assert_eq!(test_of(|_| f64::NAN).suggestion(), None);
        assert!(test_of(|_| f64::NAN).has_diverged());
    }

    /// Glyphs of three classes that differ in where their ink is.
    fn batches() -> impl Iterator<Item = Batch> {
        (0..).map(|batch: usize| {
            let labels: Vec<u32> = (0..12).map(|glyph| ((glyph + batch) % 3) as u32).collect();
            let pixel = |label: u32, at: usize| if at / 192 == label as usize { 255 } else { (at * batch % 50) as u8 };
            let pixels = labels.iter().flat_map(|&label| (0..576).map(move |at| pixel(label, at))).collect();
            Batch { pixels, labels }
        })
    }

    #[test]
    fn a_network_that_can_learn_gets_a_rate_at_which_it_does() {
        let device = Device::flex();
        device.seed(3);
        let network = Network::new(Preset::Nano.architecture(3), &device);
        let run = |stage: &StageConfig| range_test(&network, batches(), stage, (1, 60), &device, |_| {});
        let test = run(&StageConfig::default());
        let suggestion = test.suggestion().unwrap();
        let lowest = test.points().iter().min_by(|a, b| a.mean.total_cmp(&b.mean)).unwrap();
        assert!((1e-6..lowest.rate).contains(&suggestion), "{suggestion}");
        assert!(lowest.mean < 0.9 * test.points()[0].mean, "it learned nothing: {lowest:?}");
        // The same test again is the same to the bit; that of another batch is not.
        assert_eq!(run(&StageConfig::default()), test);
        assert_ne!(run(&StageConfig { batch: 6, accumulate: 2, ..StageConfig::default() }), test);
    }
}
