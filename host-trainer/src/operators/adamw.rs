//! One step of AdamW in one pass over memory.

use burn::backend::Dispatch;
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::{Operators, Primitive, contiguous, elements, elements_mut, is_on_processor};

/// Weights that one task changes.
const CHUNK: usize = 1 << 14;

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019): Burn's, but on the processor by one pass.
#[derive(Clone)]
pub struct FusedAdamW {
    burns: AdamW,
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    weight_decay: f32,
}

/// What one step multiplies and adds.
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    /// What is left of a weight.
    kept: f32,
    /// Learning rate over 1 − β₁ᵗ.
    rate: f32,
    /// 1 over 1 − β₂ᵗ.
    correction: f32,
}

impl FusedAdamW {
    /// A fresh optimiser.
    pub fn new(beta_1: f32, beta_2: f32, epsilon: f32, weight_decay: f32) -> Self {
        let config = AdamWConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(epsilon);
        Self { burns: config.with_weight_decay(weight_decay).build(), beta_1, beta_2, epsilon, weight_decay }
    }
}

impl Optimizer for FusedAdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        if !is_on_processor(&weight) {
            return self.burns.step(rate, weight, gradient, state);
        }
        let momentum = state.map_or_else(
            || AdaptiveMomentumState::new(0, weight.zeros_like(), weight.zeros_like()),
            |state| state.momentum,
        );
        let time = momentum.time + 1;
        let rest = |beta: f32| 1.0 - beta.powi(time as i32);
        let step = AdamWStep {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            kept: (1.0 - rate * f64::from(self.weight_decay)) as f32,
            rate: (rate / f64::from(rest(self.beta_1))) as f32,
            correction: rest(self.beta_2).recip(),
        };
        let (weight, moment_1, moment_2) = <Dispatch as Operators>::adamw(
            weight.into_dispatch(),
            gradient.into_dispatch(),
            momentum.moment_1.into_dispatch(),
            momentum.moment_2.into_dispatch(),
            step,
        );
        let [weight, moment_1, moment_2] = [weight, moment_1, moment_2].map(Tensor::from_dispatch);
        (weight, Some(AdamWState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        AdamW::to_device(state, device)
    }
}

/// Weight and moments after a step, in the memory of those before where nobody else has them.
pub(super) fn step([weight, gradient, moment_1, moment_2]: [Primitive; 4], step: AdamWStep) -> [Primitive; 3] {
    let gradient = contiguous(&gradient);
    let mut changed = [weight, moment_1, moment_2].map(|tensor| contiguous(&tensor));
    let [weight, moment_1, moment_2] = changed.each_mut().map(elements_mut);
    weight
        .par_chunks_mut(CHUNK)
        .zip(moment_1.par_chunks_mut(CHUNK))
        .zip(moment_2.par_chunks_mut(CHUNK))
        .zip(elements(&gradient).par_chunks(CHUNK))
        .for_each(|(((weight, moment_1), moment_2), gradient)| update(weight, moment_1, moment_2, gradient, step));
    changed
}

vectorized! {
    fn update(weight: &mut [f32], moment_1: &mut [f32], moment_2: &mut [f32], gradient: &[f32], step: AdamWStep) -> () {
        let moments = moment_1.iter_mut().zip(moment_2);
        for ((weight, (moment_1, moment_2)), gradient) in weight.iter_mut().zip(moments).zip(gradient) {
            *moment_1 = step.beta_1 * *moment_1 + (1.0 - step.beta_1) * gradient;
            *moment_2 = step.beta_2 * *moment_2 + (1.0 - step.beta_2) * gradient * gradient;
            let deviation = (*moment_2 * step.correction).sqrt() + step.epsilon;
            *weight = *weight * step.kept - step.rate * *moment_1 / deviation;
        }
    }
}
