use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::AdamWConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::*;
use crate::model::{Activation, Architecture, Mode, Operation, Preset};
use crate::tensors::{floats, glyph_tensor};

const SIDE: usize = 8;

/// Two layers with biases: without batch normalisation, whose statistics depend on how samples are batched.
fn network(device: &Device) -> Network {
    let layer = |channels, size, stride, activation| Operation::Convolution {
        channels,
        size,
        stride,
        padding: 0,
        batch_norm: false,
        activation,
    };
    let mut architecture = Architecture::new(SIDE);
    let features = architecture.push(0, layer(6, 3, 2, Activation::Relu));
    let pooled = architecture.push(features, Operation::GlobalAverage);
    architecture.push(pooled, layer(3, 1, 1, Activation::Linear));
    device.seed(5);
    Network::new(architecture, device).train()
}

/// Gradients of the mean loss of glyphs `first..last`, which are the same in every test.
fn gradients(network: &Network, glyphs: std::ops::Range<usize>, device: &Device) -> GradientsParams {
    let pixels: Vec<u8> =
        glyphs.clone().flat_map(|glyph| (0..SIDE * SIDE).map(move |at| (glyph * 83 + at * at * 7) as u8)).collect();
    let labels: Vec<i32> = glyphs.map(|glyph| (glyph % 3) as i32).collect();
    let count = labels.len();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [count]), device);
    let logits = network.forward(glyph_tensor(&pixels, SIDE, device), Mode::Float);
    let loss = CrossEntropyLossConfig::new().init(device).forward(logits, labels);
    GradientsParams::from_grads(loss.backward(), network)
}

/// All gradients of the network above, in the order of the layers.
fn values(gradients: &GradientsParams, network: &Network) -> Vec<f32> {
    let of = |layer: &crate::model::Layer| {
        let weight = gradients.get::<4>(layer.weight.id).map(floats).unwrap();
        let bias = gradients.get::<1>(layer.bias.as_ref().unwrap().id).map(floats).unwrap();
        [weight, bias].concat()
    };
    network.layers.iter().flat_map(of).collect()
}

fn weights_of(network: &Network) -> Vec<f32> {
    let of = |layer: &crate::model::Layer| {
        let mut values = floats(layer.weight.val());
        values.extend(layer.bias.iter().flat_map(|bias| floats(bias.val())));
        values.extend(layer.norm.iter().flat_map(|norm| floats(norm.gamma.val())));
        values
    };
    network.layers.iter().flat_map(of).collect()
}

fn norm(values: &[f32]) -> f32 {
    values.iter().map(|value| value * value).sum::<f32>().sqrt()
}

#[track_caller]
fn assert_close(left: &[f32], right: &[f32], tolerance: f32) {
    assert_eq!(left.len(), right.len());
    let largest = right.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = left.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference <= tolerance * largest, "differ by {difference} of {largest}");
}

/// The weights after three steps.
fn trained(mut optimizer: ModuleOptimizer) -> Vec<f32> {
    let device = Device::flex().autodiff();
    let mut network = network(&device);
    for step in 0..3 {
        let gradients = gradients(&network, step..step + 4, &device);
        network = optimizer.step(0.01, network, gradients);
    }
    weights_of(&network)
}

#[test]
fn the_default_is_burns_adamw() {
    let burns = trained(AdamWConfig::new().with_weight_decay(0.02).init());
    let built = trained(OptimizerSettings::default().build(WeightDecay { rate: 0.02, weights_only: false }));
    // One pass rounds otherwise than many.
    assert!(built.iter().zip(&burns).all(|(ours, burns)| (ours - burns).abs() < 1e-6), "{built:?}, {burns:?}");
}

#[test]
fn every_number_of_an_optimiser_has_an_effect() {
    let run = |settings: OptimizerSettings, rate| trained(settings.build(WeightDecay { rate, weights_only: false }));
    let adam = |beta_1, beta_2, epsilon| run(OptimizerSettings::AdamW { beta_1, beta_2, epsilon }, 0.0);
    let sgd = |momentum, nesterov| run(OptimizerSettings::Sgd { momentum, nesterov }, 0.0);
    let results = [
        adam(0.9, 0.999, 1e-5),
        adam(0.8, 0.999, 1e-5),
        adam(0.9, 0.9, 1e-5),
        adam(0.9, 0.999, 1e-2),
        run(OptimizerSettings::default(), 0.5),
        sgd(0.9, false),
        sgd(0.9, true),
        sgd(0.0, false),
        run(OptimizerSettings::Sgd { momentum: 0.9, nesterov: false }, 0.5),
    ];
    for (index, result) in results.iter().enumerate() {
        assert!(results[index + 1..].iter().all(|other| other != result), "optimiser {index} has a twin");
    }
}

/// v ← 0.9·v + g, w ← w − 0.01·v, or with Nesterov's look ahead w ← w − 0.01·(g + 0.9·v): PyTorch's rule, undamped.
#[test]
fn momentum_follows_its_formula() {
    for nesterov in [false, true] {
        let settings = OptimizerSettings::Sgd { momentum: 0.9, nesterov };
        let device = Device::flex().autodiff();
        let mut network = network(&device);
        let mut optimizer = settings.build(WeightDecay::default());
        let mut expected = weights_of(&network);
        let mut velocity = vec![0.0; expected.len()];
        for step in 0..3 {
            let gradients = gradients(&network, step..step + 4, &device);
            let values = values(&gradients, &network);
            network = optimizer.step(0.01, network, gradients);
            for ((weight, velocity), gradient) in expected.iter_mut().zip(&mut velocity).zip(values) {
                *velocity = 0.9 * *velocity + gradient;
                *weight -= 0.01 * if nesterov { gradient + 0.9 * *velocity } else { *velocity };
            }
        }
        assert_close(&weights_of(&network), &expected, 1e-6);
    }
}

/// A gradient of zero leaves weight decay alone at work.
#[test]
fn decay_of_weights_only_spares_biases_and_norms() {
    for settings in [OptimizerSettings::default(), OptimizerSettings::Sgd { momentum: 0.9, nesterov: false }] {
        for weights_only in [false, true] {
            let device = Device::flex().autodiff();
            let mut network = Network::new(Preset::Nano.architecture(3), &device).train();
            let before = network.clone();
            let mut gradients = GradientsParams::new();
            for layer in &network.layers {
                let plain = |tensor: Tensor<1>| Tensor::<1>::zeros(tensor.dims(), &Device::flex());
                gradients.register(layer.weight.id, Tensor::<4>::zeros(layer.weight.val().dims(), &Device::flex()));
                if let Some(norm) = &layer.norm {
                    gradients.register(norm.gamma.id, plain(norm.gamma.val()));
                }
            }
            network = settings.build(WeightDecay { rate: 0.5, weights_only }).step(0.1, network, gradients);
            for (layer, old) in network.layers.iter().zip(&before.layers) {
                let shrunk: Vec<f32> = floats(old.weight.val()).iter().map(|weight| weight * 0.95).collect();
                assert_close(&floats(layer.weight.val()), &shrunk, 1e-6);
                if let Some(norm) = &layer.norm {
                    let expected = if weights_only { 1.0 } else { 0.95 };
                    assert!(floats(norm.gamma.val()).iter().all(|gamma| (gamma - expected).abs() < 1e-6));
                }
            }
        }
    }
}

/// A run that is resumed with groups of parameters decays the same ones as before.
#[test]
fn an_optimiser_with_groups_resumes_to_the_bit() {
    let device = Device::flex().autodiff();
    let decay = WeightDecay { rate: 0.5, weights_only: true };
    let build = || OptimizerSettings::default().build(decay);
    let step = |optimizer: &mut ModuleOptimizer, network: Network, at: usize| {
        let gradients = gradients(&network, at..at + 4, &device);
        optimizer.step(0.01, network, gradients)
    };
    let mut optimizer = build();
    let network = step(&mut optimizer, network(&device), 0);
    let mut resumed = build().from_bytes(optimizer.into_bytes().unwrap()).unwrap();
    let straight = step(&mut optimizer, network.clone(), 4);
    assert_eq!(weights_of(&step(&mut resumed, network, 4)), weights_of(&straight));
}

#[test]
fn the_norm_is_that_of_all_gradients_together() {
    let device = Device::flex().autodiff();
    let network = network(&device);
    let before = values(&gradients(&network, 0..4, &device), &network);
    let limit = norm(&before) / 4.0;
    let after = values(&clip_by_norm(gradients(&network, 0..4, &device), &network, limit), &network);
    assert_close(&after, &before.iter().map(|value| value / 4.0).collect::<Vec<_>>(), 1e-5);
    assert!((norm(&after) - limit).abs() < 1e-5 * limit);
    // Below the limit not a bit changes.
    let limit = norm(&before) * 1.01;
    assert_eq!(values(&clip_by_norm(gradients(&network, 0..4, &device), &network, limit), &network), before);
}

#[test]
fn gradients_of_zero_are_not_divided_by_their_norm() {
    let device = Device::flex().autodiff();
    let network = network(&device);
    let mut gradients = GradientsParams::new();
    let id = network.layers[0].weight.id;
    gradients.register(id, Tensor::<4>::zeros(network.layers[0].weight.val().dims(), &Device::flex()));
    let clipped = clip_by_norm(gradients, &network, 1.0);
    assert!(clipped.get::<4>(id).map(floats).unwrap().iter().all(|&value| value == 0.0));
}

#[test]
fn clipping_by_value_touches_what_exceeds_the_limit_alone() {
    let device = Device::flex().autodiff();
    let network = network(&device);
    let before = values(&gradients(&network, 0..4, &device), &network);
    let limit = before.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / 2.0;
    let after = values(&clip_by_value(gradients(&network, 0..4, &device), &network, limit), &network);
    let clamped: Vec<f32> = before.iter().map(|value| value.clamp(-limit, limit)).collect();
    assert_eq!(after, clamped);
    assert_ne!(after, before);
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let device = Device::flex().autodiff();
    let network = network(&device);
    let whole = values(&gradients(&network, 0..12, &device), &network);
    let mut accumulator = GradientAccumulator::new(3);
    // Twice: what is held must be gone after a batch.
    for _ in 0..2 {
        assert!(accumulator.add(&network, gradients(&network, 0..4, &device)).is_none());
        assert!(accumulator.add(&network, gradients(&network, 4..8, &device)).is_none());
        let sum = accumulator.add(&network, gradients(&network, 8..12, &device)).unwrap();
        assert_close(&values(&sum, &network), &whole, 1e-5);
    }
}

#[test]
fn one_micro_batch_passes_untouched() {
    let device = Device::flex().autodiff();
    let network = network(&device);
    let expected = values(&gradients(&network, 0..4, &device), &network);
    let passed = GradientAccumulator::new(1).add(&network, gradients(&network, 0..4, &device)).unwrap();
    assert_eq!(values(&passed, &network), expected);
}

#[test]
fn numbers_without_meaning_are_refused_by_their_key() {
    let refusal = |settings: OptimizerSettings| settings.check().unwrap_err();
    assert!(refusal(OptimizerSettings::Sgd { momentum: 1.0, nesterov: false }).starts_with("momentum: 1"));
    assert!(refusal(OptimizerSettings::Sgd { momentum: 0.0, nesterov: true }).starts_with("nesterov"));
    let adam = |beta_1, epsilon| OptimizerSettings::AdamW { beta_1, beta_2: 0.999, epsilon };
    assert!(refusal(adam(-0.1, 1e-8)).starts_with("beta-1"));
    assert!(refusal(adam(0.9, 0.0)).starts_with("epsilon"));
    assert_eq!(OptimizerSettings::default().check(), Ok(()));
}
