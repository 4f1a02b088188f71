//! Every kernel against the oracle, byte for byte, on random shapes and numbers at and away from the edges.

use fude_runtime::graph::{ElementType, Graph, Layer, Operator, Parameters, PoolKind, Tensor, Window};
use fude_runtime::kernels::arch::Active;
use fude_runtime::kernels::{self, View, oracle};
use fude_runtime::limits::{MAX_FAN_IN, MAX_TOP_K};
use fude_runtime::package::LayerParameters;
use fude_runtime::quant::{Addition, MAX_ADDEND_MULTIPLIER, MAX_ADDITION_SHIFT, MAX_SHIFT, MIN_SHIFT};
use proptest::prelude::*;

use crate::models::{INT8, Random, to_bytes};

const MAX_BIAS: i32 = (1 << 30) - 1;

/// How the elements of a tensor or of weights are drawn.
#[derive(Debug, Clone, Copy)]
enum Fill {
    Uniform,
    Edges,
    Constant(i8),
}

impl Fill {
    fn elements(self, random: &mut Random, count: usize) -> Vec<i8> {
        let mut element = || match self {
            Self::Uniform => random.word() as i8,
            Self::Edges => random.pick(&[-128, 127]),
            Self::Constant(value) => value,
        };
        (0..count).map(|_| element()).collect()
    }
}

fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        4 => Just(Fill::Uniform),
        1 => Just(Fill::Edges),
        1 => Just(Fill::Constant(-128)),
        1 => Just(Fill::Constant(127)),
    ]
}

/// The numbers of a layer, whatever its shape.
#[derive(Debug, Clone)]
struct Numbers {
    seed: u64,
    input: Fill,
    weights: Fill,
    /// Of input, second input and output.
    zero_points: [i16; 3],
    bounds: (i16, i16),
    shift: u8,
    /// Binary digits by which multipliers exceed what spreads results over the range of a byte; `None` draws
    /// them from the whole range.
    gain: Option<i32>,
    largest_bias: i32,
}

fn zero_point() -> impl Strategy<Value = i16> {
    prop_oneof![Just(-128_i16), Just(127), -128..=127_i16]
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let bounds = prop_oneof![
        3 => Just(INT8),
        1 => (-128..=127_i16, -128..=127_i16).prop_map(|(a, b)| (a.min(b), a.max(b))),
    ];
    let shift = prop_oneof![3 => MIN_SHIFT..=40, 1 => MIN_SHIFT..=MAX_SHIFT];
    let gain = prop_oneof![5 => (-3..=3).prop_map(Some), 1 => Just(None)];
    let largest_bias = prop_oneof![4 => Just(3000), 1 => Just(MAX_BIAS)];
    let zero_points = [zero_point().boxed(), zero_point().boxed(), zero_point().boxed()];
    (any::<u64>(), fill(), fill(), zero_points, bounds, shift, gain, largest_bias).prop_map(
        |(seed, input, weights, zero_points, bounds, shift, gain, largest_bias)| Numbers {
            seed,
            input,
            weights,
            zero_points,
            bounds,
            shift,
            gain,
            largest_bias,
        },
    )
}

impl Numbers {
    fn parameters(&self) -> Parameters {
        Parameters { offset: 0, shift: self.shift, bounds: self.bounds }
    }

    /// A multiplier for sums of `terms` products.
    fn multiplier(&self, random: &mut Random, terms: usize) -> i32 {
        let Some(gain) = self.gain else { return random.between(0, i32::MAX.into()) as i32 };
        let spread = 64.0 / (5000.0 * (terms as f64).sqrt());
        (spread * 2_f64.powi(i32::from(self.shift) + gain)) as i32 // saturates
    }
}

type Shape = (u16, u16, u16);

fn tensor((height, width, channels): Shape, zero_point: i16) -> Tensor {
    Tensor { height, width, channels, element: ElementType::Int8, zero_point, scale: 1.0, offset: 0 }
}

/// Runs one layer by its kernel and by the oracle and compares the bytes.
fn compare(
    operator: Operator,
    shapes: [Shape; 3],
    element: ElementType,
    numbers: &Numbers,
) -> Result<(), TestCaseError> {
    let mut random = Random(numbers.seed);
    let [from, second, to] = [0, 1, 2].map(|index| tensor(shapes[index], numbers.zero_points[index]));
    let to = Tensor { element, ..to };
    let mut graph = Graph::default();
    graph.tensors.extend([from, second, to]);
    let layer = Layer { operator, input: 0, output: 2 };

    let sizes = graph.parameter_sizes(&layer);
    let (channels, weights) = sizes.map_or((0, 0), |sizes| (sizes.channels, sizes.weights));
    let bias: Vec<i32> = (0..channels)
        .map(|_| {
            let largest = i64::from(numbers.largest_bias);
            let edge = random.pick(&[-largest, largest]);
            let between = random.between(-largest, largest);
            random.pick(&[edge, between]) as i32
        })
        .collect();
    let terms = weights.checked_div(channels).unwrap_or(1);
    let multipliers: Vec<i32> = (0..channels).map(|_| numbers.multiplier(&mut random, terms)).collect();
    let weights = numbers.weights.elements(&mut random, weights);
    let parameters = LayerParameters { bias: &bias, multipliers: &multipliers, weights: &weights };
    let input = numbers.input.elements(&mut random, from.elements());
    let other = numbers.weights.elements(&mut random, second.elements());

    let view = View { tensor: &from, data: &input };
    let mut output = vec![0_i8; to.bytes()];
    match operator {
        Operator::Convolution { window, parameters: p } => {
            let rule = kernels::requantization(&p, &to);
            let mut patches = vec![0; graph.scratch_bytes(&layer)];
            kernels::convolution::<Active>(view, window, &parameters, rule, (&to, &mut output), &mut patches);
        }
        Operator::Depthwise { window, parameters: p } => {
            let rule = kernels::requantization(&p, &to);
            kernels::depthwise::<Active>(view, window, &parameters, rule, (&to, &mut output));
        }
        Operator::Dense { parameters: p } => {
            let rule = kernels::requantization(&p, &to);
            let output = bytemuck::cast_slice_mut(&mut output);
            kernels::dense::<Active>(&input, &parameters, rule, to.element, output);
        }
        Operator::Pool { window, kind } => kernels::pool(view, window, kind, (&to, &mut output)),
        Operator::Gate { multiplier, shift, .. } => {
            output.copy_from_slice(&input);
            let rule = kernels::plain_requantization(shift, &to);
            let gate = View { tensor: &second, data: &other };
            kernels::gate(&mut output, from.zero_point.into(), gate, multiplier, rule);
        }
        Operator::Add { multipliers, shift, bounds, .. } => {
            output.copy_from_slice(&input);
            let rule = Addition {
                input_zero_points: [from.zero_point.into(), second.zero_point.into()],
                multipliers: [multipliers.0, multipliers.1],
                shift,
                zero_point: to.zero_point.into(),
                min: bounds.0.into(),
                max: bounds.1.into(),
            };
            kernels::add(&mut output, &other, rule);
        }
    }

    let widen = |elements: &[i8]| elements.iter().map(|&element| i32::from(element)).collect::<Vec<i32>>();
    let truth = oracle::layer(&graph, &layer, &parameters, &widen(&input), &widen(&other));
    prop_assert_eq!(bytemuck::cast_slice::<i8, u8>(&output), to_bytes(&truth, element));
    Ok(())
}

/// One axis of a window over an input it fits: size, stride, padding, input.
fn axis(padded: bool) -> impl Strategy<Value = (u8, u8, (u8, u8), u16)> {
    (1..=5_u8, 1..=3_u8, 0..7_u16).prop_flat_map(move |(size, stride, extra)| {
        let padding = if padded { 0..size } else { 0..1 };
        (Just(size), Just(stride), (padding.clone(), padding), Just(extra)).prop_map(
            |(size, stride, padding, extra)| {
                let needed = size.saturating_sub(padding.0 + padding.1).max(1);
                (size, stride, padding, u16::from(needed) + extra)
            },
        )
    })
}

/// A window with the height and width of an input and of the output.
fn window(padded: bool) -> impl Strategy<Value = (Window, [(u16, u16); 2])> {
    (axis(padded), axis(padded)).prop_map(|(rows, columns)| {
        let window =
            Window { size: (rows.0, columns.0), stride: (rows.1, columns.1), pad_rows: rows.2, pad_columns: columns.2 };
        let output = window.output_size(rows.3, columns.3).expect("the window fits");
        (window, [(rows.3, columns.3), output])
    })
}

const NONE: Shape = (1, 1, 1);

proptest! {
    #![proptest_config(crate::cases(600))]

    #[test]
    fn convolution((window, [from, to]) in window(true), inputs in 1..=40_u16, outputs in 1..=40_u16, n in numbers()) {
        let operator = Operator::Convolution { window, parameters: n.parameters() };
        compare(operator, [(from.0, from.1, inputs), NONE, (to.0, to.1, outputs)], ElementType::Int8, &n)?;
    }

    #[test]
    fn pointwise(side in 1..=6_u16, inputs in 1..=40_u16, outputs in 1..=40_u16, n in numbers()) {
        let operator = Operator::Convolution { window: Window::square(1, 1, 0), parameters: n.parameters() };
        compare(operator, [(side, 3, inputs), NONE, (side, 3, outputs)], ElementType::Int8, &n)?;
    }

    #[test]
    fn depthwise((window, [from, to]) in window(true), channels in 1..=70_u16, n in numbers()) {
        let operator = Operator::Depthwise { window, parameters: n.parameters() };
        compare(operator, [(from.0, from.1, channels), NONE, (to.0, to.1, channels)], ElementType::Int8, &n)?;
    }

    #[test]
    fn dense(side in 1..=4_u16, inputs in 1..=40_u16, outputs in 1..=40_u16, n in numbers()) {
        let operator = Operator::Dense { parameters: n.parameters() };
        compare(operator, [(side, 2, inputs), NONE, (1, 1, outputs)], ElementType::Int8, &n)?;
    }

    #[test]
    fn dense_to_16_bits(
        inputs in 1..=80_u16, outputs in 1..=40_u16, n in numbers(), narrowed: bool, low: i16, high: i16,
    ) {
        let bounds = if narrowed { (low.min(high), low.max(high)) } else { (i16::MIN, i16::MAX) };
        let [a, b, _] = n.zero_points;
        // Spread over 16 bits instead of 8, whose zero point is 0.
        let gain = n.gain.map(|gain| gain + 8);
        let n = Numbers { bounds, zero_points: [a, b, 0], gain, ..n };
        let operator = Operator::Dense { parameters: n.parameters() };
        compare(operator, [(1, 1, inputs), NONE, (1, 1, outputs)], ElementType::Int16, &n)?;
    }

    #[test]
    fn max_pool((window, [from, to]) in window(false), channels in 1..=40_u16, n in numbers()) {
        let operator = Operator::Pool { window, kind: PoolKind::Max };
        compare(operator, [(from.0, from.1, channels), NONE, (to.0, to.1, channels)], ElementType::Int8, &n)?;
    }

    #[test]
    fn average_pool((window, [from, to]) in window(false), channels in 1..=70_u16, n in numbers()) {
        let multiplier = n.multiplier(&mut Random(n.seed), window.area());
        let operator = Operator::Pool { window, kind: PoolKind::Average { multiplier, shift: n.shift } };
        compare(operator, [(from.0, from.1, channels), NONE, (to.0, to.1, channels)], ElementType::Int8, &n)?;
    }

    #[test]
    fn global_pool(rows in 1..=16_u8, columns in 1..=16_u8, channels in 1..=70_u16, n in numbers(), mean: bool) {
        let window = Window { size: (rows, columns), ..Window::square(1, 1, 0) };
        let multiplier = n.multiplier(&mut Random(n.seed), window.area());
        let kind = if mean { PoolKind::Average { multiplier, shift: n.shift } } else { PoolKind::Max };
        let from = (rows.into(), columns.into(), channels);
        compare(Operator::Pool { window, kind }, [from, NONE, (1, 1, channels)], ElementType::Int8, &n)?;
    }

    #[test]
    fn gate(height in 1..=6_u16, width in 1..=6_u16, channels in 1..=40_u16, n in numbers()) {
        let operator = Operator::Gate { gate: 1, multiplier: n.multiplier(&mut Random(n.seed), 1), shift: n.shift };
        let shape = (height, width, channels);
        compare(operator, [shape, (1, 1, channels), shape], ElementType::Int8, &n)?;
    }

    #[test]
    fn add(
        height in 1..=6_u16, width in 1..=6_u16, channels in 1..=40_u16, n in numbers(),
        left in 0..MAX_ADDEND_MULTIPLIER, right in 0..MAX_ADDEND_MULTIPLIER, shift in 1..=MAX_ADDITION_SHIFT,
    ) {
        let operator = Operator::Add { other: 1, multipliers: (left, right), shift, bounds: n.bounds };
        let shape = (height, width, channels);
        compare(operator, [shape; 3], ElementType::Int8, &n)?;
    }

    #[test]
    fn top_k(scores in prop::collection::vec(prop_oneof![any::<i16>(), -2..=2_i16, Just(i16::MIN)], 0..60), k in 0..20_usize, wide: bool) {
        let element = if wide { ElementType::Int16 } else { ElementType::Int8 };
        let scores: Vec<i32> = scores.iter().map(|&score| if wide { score.into() } else { (score as i8).into() }).collect();
        let answers = kernels::top_k(&to_bytes(&scores, element), element, k);
        let mut classes: Vec<usize> = (0..scores.len()).collect();
        classes.sort_by_key(|&class| -scores[class]); // stable: the lower index first among equals
        classes.truncate(k.min(MAX_TOP_K));
        let found: Vec<usize> = answers.iter().map(|answer| usize::from(answer.class)).collect();
        prop_assert_eq!(found, classes);
        prop_assert!(answers.iter().all(|answer| i32::from(answer.score) == scores[usize::from(answer.class)]));
    }
}

/// The longest sum of the largest products on top of the largest bias: one below the end of an `i32`.
#[test]
fn accumulators_reach_the_ends_of_32_bits() {
    let numbers = Numbers {
        seed: 0,
        input: Fill::Constant(-128),
        weights: Fill::Constant(-128),
        zero_points: [-128, 0, 0],
        bounds: (i16::MIN, i16::MAX),
        shift: 45,
        gain: None,
        largest_bias: MAX_BIAS,
    };
    let dense = Operator::Dense { parameters: numbers.parameters() };
    let dense_shapes = [(64, 64, (MAX_FAN_IN / 4096) as u16), NONE, (1, 1, 7)];
    let window = Window { size: (4, 4), stride: (1, 1), pad_rows: (3, 0), pad_columns: (0, 3) };
    let bounds = Numbers { bounds: INT8, ..numbers.clone() };
    let convolution = Operator::Convolution { window, parameters: bounds.parameters() };
    let convolution_shapes = [(4, 4, (MAX_FAN_IN / 16) as u16), NONE, (4, 4, 3)];
    for seed in 0..4 {
        for weights in [-128, 127] {
            let vary = |n: &Numbers| Numbers { seed, weights: Fill::Constant(weights), ..n.clone() };
            compare(dense, dense_shapes, ElementType::Int16, &vary(&numbers)).expect("dense");
            compare(convolution, convolution_shapes, ElementType::Int8, &vary(&bounds)).expect("convolution");
        }
    }
}

/// Results at both ends are not an accident of the cases above: saturate on purpose.
#[test]
fn results_saturate_at_both_ends() {
    let (from, to) = (tensor((1, 1, 3), 0), tensor((1, 1, 2), 0));
    let weights = [127, 127, 127, -128, -128, -128];
    let parameters = LayerParameters { bias: &[0, 0], multipliers: &[i32::MAX; 2], weights: &weights };
    for (bounds, expected) in [(INT8, [127, -128]), ((-3, 90), [90, -3])] {
        let rule = kernels::requantization(&Parameters { offset: 0, shift: MIN_SHIFT, bounds }, &to);
        let mut output = [0; 2];
        let view = View { tensor: &from, data: &[127; 3] };
        kernels::convolution::<Active>(view, Window::square(1, 1, 0), &parameters, rule, (&to, &mut output), &mut []);
        assert_eq!(output, expected);
    }
}
