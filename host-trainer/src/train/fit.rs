//! The training loop, for floats and for fake quantisation alike.

use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Batch, BatchStream, Schedule, ScheduleState};
use crate::model::{Mode, Network};
use crate::quantize::{Range, RangeSource};
use crate::tensors::glyph_tensor;

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
    /// How step `step` of `steps` computes.
    fn mode(self, step: usize, steps: usize) -> Mode {
        let observing = (step as f64) < steps as f64 * OBSERVING;
        match self {
            Self::Float => Mode::Float,
            Self::Qat { .. } if observing => Mode::FakeQuantized(RangeSource::Observe),
            Self::Qat { .. } => Mode::FakeQuantized(self.ranges()),
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

/// Hyper-parameters of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FitSettings {
    /// What is trained.
    pub stage: Stage,
    /// Passes over the data.
    pub epochs: usize,
    /// Highest learning rate ([`Schedule::default`]).
    pub learning_rate: f64,
    /// Weight decay of AdamW (Loshchilov and Hutter, 2019).
    pub weight_decay: f32,
    /// Share of the target that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f32,
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
    /// Seconds since the stage began.
    pub seconds: f64,
    /// Images trained on per second, since the stage began.
    pub images_per_second: f64,
}

/// Why training stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The loss is not a number any more.
    #[error("training diverged in epoch {epoch}: the loss is not finite; lower --learning-rate")]
    Diverged {
        /// The epoch.
        epoch: usize,
    },
    /// An epoch would have no batch.
    #[error("{samples} training samples do not fill one batch of {batch}; lower --batch or add data")]
    TooFewSamples {
        /// Samples there are.
        samples: usize,
        /// Samples of a batch.
        batch: usize,
    },
}

/// Trains `network` on `stream`, telling `report` of every epoch and `progress` of every step.
///
/// `device` is without automatic differentiation, and so is the network that comes back.
///
/// # Errors
/// [`TrainError`].
pub fn fit(
    network: Network,
    stream: BatchStream,
    settings: &FitSettings,
    device: &Device,
    mut progress: impl FnMut(usize, usize),
    mut report: impl FnMut(&EpochReport),
) -> Result<Network, TrainError> {
    let (batch_size, side) = (stream.batch_size, stream.side);
    let steps_per_epoch = stream.batches_per_epoch();
    if steps_per_epoch == 0 {
        return Err(TrainError::TooFewSamples { samples: stream.dataset.samples.len(), batch: batch_size });
    }
    let steps = steps_per_epoch * settings.epochs;
    let device = device.clone().autodiff();
    let mut network = network.train();
    let loss_function = CrossEntropyLossConfig::new().with_smoothing(Some(settings.label_smoothing)).init(&device);
    let mut optimizer = AdamWConfig::new().with_weight_decay(settings.weight_decay).init();

    let started = Instant::now();
    let mut epoch_loss = 0.0;
    let mut mode = settings.stage.mode(0, steps);
    for (step, batch) in stream.start(settings.epochs).into_iter().enumerate() {
        let next_mode = settings.stage.mode(step, steps);
        network = entering(next_mode, mode, network);
        mode = next_mode;

        let learning_rate = Schedule::default().rate(settings.learning_rate, step, steps, &ScheduleState::default());
        let (glyphs, labels) = tensors(&batch, side, &device);
        let loss = loss_function.forward(network.forward(glyphs, mode), labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(learning_rate, network, gradients);
        epoch_loss += f64::from(loss.into_scalar::<f32>());
        progress(step + 1, steps);

        if (step + 1) % steps_per_epoch == 0 {
            let epoch = (step + 1) / steps_per_epoch;
            let loss = epoch_loss / steps_per_epoch as f64;
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch });
            }
            let seconds = started.elapsed().as_secs_f64();
            let images_per_second = ((step + 1) * batch_size) as f64 / seconds;
            report(&EpochReport { stage: settings.stage, epoch, loss, learning_rate, seconds, images_per_second });
            epoch_loss = 0.0;
        }
    }
    // A run of one step ends before ranges are learned.
    Ok(entering(settings.stage.evaluation_mode(), mode, network).valid())
}

/// The network as it goes from mode `from` to mode `to`: learned ranges start from the observed ones.
fn entering(to: Mode, from: Mode, mut network: Network) -> Network {
    if to != from && to == Mode::FakeQuantized(RangeSource::Learned) {
        network.ranges = network.ranges.into_iter().map(Range::start_learning).collect();
    }
    network
}

pub(super) fn tensors(batch: &Batch, side: usize, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let labels: Vec<i32> = batch.labels.iter().map(|&label| label as i32).collect();
    let count = labels.len();
    (glyph_tensor(&batch.pixels, side, device), Tensor::from_data(TensorData::new(labels, [count]), device))
}
