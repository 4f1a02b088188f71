//! How gradients change weights: the optimiser, clipping, and accumulation.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::model::Network;
use crate::operators::FusedAdamW;

/// The rule by which a gradient changes a weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum OptimizerSettings {
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    #[serde(rename = "adamw")]
    AdamW {
        /// Share of the old mean gradient that is kept at every step.
        #[serde(default = "default_beta_1")]
        beta_1: f32,
        /// Share of the old mean squared gradient that is kept at every step.
        #[serde(default = "default_beta_2")]
        beta_2: f32,
        /// Added to the root of the mean squared gradient, so that nothing is divided by zero.
        #[serde(default = "default_epsilon")]
        epsilon: f32,
    },
    /// Stochastic gradient descent; its weight decay is added to the gradient.
    Sgd {
        /// Share of the old velocity that is kept at every step; 0 for none.
        #[serde(default = "default_momentum")]
        momentum: f64,
        /// Whether the gradient looks ahead along the velocity (Sutskever et al. 2013).
        #[serde(default)]
        nesterov: bool,
    },
}

const fn default_beta_1() -> f32 {
    0.9
}
const fn default_beta_2() -> f32 {
    0.999
}
const fn default_epsilon() -> f32 {
    1e-5
}
const fn default_momentum() -> f64 {
    0.9
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self::AdamW { beta_1: default_beta_1(), beta_2: default_beta_2(), epsilon: default_epsilon() }
    }
}

/// How much weights are pulled towards zero, and which.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WeightDecay {
    /// Share of a weight that a step of rate 1 takes away.
    pub rate: f32,
    /// Whether biases, batch normalisation and learned ranges are left alone.
    pub weights_only: bool,
}

impl OptimizerSettings {
    /// A fresh optimiser.
    pub fn build(&self, decay: WeightDecay) -> ModuleOptimizer {
        match *self {
            Self::AdamW { beta_1, beta_2, epsilon } => {
                let with_decay = |rate| FusedAdamW::new(beta_1, beta_2, epsilon, rate);
                match decay.weights_only {
                    false => with_decay(decay.rate).into(),
                    true => ModuleOptimizer::from(with_decay(0.0)).with_group(weights(), with_decay(decay.rate), None),
                }
            }
            Self::Sgd { momentum, nesterov } => {
                let momentum = MomentumConfig { momentum, dampening: 0.0, nesterov };
                let config = SgdConfig::new().with_momentum((momentum.momentum > 0.0).then_some(momentum));
                let decaying = || config.clone().with_weight_decay(Some(WeightDecayConfig::new(decay.rate))).build();
                match decay.weights_only {
                    false => decaying().into(),
                    true => ModuleOptimizer::from(config.build()).with_group(weights(), decaying(), None),
                }
            }
        }
    }

    /// What is wrong with the numbers, as `key: reason`.
    ///
    /// # Errors
    /// The first number that has no meaning, with what it must be.
    pub fn check(&self) -> Result<(), String> {
        let share = |key: &str, value: f64| match value {
            0.0..1.0 => Ok(()),
            _ => Err(format!("{key}: {value} must be at least 0 and below 1")),
        };
        match *self {
            Self::AdamW { epsilon, .. } if !(epsilon > 0.0 && epsilon.is_finite()) => {
                Err(format!("epsilon: {epsilon} must be above 0"))
            }
            Self::AdamW { beta_1, beta_2, .. } => {
                share("beta-1", f64::from(beta_1)).and(share("beta-2", f64::from(beta_2)))
            }
            Self::Sgd { momentum: 0.0, nesterov: true } => {
                Err("nesterov: it looks ahead along the momentum; give one above 0".to_owned())
            }
            Self::Sgd { momentum, .. } => share("momentum", momentum),
        }
    }
}

/// Kernels of convolutions and dense layers, by their path in a [`Network`].
fn weights() -> ParamGroup {
    ParamGroup::from_predicate(".weight")
}

/// Scales all gradients of `network` down so that their norm, of all of them together, is at most `limit`
/// (Pascanu et al. 2013).
pub fn clip_by_norm(mut gradients: GradientsParams, network: &Network, limit: f32) -> GradientsParams {
    let mut squares = SumOfSquares { gradients: &gradients, sum: None };
    network.visit(&mut squares);
    let Some(sum) = squares.sum else { return gradients };
    // Stays on the device: reading it would make the host wait at every step.
    let factor = (sum.sqrt().clamp_min(f32::MIN_POSITIVE).recip() * limit).clamp_max(1.0);
    network.visit(&mut Changing { gradients: &mut gradients, change: Change::Scale(Box::new(factor)) });
    gradients
}

/// Brings every element of the gradients of `network` into `-limit..=limit`.
pub fn clip_by_value(mut gradients: GradientsParams, network: &Network, limit: f32) -> GradientsParams {
    network.visit(&mut Changing { gradients: &mut gradients, change: Change::Clamp(limit) });
    gradients
}

/// Sums gradients of several micro-batches of one size into that of the batch which they make up.
///
/// Holds gradients between micro-batches, so a checkpoint belongs after [`GradientAccumulator::add`] has returned some.
pub struct GradientAccumulator {
    sum: GradientsAccumulator<Network>,
    micro_batches: usize,
    held: usize,
}

impl GradientAccumulator {
    /// Accumulates `micro_batches` at a time, at least 1.
    pub fn new(micro_batches: usize) -> Self {
        Self { sum: GradientsAccumulator::new(), micro_batches: micro_batches.max(1), held: 0 }
    }

    /// Adds the gradients of the mean loss of a micro-batch; returns those of the batch's mean loss with its last one.
    pub fn add(&mut self, network: &Network, gradients: GradientsParams) -> Option<GradientsParams> {
        if self.micro_batches == 1 {
            return Some(gradients);
        }
        self.sum.accumulate(network, gradients);
        self.held += 1;
        if self.held < self.micro_batches {
            return None;
        }
        self.held = 0;
        let mut gradients = self.sum.grads();
        let change = Change::Divide(self.micro_batches as f32);
        network.visit(&mut Changing { gradients: &mut gradients, change });
        Some(gradients)
    }
}

/// Adds up the squares of all gradients, in the order of the parameters.
struct SumOfSquares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SumOfSquares<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(parameter.id) else { return };
        let squares = gradient.square().sum();
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
    }
}

/// What happens to every gradient.
enum Change {
    Scale(Box<Tensor<1>>),
    Divide(f32),
    Clamp(f32),
}

struct Changing<'a> {
    gradients: &'a mut GradientsParams,
    change: Change,
}

impl Changing<'_> {
    fn change<const D: usize>(&mut self, id: ParamId) {
        let Some(gradient) = self.gradients.remove::<D>(id) else { return };
        let changed = match &self.change {
            Change::Scale(factor) => gradient * Tensor::clone(factor).reshape([1; D]),
            Change::Divide(divisor) => gradient / *divisor,
            Change::Clamp(limit) => gradient.clamp(-limit, *limit),
        };
        self.gradients.register(id, changed);
    }
}

impl ModuleVisitor for Changing<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.change::<D>(parameter.id);
    }
}

#[cfg(test)]
mod tests;
