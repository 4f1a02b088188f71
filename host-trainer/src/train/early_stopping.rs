//! Stopping when the loss has stopped falling.

use serde::{Deserialize, Serialize};

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without improvement after which training stops, at least 1.
    pub patience: usize,
    /// An epoch is an improvement where its loss is lower than the best by more than this.
    #[serde(default)]
    pub min_delta: f64,
}

/// What is remembered of the epochs so far. Part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EarlyStoppingState {
    best: Option<f64>,
    epochs_without_improvement: usize,
}

/// What an epoch means for the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The best so far: its weights are the ones to keep.
    Improved,
    /// Not better, but patience is left.
    Waiting,
    /// Patience is over: go back to the best weights and stop.
    Stop,
}

impl EarlyStopping {
    /// What is wrong with the numbers, as `key: reason`.
    ///
    /// # Errors
    /// The first number that has no meaning, with what it must be.
    pub fn check(&self) -> Result<(), String> {
        match *self {
            Self { patience: 0, .. } => Err("patience: it must be at least 1".to_owned()),
            Self { min_delta: 0.0..f64::INFINITY, .. } => Ok(()),
            Self { min_delta, .. } => Err(format!("min-delta: {min_delta} must be a number of at least 0")),
        }
    }
}

impl EarlyStoppingState {
    /// Notes the loss of an epoch, that of validation where there is one: lower is better. One that is not finite is no
    /// improvement.
    pub fn epoch_ended(&mut self, settings: &EarlyStopping, loss: f64) -> Verdict {
        if loss.is_finite() && self.best.is_none_or(|best| loss < best - settings.min_delta) {
            *self = Self { best: Some(loss), epochs_without_improvement: 0 };
            return Verdict::Improved;
        }
        self.epochs_without_improvement += 1;
        if self.epochs_without_improvement < settings.patience { Verdict::Waiting } else { Verdict::Stop }
    }

    /// Loss of the best epoch.
    pub const fn best(&self) -> Option<f64> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(settings: EarlyStopping, losses: &[f64]) -> Vec<Verdict> {
        let mut state = EarlyStoppingState::default();
        let verdict = |&loss| {
            // As a run that is stopped and resumed after every epoch.
            let text = serde_json::to_string(&state).unwrap();
            state = serde_json::from_str(&text).unwrap();
            state.epoch_ended(&settings, loss)
        };
        losses.iter().map(verdict).collect()
    }

    #[test]
    fn stops_when_patience_is_over_and_not_before() {
        use Verdict::{Improved, Stop, Waiting};
        let settings = EarlyStopping { patience: 3, min_delta: 0.0 };
        let losses = [1.0, 0.8, 0.9, 0.8, 0.7, f64::NAN, 0.7, 0.71];
        let expected = [Improved, Improved, Waiting, Waiting, Improved, Waiting, Waiting, Stop];
        assert_eq!(verdicts(settings, &losses), expected);
    }

    #[test]
    fn small_steps_are_no_improvement_but_add_up() {
        use Verdict::{Improved, Waiting};
        let settings = EarlyStopping { patience: 5, min_delta: 0.1 };
        assert_eq!(verdicts(settings, &[1.0, 0.95, 0.91, 0.89]), [Improved, Waiting, Waiting, Improved]);
    }

    #[test]
    fn the_best_is_remembered() {
        let mut state = EarlyStoppingState::default();
        let settings = EarlyStopping { patience: 9, min_delta: 0.0 };
        for loss in [0.5, 0.25, 0.75] {
            state.epoch_ended(&settings, loss);
        }
        assert_eq!(state.best(), Some(0.25));
    }
}
