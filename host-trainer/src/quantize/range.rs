//! Activation ranges: observed as a moving average, or learned.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

use super::fake::SMALLEST_SCALE;
use crate::operators::{extremes, fake_quantize, round_straight_through};

/// Weight of the newest batch in the moving average.
const MOMENTUM: f64 = 0.05;
/// Steps of an 8-bit grid.
const STEPS: f32 = 255.0;
/// Largest 16-bit logit.
const LOGIT_LIMIT: f32 = 32767.0;
/// Observed logits may grow by this factor before they saturate: 16 bits have the room.
const LOGIT_HEADROOM: f32 = 2.0;

/// Where a fake-quantised forward pass takes its ranges from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeSource {
    /// The moving average of the extremes, which this pass updates.
    Observe,
    /// The moving average as it stands.
    Observed,
    /// The learned ranges; gradients reach them (LSQ, Esser et al. 2020).
    Learned,
}

/// What kind of grid a tensor is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeKind {
    /// 8 bits over the range of its values.
    Observed,
    /// 8 bits over 0 to 1: a hard sigmoid needs no observing.
    Gate,
    /// 16 bits, symmetric.
    Logits,
}

/// The integers of one tensor: `real = scale · (q − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// What one step is worth.
    pub scale: f32,
    /// The integer of zero, −128 to 127 for 8 bits, 0 for 16.
    pub zero_point: i16,
}

/// The range of one tensor's values.
#[derive(Module, Debug)]
pub struct Range {
    /// Moving averages of the smallest and largest value; both zero before the first observation.
    pub observed: RunningState<Tensor<1>>,
    /// Learned smallest and largest value.
    pub learned: Param<Tensor<1>>,
    #[module(skip)]
    kind: RangeKind,
}

impl Range {
    /// A range that has seen nothing.
    pub fn new(kind: RangeKind, device: &Device) -> Self {
        let zeros = || Tensor::zeros([2], device);
        Self { observed: RunningState::new(zeros()), learned: Param::from_tensor(zeros()), kind }
    }

    /// Starts learning from what was observed.
    pub fn start_learning(self) -> Self {
        Self { learned: Param::from_tensor(self.observed.value_sync().detach()), ..self }
    }

    /// Rounds `values` to the tensor's grid and scales them back.
    pub fn fake_quantize(&self, values: Tensor<4>, source: RangeSource) -> Tensor<4> {
        if self.kind == RangeKind::Gate {
            return round_straight_through(values * STEPS) / STEPS;
        }
        if source == RangeSource::Observe {
            self.observe(&values);
        }
        let (scale, zero) = self.scale_and_zero(source);
        let (below, above) = match self.kind {
            RangeKind::Logits => (scale.zeros_like() - LOGIT_LIMIT - 1.0, scale.zeros_like() + LOGIT_LIMIT),
            _ => (zero.clone().neg(), zero.neg() + STEPS),
        };
        fake_quantize(values, scale, [below, above])
    }

    /// The grid that the device will use.
    pub fn grid(&self, source: RangeSource) -> Grid {
        if self.kind == RangeKind::Gate {
            return Grid { scale: 1.0 / STEPS, zero_point: i16::from(i8::MIN) };
        }
        let (scale, zero) = self.scale_and_zero(source);
        let zero_point = match self.kind {
            RangeKind::Logits => 0,
            _ => zero.into_scalar::<f32>() as i16 + i16::from(i8::MIN),
        };
        Grid { scale: scale.into_scalar::<f32>(), zero_point }
    }

    fn observe(&self, values: &Tensor<4>) {
        let extremes = extremes(values.clone());
        let before = self.observed.value_sync();
        // The first observation replaces the zeros, later ones move the average.
        let is_first = before.clone().abs().sum().equal_elem(0.0).float();
        let momentum = is_first * (1.0 - MOMENTUM) + MOMENTUM;
        self.observed.update((before.clone() + (extremes - before) * momentum).detach());
    }

    /// Scale and, for 8 bits, the step at which zero lies (0 to 255), both of one element.
    fn scale_and_zero(&self, source: RangeSource) -> (Tensor<1>, Tensor<1>) {
        let bounds = match source {
            RangeSource::Learned => self.learned.val(),
            RangeSource::Observe | RangeSource::Observed => self.observed.value_sync(),
        };
        if self.kind == RangeKind::Logits {
            let scale = bounds.abs().max() * (LOGIT_HEADROOM / LOGIT_LIMIT);
            let scale = scale.clamp_min(SMALLEST_SCALE);
            return (scale.clone(), scale.zeros_like());
        }
        // Zero must be on the grid: padding and ReLU mean it exactly.
        let low = bounds.clone().narrow(0, 0, 1).clamp_max(0.0);
        let high = bounds.narrow(0, 1, 1).clamp_min(0.0);
        let scale = ((high - low.clone()) / STEPS).clamp_min(SMALLEST_SCALE);
        let zero = (low.detach().neg() / scale.clone().detach()).round().clamp(0.0, STEPS);
        (scale, zero)
    }
}
