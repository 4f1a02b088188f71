//! The learning rate over a run.
//!
//! A [`Schedule`] is a formula of the step; only [`Schedule::Plateau`] looks at what training came to, and keeps what
//! it saw in a [`ScheduleState`].

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run. Steps are counted from 0; shares are of all steps of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The peak throughout.
    Constant {},
    /// A linear rise to the peak, then a cosine down to nothing (Loshchilov and Hutter, 2017).
    Cosine {
        /// Share of the steps over which the rate rises from zero.
        #[serde(default = "default_warm_up")]
        warm_up: f64,
    },
    /// A cosine from the peak down to nothing, again and again: SGDR (Loshchilov and Hutter, 2017). The last cycle ends
    /// with the run.
    WarmRestarts {
        /// How many cosines there are, at least 1.
        #[serde(default = "default_cycles")]
        cycles: u32,
        /// How many times as long as the one before it a cycle is, at least 1: the paper's T_mult.
        #[serde(default = "default_growth")]
        growth: f64,
    },
    /// One cosine up to the peak and one down to far below the start (Smith and Topin, 2018), as PyTorch's `OneCycleLR`
    /// computes it. Momentum is not cycled.
    OneCycle {
        /// Share of the steps over which the rate rises.
        #[serde(default = "default_rise")]
        rise: f64,
        /// The first rate is the peak over this.
        #[serde(default = "default_start_divisor")]
        start_divisor: f64,
        /// The last rate is the first over this.
        #[serde(default = "default_end_divisor")]
        end_divisor: f64,
    },
    /// A linear rise to the peak, which then stays.
    LinearWarmUp {
        /// Share of the steps over which the rate rises from zero.
        #[serde(default = "default_warm_up")]
        warm_up: f64,
    },
    /// Equal stretches of the run, each at a fraction of the one before it.
    Step {
        /// How often the rate drops.
        #[serde(default = "default_drops")]
        drops: u32,
        /// What the rate is multiplied by at a drop.
        #[serde(default = "default_factor")]
        factor: f64,
    },
    /// The peak, lowered whenever the loss has stopped falling, as PyTorch's `ReduceLROnPlateau` does.
    Plateau {
        /// What the rate is multiplied by.
        #[serde(default = "default_factor")]
        factor: f64,
        /// Epochs without improvement that are tolerated.
        #[serde(default = "default_patience")]
        patience: u32,
        /// An epoch is an improvement where its loss is lower than the best by more than this share of the best.
        #[serde(default = "default_threshold")]
        threshold: f64,
    },
}

const fn default_warm_up() -> f64 {
    0.05
}
const fn default_cycles() -> u32 {
    3
}
const fn default_growth() -> f64 {
    2.0
}
const fn default_rise() -> f64 {
    0.3
}
const fn default_start_divisor() -> f64 {
    25.0
}
const fn default_end_divisor() -> f64 {
    1e4
}
const fn default_drops() -> u32 {
    2
}
const fn default_factor() -> f64 {
    0.1
}
const fn default_patience() -> u32 {
    5
}
const fn default_threshold() -> f64 {
    1e-4
}

/// What the schedule remembers of the epochs so far. Part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScheduleState {
    /// What the peak is multiplied by.
    scale: f64,
    /// The lowest loss of an epoch.
    best: Option<f64>,
    /// Epochs since, or since the rate was last lowered.
    epochs_without_improvement: u32,
}

impl Default for ScheduleState {
    fn default() -> Self {
        Self { scale: 1.0, best: None, epochs_without_improvement: 0 }
    }
}

impl ScheduleState {
    /// Notes the loss of an epoch, that of validation where there is one: lower is better.
    pub fn epoch_ended(&mut self, schedule: &Schedule, loss: f64) {
        let Schedule::Plateau { factor, patience, threshold } = *schedule else { return };
        // A loss that is not a number is no improvement.
        if loss.is_finite() && self.best.is_none_or(|best| loss < best - best.abs() * threshold) {
            self.best = Some(loss);
            self.epochs_without_improvement = 0;
            return;
        }
        self.epochs_without_improvement += 1;
        if self.epochs_without_improvement > patience {
            self.scale *= factor;
            self.epochs_without_improvement = 0;
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine { warm_up: default_warm_up() }
    }
}

impl Schedule {
    /// Rate of step `step`, from 0, of a run of `steps` whose highest rate is `peak`.
    pub fn rate(&self, peak: f64, step: usize, steps: usize, state: &ScheduleState) -> f64 {
        let share = step as f64 / steps.max(1) as f64;
        match *self {
            Self::Constant {} => peak,
            Self::Cosine { warm_up } => cosine_with_warm_up(peak, step, steps, warm_up),
            Self::WarmRestarts { cycles, growth } => peak * half_cosine(share_of_cycle(share, cycles, growth)),
            Self::OneCycle { rise, start_divisor, end_divisor } => {
                let start = peak / start_divisor;
                let last = (steps as f64 - 1.0).max(1.0);
                let top = (rise * steps as f64 - 1.0).clamp(0.0, last);
                let step = step as f64;
                if step <= top {
                    peak + (start - peak) * half_cosine(if top > 0.0 { step / top } else { 1.0 })
                } else {
                    let end = start / end_divisor;
                    end + (peak - end) * half_cosine(((step - top) / (last - top)).min(1.0))
                }
            }
            Self::LinearWarmUp { warm_up } => peak * (warm_up_progress(step, steps, warm_up).0).min(1.0),
            Self::Step { drops, factor } => {
                let drops_done = (share * (f64::from(drops) + 1.0)).floor().min(f64::from(drops));
                peak * factor.powf(drops_done)
            }
            Self::Plateau { .. } => peak * state.scale,
        }
    }

    /// What is wrong with the numbers, as `key: reason`.
    ///
    /// # Errors
    /// The first number that has no meaning, with what it must be.
    pub fn check(&self) -> Result<(), String> {
        let below_one = |key: &str, share: f64| match share {
            0.0..1.0 => Ok(()),
            _ => Err(format!("{key}: {share} must be at least 0 and below 1")),
        };
        let at_least_one = |key: &str, value: f64| match value {
            1.0..f64::INFINITY => Ok(()),
            _ => Err(format!("{key}: {value} must be at least 1")),
        };
        match *self {
            Self::Constant {} => Ok(()),
            Self::Cosine { warm_up } | Self::LinearWarmUp { warm_up } => below_one("warm-up", warm_up),
            Self::WarmRestarts { cycles, growth } => {
                at_least_one("cycles", f64::from(cycles)).and(at_least_one("growth", growth))
            }
            Self::OneCycle { rise, start_divisor, end_divisor } => below_one("rise", rise)
                .and(at_least_one("start-divisor", start_divisor))
                .and(at_least_one("end-divisor", end_divisor)),
            Self::Step { factor, .. } => below_one("factor", factor),
            Self::Plateau { factor, threshold, .. } => {
                below_one("factor", factor).and(below_one("threshold", threshold))
            }
        }
    }
}

/// From 1 at `progress` 0 to 0 at 1.
fn half_cosine(progress: f64) -> f64 {
    0.5 * (1.0 + (PI * progress).cos())
}

/// Share of the warm-up that is over with this step, and its length in steps.
fn warm_up_progress(step: usize, steps: usize, warm_up: f64) -> (f64, f64) {
    let length = (steps as f64 * warm_up).max(1.0);
    ((step as f64 + 1.0) / length, length)
}

fn cosine_with_warm_up(peak: f64, step: usize, steps: usize, warm_up: f64) -> f64 {
    let (done, warm_up) = warm_up_progress(step, steps, warm_up);
    if done < 1.0 {
        return peak * done;
    }
    let progress = (step as f64 + 1.0 - warm_up) / (steps as f64 - warm_up).max(1.0);
    peak * 0.5 * (1.0 + (PI * progress.min(1.0)).cos())
}

/// How much of its cycle is over at `share` of the run, where the lengths of `cycles` cycles are 1, g, g² …
fn share_of_cycle(share: f64, cycles: u32, growth: f64) -> f64 {
    let lengths = || (0..cycles.max(1)).map(|cycle| growth.powi(cycle as i32));
    let mut at = share * lengths().sum::<f64>();
    for length in lengths() {
        // A step that is a rounding short of a restart is the restart.
        if at < length * (1.0 - 1e-12) {
            return at / length;
        }
        at = (at - length).max(0.0);
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, steps: usize) -> Vec<f64> {
        (0..steps).map(|step| schedule.rate(0.1, step, steps, &ScheduleState::default())).collect()
    }

    #[track_caller]
    fn assert_close(rate: f64, expected: f64) {
        assert!((rate - expected).abs() <= 1e-12 + 1e-9 * expected.abs(), "{rate} is not {expected}");
    }

    #[test]
    fn the_default_rises_to_the_peak_and_falls_to_nothing() {
        let rates = rates(Schedule::default(), 200);
        assert_close(rates[9], 0.1);
        assert!(rates[..9].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rates[9..].windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates[199] < 1e-6);
    }

    /// Runs trained by earlier versions can be repeated: these are the bits that they used.
    #[test]
    fn the_default_is_what_it_always_was() {
        for steps in [1, 7, 19, 20, 21, 200, 4680] {
            for step in 0..steps {
                let warm_up = (steps as f64 * 0.05).max(1.0);
                let done = (step as f64 + 1.0) / warm_up;
                let progress = (step as f64 + 1.0 - warm_up) / (steps as f64 - warm_up).max(1.0);
                let falling = 4e-3 * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
                let expected = if done < 1.0 { 4e-3 * done } else { falling };
                let rate = Schedule::default().rate(4e-3, step, steps, &ScheduleState::default());
                assert_eq!(rate.to_bits(), expected.to_bits(), "step {step} of {steps}");
            }
        }
    }

    #[test]
    fn constant_is_constant() {
        assert!(rates(Schedule::Constant {}, 9).iter().all(|&rate| rate == 0.1));
    }

    #[test]
    fn linear_warm_up_rises_and_stays() {
        let rates = rates(Schedule::LinearWarmUp { warm_up: 0.1 }, 100);
        (0..10).for_each(|step| assert_close(rates[step], 0.01 * (step as f64 + 1.0)));
        assert!(rates[9..].iter().all(|&rate| (rate - 0.1).abs() < 1e-12));
    }

    /// SGDR's formula, η = peak · (1 + cos(π · T_cur / T_i)) / 2, with T_0 = 10 and T_mult = 2: cycles of 10, 20 and 40.
    #[test]
    fn warm_restarts_follow_the_papers_formula() {
        let rates = rates(Schedule::WarmRestarts { cycles: 3, growth: 2.0 }, 70);
        for (first, length) in [(0, 10), (10, 20), (30, 40)] {
            for step in 0..length {
                let expected = 0.05 * (1.0 + (PI * step as f64 / length as f64).cos());
                assert_close(rates[first + step], expected);
            }
        }
    }

    #[test]
    fn restarts_of_equal_length_divide_the_run_evenly() {
        let rates = rates(Schedule::WarmRestarts { cycles: 7, growth: 1.0 }, 70);
        (0..7).for_each(|cycle| assert_close(rates[10 * cycle], 0.1));
        (0..7).for_each(|cycle| assert_close(rates[10 * cycle + 5], 0.05));
    }

    /// Values of PyTorch's documented formula: of 100 steps the peak is step 29, the last is peak / 25 / 10⁴.
    #[test]
    fn one_cycle_has_its_known_points() {
        let schedule = Schedule::OneCycle { rise: 0.3, start_divisor: 25.0, end_divisor: 1e4 };
        let rates = rates(schedule, 100);
        assert_close(rates[0], 0.004);
        assert_close(rates[29], 0.1);
        assert_close(rates[99], 0.004 / 1e4);
        // Half way down, step 64, is the mean of the ends.
        assert_close(rates[64], (0.1 + 0.004 / 1e4) / 2.0);
        assert!(rates[..29].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rates[29..].windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn steps_drop_at_equal_distances() {
        let rates = rates(Schedule::Step { drops: 2, factor: 0.1 }, 90);
        let expected = |step: usize| [0.1, 0.01, 0.001][step / 30];
        (0..90).for_each(|step| assert_close(rates[step], expected(step)));
    }

    #[test]
    fn a_plateau_lowers_the_rate_after_its_patience() {
        let schedule = Schedule::Plateau { factor: 0.5, patience: 2, threshold: 0.01 };
        let mut state = ScheduleState::default();
        let mut observed = Vec::new();
        // 0.995 is not lower than 1.0 by more than a hundredth; after the drop, counting starts again.
        for loss in [1.0, 0.995, 1.2, f64::NAN, 0.9, 0.95, 0.95, 0.95, 0.95] {
            state.epoch_ended(&schedule, loss);
            observed.push(schedule.rate(0.1, 3, 9, &state));
        }
        assert_eq!(observed, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025]);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<ScheduleState>(&text).unwrap(), state);
    }

    #[test]
    fn only_a_plateau_reads_the_state() {
        let mut state = ScheduleState::default();
        (0..50).for_each(|_| state.epoch_ended(&Schedule::default(), 1.0));
        assert_eq!(state, ScheduleState::default());
    }

    #[test]
    fn no_schedule_leaves_the_range_from_zero_to_the_peak() {
        let names = ["cosine", "warm-restarts", "one-cycle", "linear-warm-up", "step", "plateau"];
        for name in names {
            let schedule: Schedule = serde_json::from_str(&format!("{{\"{name}\": {{}}}}")).unwrap();
            assert_eq!(schedule.check(), Ok(()), "{name}");
            for steps in [1, 2, 3, 1000] {
                assert!(rates(schedule, steps).iter().all(|rate| (0.0..=0.1 + 1e-12).contains(rate)), "{name}");
            }
        }
    }

    #[test]
    fn numbers_without_meaning_are_refused_by_their_key() {
        let cosine = Schedule::Cosine { warm_up: 1.5 };
        assert!(cosine.check().unwrap_err().starts_with("warm-up: 1.5"));
        assert!(Schedule::WarmRestarts { cycles: 0, growth: 2.0 }.check().unwrap_err().starts_with("cycles"));
        assert!(Schedule::Plateau { factor: f64::NAN, patience: 1, threshold: 0.0 }.check().is_err());
    }
}
