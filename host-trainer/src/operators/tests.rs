use burn::module::{Module, Param, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::{AdamWConfig, Optimizer};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::planes::{average_by_burn, gate_by_burn};
use super::*;
use crate::tensors::floats;

/// Windows that differ in everything, the network's own among them, on planes that do not fill a vector.
const CASES: [(Window, usize, usize); 9] = [
    (Window { size: 3, stride: 1, padding: 1 }, 8, 8),
    (Window { size: 3, stride: 2, padding: 1 }, 8, 8),
    (Window { size: 3, stride: 2, padding: 1 }, 7, 33),
    (Window { size: 3, stride: 1, padding: 0 }, 5, 40),
    (Window { size: 5, stride: 1, padding: 2 }, 6, 9),
    (Window { size: 5, stride: 3, padding: 2 }, 11, 10),
    (Window { size: 1, stride: 2, padding: 0 }, 9, 6),
    (Window { size: 2, stride: 2, padding: 0 }, 6, 4),
    (Window { size: 8, stride: 1, padding: 0 }, 8, 8),
];

fn device() -> Device {
    Device::flex().autodiff()
}

/// Values between −1 and 1 that depend on `seed`, none of them zero.
fn values<const D: usize>(shape: [usize; D], seed: usize) -> Tensor<D> {
    let value = |at: usize| ((at * 2_654_435_761 + seed * 40_503) % 2003) as f32 / 1001.3 - 1.0;
    let values = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// Gradients of `result` weighted in a way that treats every element differently.
fn backward(result: &Tensor<4>) -> Gradients {
    (result.clone() * values(result.dims(), 99)).sum().backward()
}

fn assert_close<const D: usize>(ours: Tensor<D>, burns: Tensor<D>, what: &str) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    let (ours, burns) = (floats(ours), floats(burns));
    let largest = burns.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    for (at, (a, b)) in ours.iter().zip(&burns).enumerate() {
        assert!((a - b).abs() <= 2e-5 * largest, "{what}, element {at}: {a}, Burn has {b}");
    }
}

type Convolution = fn(Tensor<4>, Tensor<4>, Window) -> Tensor<4>;

/// Over all channels.
fn whole_by_burn(input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    by_burn(input, weight, window, 1)
}

fn check_convolution(ours: Convolution, burns: Convolution, weight_shape: impl Fn(usize) -> [usize; 4]) {
    for (window, height, width) in CASES {
        let input = values([6, 3, height, width], 1).require_grad();
        let weight = values(weight_shape(window.size), 2).require_grad();
        let [ours, burns] = [ours, burns].map(|compute| {
            let result = compute(input.clone(), weight.clone(), window);
            let gradients = backward(&result);
            (result, input.grad(&gradients).unwrap(), weight.grad(&gradients).unwrap())
        });
        assert_close(ours.0, burns.0, &format!("result, {window:?}"));
        assert_close(ours.1, burns.1, &format!("gradient of the input, {window:?}"));
        assert_close(ours.2, burns.2, &format!("gradient of the weight, {window:?}"));
    }
}

#[test]
fn depthwise_is_burns_convolution_with_a_group_a_channel() {
    check_convolution(depthwise, |input, weight, window| by_burn(input, weight, window, 6), |size| [6, 1, size, size]);
}

#[test]
fn convolve_is_burns_convolution() {
    check_convolution(convolve, whole_by_burn, |size| [5, 6, size, size]);
}

/// Also where places are many enough to be summed in parts.
#[test]
fn a_point_is_burns_convolution() {
    for shape in [[6, 3, 4, 5], [6, 32, 8, 8], [6, 5, 1, 1]] {
        let input = values(shape, 1).require_grad();
        let weight = values([7, 6, 1, 1], 2).require_grad();
        let [ours, burns] = [convolve as Convolution, whole_by_burn].map(|compute| {
            let result = compute(input.clone(), weight.clone(), Window::POINT);
            let gradients = backward(&result);
            [result, input.grad(&gradients).unwrap(), weight.grad(&gradients).unwrap()]
        });
        for (ours, burns) in ours.into_iter().zip(burns) {
            assert_close(ours, burns, "1×1");
        }
    }
}

#[test]
fn planes_are_averaged_and_gated_as_burn_does_it() {
    let input = values([6, 3, 5, 7], 1).require_grad();
    let gates = values([6, 3, 1, 1], 2).require_grad();
    let [ours, burns] = [(gate as fn(_, _) -> _, global_average as fn(_) -> _), (gate_by_burn, average_by_burn)].map(
        |(gate, average)| {
            let result = gate(input.clone(), gates.clone() + average(input.clone()));
            let gradients = backward(&result);
            [result, input.grad(&gradients).unwrap(), gates.grad(&gradients).unwrap()]
        },
    );
    for (ours, burns) in ours.into_iter().zip(burns) {
        assert_close(ours, burns, "planes");
    }
}

#[test]
fn a_bias_is_added_as_burn_does_it() {
    for relu in [false, true] {
        let input = values([6, 3, 5, 7], 1).require_grad();
        let bias = values([6], 2).require_grad();
        let [ours, burns] = [add_bias as fn(_, _, _) -> _, normalization::bias_by_burn].map(|compute| {
            let result: Tensor<4> = compute(input.clone(), bias.clone(), relu);
            let gradients = backward(&result);
            (result, input.grad(&gradients).unwrap(), bias.grad(&gradients).unwrap())
        });
        assert_close(ours.0, burns.0, "result");
        assert_close(ours.1, burns.1, "gradient of the input");
        assert_close(ours.2, burns.2, "gradient of the bias");
    }
}

#[test]
fn fake_quantisation_is_burns_with_the_gradient_of_its_scale() {
    // The bounds cut on both sides.
    let input = values([6, 30, 11, 13], 1).require_grad();
    let scale = Tensor::<1>::from_data([0.0123], &device()).require_grad();
    let bounds = || [-31.0, 60.0].map(|bound| Tensor::<1>::from_data([bound], &device()));
    let [ours, burns] = [fake_quantize as fn(_, _, _) -> _, quantization::by_burn].map(|compute| {
        let result: Tensor<4> = compute(input.clone(), scale.clone(), bounds());
        let gradients = backward(&result);
        (result, input.grad(&gradients).unwrap(), scale.grad(&gradients).unwrap())
    });
    assert_eq!(floats(ours.0), floats(burns.0));
    assert_close(ours.1, burns.1, "gradient of the values");
    assert_close(ours.2, burns.2, "gradient of the scale");
    let found = floats(extremes(input.clone()));
    assert_eq!(found, [floats(input.clone().min())[0], floats(input.max())[0]]);
}

#[test]
fn adamw_is_burns() {
    let device = Device::flex();
    let burns = AdamWConfig::new().with_beta_1(0.8).with_beta_2(0.95).with_epsilon(1e-4).with_weight_decay(0.1).build();
    let ours = FusedAdamW::new(0.8, 0.95, 1e-4, 0.1);
    let start = || values([7, 6], 1).inner();
    let (mut a, mut b) = ((start(), None), (start(), None));
    for step in 0..5 {
        let gradient = || values([7, 6], step).inner().to_device(&device);
        a = Optimizer::step(&ours, 0.01, a.0, gradient(), a.1);
        b = Optimizer::step(&burns, 0.01, b.0, gradient(), b.1);
    }
    assert_close(a.0, b.0, "weights");
    let (a, b) = (a.1.unwrap().momentum, b.1.unwrap().momentum);
    assert_eq!((a.time, b.time), (5, 5));
    assert_close(a.moment_1, b.moment_1, "first moments");
    assert_close(a.moment_2, b.moment_2, "second moments");
}

#[test]
fn without_automatic_differentiation_the_result_is_the_same() {
    let (window, height, width) = CASES[2];
    let (input, weight) = (values([6, 3, height, width], 1), values([6, 1, 3, 3], 2));
    let plain = depthwise(input.clone().inner(), weight.clone().inner(), window);
    assert_eq!(floats(plain), floats(depthwise(input.clone(), weight, window)));
    let weight = values([5, 6, 3, 3], 2);
    let plain = convolve(input.clone().inner(), weight.clone().inner(), window);
    assert_eq!(floats(plain), floats(convolve(input, weight, window)));
}

/// Batch normalisation of 6 channels with parameters and averages that are no defaults.
fn norm() -> BatchNorm {
    let mut norm = BatchNormConfig::new(6).init(&device());
    norm.gamma = Param::from_tensor(values([6], 3));
    norm.beta = Param::from_tensor(values([6], 4));
    norm.running_mean = RunningState::new(values([6], 5));
    norm.running_var = RunningState::new(values([6], 6).abs());
    norm
}

#[test]
fn batch_norm_is_burns_gradients_and_averages_included() {
    for relu in [false, true] {
        for shape in [[6, 3, 5, 7], [6, 1, 1, 1], [6, 40, 8, 8]] {
            // Far from zero: a variance as a difference of large numbers would show.
            let input = (values(shape, 1) * 3.0 + 20.0).require_grad();
            let of = |compute: fn(Tensor<4>, &BatchNorm, bool) -> Tensor<4>| {
                let norm = norm();
                let result = compute(input.clone(), &norm, relu);
                let gradients = backward(&result);
                let of_parameters = [&norm.gamma, &norm.beta].map(|value| value.val().grad(&gradients).unwrap());
                let averages = [norm.running_mean.value_sync(), norm.running_var.value_sync()];
                (result, input.grad(&gradients).unwrap(), of_parameters, averages)
            };
            let (ours, burns) = (of(batch_norm), of(normalization::by_burn));
            assert_close(ours.0, burns.0, "result");
            assert_close(ours.1, burns.1, "gradient of the input");
            for (ours, burns) in ours.2.into_iter().zip(burns.2) {
                assert_close(ours, burns, "gradients of gamma and beta");
            }
            for (ours, burns) in ours.3.into_iter().zip(burns.3) {
                assert_close(ours, burns, "averages");
            }
        }
    }
}

#[test]
fn evaluation_normalises_by_the_averages() {
    let norm = norm().valid();
    let input = values([6, 3, 5, 7], 1).inner();
    for relu in [false, true] {
        let ours = batch_norm(input.clone(), &norm, relu);
        assert_close(ours, normalization::by_burn(input.clone(), &norm, relu), "evaluation");
    }
}

#[test]
fn what_is_not_a_number_stays_none() {
    let norm = norm().valid();
    let input = Tensor::<4>::full([6, 1, 1, 1], f32::NAN, &Device::flex());
    assert!(floats(batch_norm(input, &norm, true)).iter().all(|value| value.is_nan()));
}
