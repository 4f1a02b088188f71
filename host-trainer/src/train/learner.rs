//! One step of gradient descent.

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Device, Int, Tensor, TensorData};

use super::batches::BatchPart;
use super::{Batch, GradientAccumulator, StageConfig, Teacher};
use crate::model::{DropoutKey, Mode, Network};
use crate::tensors::glyph_tensor;

/// A network, and what changes its weights.
pub struct Learner {
    network: Network,
    optimizer: ModuleOptimizer,
    loss: CrossEntropyLoss,
    teacher: Option<Teacher>,
    config: StageConfig,
    device: Device,
}

/// How one step is done.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// How the network computes.
    pub mode: Mode,
    /// Learning rate.
    pub learning_rate: f64,
    /// Seed of dropout.
    pub seed: u64,
    /// Number of the step.
    pub number: usize,
}

impl Learner {
    /// Learning as `config` says, from nothing but labels unless there is a `teacher`. `device` is without automatic
    /// differentiation.
    pub fn new(network: Network, config: &StageConfig, teacher: Option<Teacher>, device: &Device) -> Self {
        let device = device.clone().autodiff();
        Self {
            network: network.train(),
            optimizer: config.optimizer.build(config.decay()),
            loss: CrossEntropyLossConfig::new().with_smoothing(Some(config.label_smoothing)).init(&device),
            teacher,
            config: config.clone(),
            device,
        }
    }

    /// The network, with automatic differentiation.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The same with the network changed. By value: a second owner of the weights would have Burn copy them.
    pub fn with_network(self, change: impl FnOnce(Network) -> Network) -> Self {
        Self { network: change(self.network), ..self }
    }

    /// Changes the weights once by `batch`, of glyphs as large as the network's input; also returns the mean loss
    /// before. The batch passes the network in as many parts as the settings accumulate.
    pub fn step(mut self, batch: &Batch, step: Step) -> (Self, f64) {
        let Step { mode, learning_rate, seed, number } = step;
        let side = self.network.architecture().input.width;
        let parts = self.config.accumulate;
        let mut accumulator = GradientAccumulator::new(parts);
        let mut mean_loss = 0.0;
        for (index, part) in batch.parts(self.config.batch, side).enumerate() {
            let (glyphs, labels) = tensors(part, side, &self.device);
            let key = DropoutKey { seed, step: (number * parts + index) as u64 };
            let logits = self.network.forward_training(glyphs.clone(), mode, key);
            let loss = match &self.teacher {
                Some(teacher) => teacher.loss(glyphs, logits, labels, self.config.label_smoothing),
                None => self.loss.forward(logits, labels),
            };
            let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
            mean_loss += f64::from(loss.into_scalar::<f32>()) / parts as f64;
            if let Some(gradients) = accumulator.add(&self.network, gradients) {
                let gradients = self.config.clip(gradients, &self.network);
                self.network = self.optimizer.step(learning_rate, self.network, gradients);
            }
        }
        (self, mean_loss)
    }

    /// The optimiser's moments as Burn's record.
    ///
    /// # Errors
    /// Where Burn cannot write its record.
    pub fn moments(&self) -> Result<Vec<u8>, RecordError> {
        Ok(self.optimizer.into_bytes()?.to_vec())
    }

    /// The weights as Burn's record.
    ///
    /// # Errors
    /// Where Burn cannot write its record.
    pub fn weights(&self) -> Result<Vec<u8>, RecordError> {
        // Without automatic differentiation the running statistics are up to date.
        Ok(self.network.valid().into_record().into_bytes()?.to_vec())
    }

    /// The same with what [`Self::weights`] and [`Self::moments`] wrote.
    ///
    /// # Errors
    /// Where the records are of another network.
    pub fn restored(self, weights: &[u8], moments: &[u8]) -> Result<Self, RecordError> {
        let bytes = |bytes: &[u8]| Bytes::from_bytes_vec(bytes.to_vec());
        let network = self.network.valid().try_load_record(ModuleRecord::from_bytes(bytes(weights))?)?.train();
        Ok(Self { network, optimizer: self.optimizer.from_bytes(bytes(moments))?, ..self })
    }
}

/// A part of a batch as glyphs `[batch, 1, side, side]` and classes `[batch]`.
pub(super) fn tensors(part: BatchPart<'_>, side: usize, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let labels: Vec<i32> = part.labels.iter().map(|&label| label as i32).collect();
    let count = labels.len();
    (glyph_tensor(part.pixels, side, device), Tensor::from_data(TensorData::new(labels, [count]), device))
}
