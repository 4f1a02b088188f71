//! The stages of a run, their settings, and what an epoch of one reports.

use serde::{Deserialize, Serialize};

use super::{Precision, StageConfig};
use crate::model::Mode;
use crate::quantize::RangeSource;

/// Share of a quantisation-aware run during which ranges are observed; afterwards they are frozen or learned.
const OBSERVING: f64 = 0.5;

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The float network.
    Float,
    /// The fake-quantised network, batch normalisation folded and its statistics fixed.
    Qat {
        /// Whether activation ranges are learned once they have been observed.
        learn_ranges: bool,
    },
}

impl Stage {
    /// Its name in files' names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Qat { .. } => "qat",
        }
    }

    /// The ranges that a network has after this stage.
    pub const fn ranges(self) -> RangeSource {
        match self {
            Self::Qat { learn_ranges: true } => RangeSource::Learned,
            _ => RangeSource::Observed,
        }
    }

    /// How a network that has passed this stage is evaluated.
    pub const fn evaluation_mode(self) -> Mode {
        match self {
            Self::Float => Mode::Float,
            Self::Qat { .. } => Mode::FakeQuantized(self.ranges()),
        }
    }
}

/// What a stage trains and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitSettings {
    /// What is trained.
    pub stage: Stage,
    /// How.
    pub config: StageConfig,
}

impl FitSettings {
    /// How step `step` of `steps` computes.
    pub(super) fn mode(&self, step: usize, steps: usize) -> Mode {
        let observing = (step as f64) < steps as f64 * OBSERVING;
        match (self.stage, self.config.precision) {
            (Stage::Float, Precision::F32) => Mode::Float,
            (Stage::Float, Precision::Bf16) => Mode::Bfloat16,
            (Stage::Qat { .. }, _) if observing => Mode::FakeQuantized(RangeSource::Observe),
            (Stage::Qat { .. }, _) => Mode::FakeQuantized(self.stage.ranges()),
        }
    }
}

/// What one epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// What was trained.
    pub stage: Stage,
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean loss of its batches.
    pub loss: f64,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Seconds of training since the stage began, over all sittings.
    pub seconds: f64,
    /// Images trained on per second, since the stage began.
    pub images_per_second: f64,
    /// Share of that time in which training waited for the next batch.
    pub waiting: f64,
    /// Mean loss on the samples held back for validation, without label smoothing.
    pub validation_loss: Option<f64>,
    /// Share of them whose class came first.
    pub validation_top1: Option<f64>,
}
