//! Random trials of one kernel, at and away from the edges of shapes and numbers.

use std::vec::Vec;

use super::TrialBuilder;
use crate::graph::{ElementType, Layer, Operator, Parameters, PoolKind, Tensor, Window};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::quant::{MAX_ADDEND_MULTIPLIER, MAX_ADDITION_SHIFT, MAX_SHIFT, MIN_SHIFT};

/// Largest bias that a package may have.
const MAX_BIAS: i64 = (1 << 30) - 1;

/// Deterministic numbers (SplitMix64, Steele et al., 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.word() % (high - low + 1) as u64) as i64
    }

    /// One of `from`.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() as i64 - 1) as usize]
    }

    fn size(&mut self, low: u16, high: u16) -> u16 {
        self.between(low.into(), high.into()) as u16
    }
}

/// The kinds of layer that have a kernel, or a way through one, of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Windows of any size, stride and padding.
    Convolution,
    /// 3×3 of one channel, as the first layer of a network for grey images.
    FirstConvolution,
    /// One pixel.
    Pointwise,
    /// Windows of any size, a channel each.
    Depthwise,
    /// 3×3, at strides 1 and 2, as most networks have it.
    Depthwise3x3,
    /// To 8 bits.
    Dense,
    /// To 16 bits.
    DenseLogits,
    /// Largest of a window.
    MaxPool,
    /// Mean of a window.
    AveragePool,
    /// Mean or largest of all.
    GlobalPool,
    /// Squeeze and excitation.
    Gate,
    /// Elementwise sum.
    Add,
}

/// How elements are drawn.
#[derive(Clone, Copy)]
enum Fill {
    Uniform,
    Edges,
    Constant(i8),
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Convolution,
        Self::FirstConvolution,
        Self::Pointwise,
        Self::Depthwise,
        Self::Depthwise3x3,
        Self::Dense,
        Self::DenseLogits,
        Self::MaxPool,
        Self::AveragePool,
        Self::GlobalPool,
        Self::Gate,
        Self::Add,
    ];

    /// The trial of `seed`, with weights that `layout` can hold.
    pub fn draw(self, seed: u64, layout: WeightLayout) -> TrialBuilder {
        Draw::new(seed, layout).trial(self)
    }
}

/// The numbers of a layer, whatever its shape.
struct Draw {
    random: Random,
    /// Of input, second input and output.
    zero_points: [i16; 3],
    bounds: (i16, i16),
    shift: u8,
    /// Binary digits by which multipliers exceed what spreads results over the range of a byte; `None` draws them from
    /// the whole range.
    gain: Option<i32>,
    smallest_weight: i8,
}

impl Draw {
    fn new(seed: u64, layout: WeightLayout) -> Self {
        let mut random = Random::new(seed);
        let mut zero_point = || {
            let any = random.between(-128, 127) as i16;
            random.pick(&[-128, 127, any])
        };
        let zero_points = [zero_point(), zero_point(), zero_point()];
        let (a, b) = (random.between(-128, 127) as i16, random.between(-128, 127) as i16);
        let bounds = if random.between(0, 3) > 0 { (-128, 127) } else { (a.min(b), a.max(b)) };
        let last_shift = random.pick(&[40, 40, 40, MAX_SHIFT]);
        let shift = random.between(MIN_SHIFT.into(), last_shift.into()) as u8;
        let gain = (random.between(0, 5) > 0).then(|| random.between(-3, 3) as i32);
        let smallest_weight = if layout.holds_minus_128() { -128 } else { -127 };
        Self { random, zero_points, bounds, shift, gain, smallest_weight }
    }

    fn elements(&mut self, count: usize, smallest: i8) -> Vec<i8> {
        let edges = [Fill::Edges, Fill::Constant(smallest), Fill::Constant(127)];
        let edge = self.random.pick(&edges);
        let fill = if self.random.between(0, 6) < 4 { Fill::Uniform } else { edge };
        let mut element = || match fill {
            Fill::Uniform => (self.random.word() as i8).max(smallest),
            Fill::Edges => self.random.pick(&[smallest, 127]),
            Fill::Constant(value) => value,
        };
        (0..count).map(|_| element()).collect()
    }

    /// A multiplier for sums of `terms` products.
    fn multiplier(&mut self, terms: usize) -> i32 {
        let Some(gain) = self.gain else { return self.random.between(0, i32::MAX.into()) as i32 };
        let spread = 64.0 / (5000.0 * (terms as f64).sqrt());
        (spread * 2_f64.powi(i32::from(self.shift) + gain)) as i32 // saturates
    }

    /// One axis of a window over an input that it fits: size, stride, padding, input.
    fn axis(&mut self, padded: bool) -> (u8, u8, (u8, u8), u16) {
        let size = self.random.between(1, 5) as u8;
        let stride = self.random.between(1, 3) as u8;
        self.axis_of(size, stride, padded)
    }

    fn axis_of(&mut self, size: u8, stride: u8, padded: bool) -> (u8, u8, (u8, u8), u16) {
        let most = if padded { i64::from(size) - 1 } else { 0 };
        let padding = (self.random.between(0, most) as u8, self.random.between(0, most) as u8);
        let needed = size.saturating_sub(padding.0 + padding.1).max(1);
        (size, stride, padding, u16::from(needed) + self.random.size(0, 10))
    }

    /// A window with the height and width of an input.
    fn window(&mut self, kernel: Kernel, padded: bool) -> (Window, (u16, u16)) {
        let (rows, columns) = match kernel {
            Kernel::Depthwise3x3 => {
                let stride = self.random.between(1, 2) as u8;
                (self.axis_of(3, stride, padded), self.axis_of(3, stride, padded))
            }
            Kernel::FirstConvolution => {
                let stride = self.random.between(1, 3) as u8;
                (self.axis_of(3, stride, padded), self.axis_of(3, stride, padded))
            }
            _ => (self.axis(padded), self.axis(padded)),
        };
        let window =
            Window { size: (rows.0, columns.0), stride: (rows.1, columns.1), pad_rows: rows.2, pad_columns: columns.2 };
        (window, (rows.3, columns.3))
    }

    fn trial(&mut self, kernel: Kernel) -> TrialBuilder {
        // Now and then long or wide enough for whatever kernels do in parts.
        let (most_inputs, most_outputs) = self.random.pick(&[(12, 150), (40, 40), (40, 40), (600, 40)]);
        let (inputs, outputs) = (self.random.size(1, most_inputs), self.random.size(1, most_outputs));
        let parameters = Parameters { offset: 0, shift: self.shift, bounds: self.bounds };
        let shift = self.shift;
        let side = |random: &mut Random| random.size(1, 8);
        let (height, width) = (side(&mut self.random), side(&mut self.random));
        match kernel {
            Kernel::Convolution | Kernel::FirstConvolution => {
                let (window, (height, width)) = self.window(kernel, true);
                let operator = Operator::Convolution { window, parameters };
                let inputs = if kernel == Kernel::FirstConvolution { 1 } else { inputs.min(60) };
                self.layer(operator, (height, width, inputs), None, outputs, ElementType::Int8)
            }
            Kernel::Pointwise => {
                let operator = Operator::Convolution { window: Window::square(1, 1, 0), parameters };
                self.layer(operator, (height, width, inputs), None, outputs, ElementType::Int8)
            }
            Kernel::Depthwise | Kernel::Depthwise3x3 => {
                let (window, (height, width)) = self.window(kernel, true);
                let channels = inputs.min(70);
                let operator = Operator::Depthwise { window, parameters };
                self.layer(operator, (height, width, channels), None, channels, ElementType::Int8)
            }
            Kernel::Dense => {
                let operator = Operator::Dense { parameters };
                self.layer(operator, (height.min(3), width.min(3), inputs), None, outputs, ElementType::Int8)
            }
            Kernel::DenseLogits => {
                self.zero_points[2] = 0;
                self.gain = self.gain.map(|gain| gain + 8);
                let (a, b) = (self.random.word() as i16, self.random.word() as i16);
                let bounds = self.random.pick(&[(i16::MIN, i16::MAX), (a.min(b), a.max(b))]);
                let operator = Operator::Dense { parameters: Parameters { bounds, ..parameters } };
                self.layer(operator, (1, 1, inputs), None, outputs, ElementType::Int16)
            }
            Kernel::MaxPool | Kernel::AveragePool | Kernel::GlobalPool => {
                let (mut window, (mut height, mut width)) = self.window(kernel, false);
                if kernel == Kernel::GlobalPool {
                    (height, width) = (self.random.size(1, 16), self.random.size(1, 16));
                    window = Window { size: (height as u8, width as u8), ..Window::square(1, 1, 0) };
                }
                let multiplier = self.multiplier(window.area());
                let average = PoolKind::Average { multiplier, shift };
                let kind = match kernel {
                    Kernel::MaxPool => PoolKind::Max,
                    Kernel::AveragePool => average,
                    _ => self.random.pick(&[PoolKind::Max, average]),
                };
                let channels = inputs.min(70);
                self.layer(
                    Operator::Pool { window, kind },
                    (height, width, channels),
                    None,
                    channels,
                    ElementType::Int8,
                )
            }
            Kernel::Gate => {
                let operator = Operator::Gate { gate: 1, multiplier: self.multiplier(1), shift };
                self.layer(operator, (height, width, outputs), Some((1, 1)), outputs, ElementType::Int8)
            }
            Kernel::Add => {
                let mut multiplier = || self.random.between(0, i64::from(MAX_ADDEND_MULTIPLIER) - 1) as i32;
                let multipliers = (multiplier(), multiplier());
                let shift = self.random.between(1, MAX_ADDITION_SHIFT.into()) as u8;
                let operator = Operator::Add { other: 1, multipliers, shift, bounds: self.bounds };
                self.layer(operator, (height, width, outputs), Some((height, width)), outputs, ElementType::Int8)
            }
        }
    }

    fn layer(
        &mut self,
        operator: Operator,
        (height, width, channels): (u16, u16, u16),
        second: Option<(u16, u16)>,
        outputs: u16,
        element: ElementType,
    ) -> TrialBuilder {
        let tensor = |(height, width), channels, zero_point| Tensor {
            height,
            width,
            channels,
            element: ElementType::Int8,
            zero_point,
            scale: 1.0,
            offset: 0,
        };
        let mut trial = TrialBuilder::new();
        let from = tensor((height, width), channels, self.zero_points[0]);
        let input = trial.input(from, self.elements(from.elements(), -128));
        if let Some(size) = second {
            let second = tensor(size, channels, self.zero_points[1]);
            let elements = self.elements(second.elements(), -128);
            trial.input(second, elements);
        }
        let to_size = match operator {
            Operator::Convolution { window, .. }
            | Operator::Depthwise { window, .. }
            | Operator::Pool { window, .. } => window.output_size(height, width).expect("the window fits"),
            Operator::Dense { .. } => (1, 1),
            Operator::Gate { .. } | Operator::Add { .. } => (height, width),
        };
        let output = trial.tensor(Tensor { element, ..tensor(to_size, outputs, self.zero_points[2]) });
        let layer = Layer { operator, input, output };
        let sizes = trial.graph().parameter_sizes(&layer);
        let (channels, weights) = sizes.map_or((0, 0), |sizes| (sizes.channels, sizes.weights));
        let largest = self.random.pick(&[3000, 3000, 3000, 3000, MAX_BIAS]);
        let mut bias = || {
            let (edge, between) = (self.random.pick(&[-largest, largest]), self.random.between(-largest, largest));
            self.random.pick(&[edge, between]) as i32
        };
        let bias: Vec<i32> = (0..channels).map(|_| bias()).collect();
        let terms = weights.checked_div(channels).unwrap_or(1);
        let multipliers: Vec<i32> = (0..channels).map(|_| self.multiplier(terms)).collect();
        let weights = self.elements(weights, self.smallest_weight);
        trial.layer(layer, &LayerParameters { bias: &bias, multipliers: &multipliers, weights: &weights });
        trial
    }
}
