//! Grids: which integers a range of real values gets, and how ranges are observed and learned.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fude_trainer::operators::round_straight_through;
use fude_trainer::quantize::{Grid, Range, RangeKind, RangeSource, fake_quantize_weights};
use fude_trainer::tensors::floats;

fn tensor(values: &[f32]) -> Tensor<4> {
    Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 1, 1, values.len()])
}

/// A range of `kind` that has seen `values` once.
fn observed(kind: RangeKind, values: &[f32]) -> Range {
    let range = Range::new(kind, &Device::flex());
    range.fake_quantize(tensor(values), RangeSource::Observe);
    range
}

fn extremes(range: &Range) -> Vec<f32> {
    floats(range.observed.value_sync())
}

fn assert_near(found: f32, expected: f32) {
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1e-6), "{found} instead of {expected}");
}

#[test]
fn a_grid_spans_the_values_and_zero() {
    let grid = |values| observed(RangeKind::Observed, values).grid(RangeSource::Observed);
    let cases: [(&[f32], f32, i16); 5] = [
        (&[-1.0, 3.0], 4.0 / 255.0, -64),
        (&[0.0, 6.0], 6.0 / 255.0, -128),
        // Only positive and only negative values: the range is stretched to zero.
        (&[2.0, 5.0], 5.0 / 255.0, -128),
        (&[-5.0, -2.0], 5.0 / 255.0, 127),
        (&[-0.3, 0.2], 0.5 / 255.0, 25),
    ];
    for (values, scale, zero_point) in cases {
        let found = grid(values);
        assert_near(found.scale, scale);
        assert_eq!(found.zero_point, zero_point, "{values:?}");
    }
}

#[test]
fn zero_is_on_every_grid() {
    let kinds = [RangeKind::Observed, RangeKind::Gate, RangeKind::Logits];
    for (low, high) in [(-1.0, 3.0), (0.3, 0.31), (-7.0, -6.0), (-1e-3, 1e3), (-1e3, 1e-3), (0.0, 0.0)] {
        for kind in kinds {
            let range = observed(kind, &[low, high]);
            let zero = floats(range.fake_quantize(tensor(&[0.0]), RangeSource::Observed));
            assert_eq!(zero, [0.0], "{kind:?} of {low} to {high}");
            let Grid { scale, zero_point } = range.grid(RangeSource::Observed);
            assert!(scale > 0.0 && (-128..=127).contains(&zero_point));
        }
    }
}

#[test]
fn values_take_the_nearest_step_and_saturate_at_the_ends() {
    let range = observed(RangeKind::Observed, &[-1.0, 3.0]);
    let Grid { scale, zero_point } = range.grid(RangeSource::Observed);
    let values = [-9.0, -1.0, -0.61, 0.004, 0.012, 1.7, 3.0, 99.0];
    let rounded = floats(range.fake_quantize(tensor(&values), RangeSource::Observed));
    for (value, rounded) in values.iter().zip(rounded) {
        let integer = (value / scale).round().clamp(-128.0 - f32::from(zero_point), 127.0 - f32::from(zero_point));
        assert_near(rounded, integer * scale);
    }
}

#[test]
fn gates_and_logits_have_grids_of_their_own() {
    let gate = observed(RangeKind::Gate, &[0.2, 0.3]);
    assert_eq!(gate.grid(RangeSource::Observed), Grid { scale: 1.0 / 255.0, zero_point: -128 });
    assert_eq!(extremes(&gate), [0.0, 0.0], "nothing is observed of a gate");
    assert_eq!(floats(gate.fake_quantize(tensor(&[0.0, 0.5, 1.0]), RangeSource::Observed)), [0.0, 128.0 / 255.0, 1.0]);

    // 16 bits, symmetric, with room for logits of twice the size.
    let logits = observed(RangeKind::Logits, &[-4.0, 2.5]);
    let Grid { scale, zero_point } = logits.grid(RangeSource::Observed);
    assert_near(scale, 8.0 / 32767.0);
    assert_eq!(zero_point, 0);
    let rounded = floats(logits.fake_quantize(tensor(&[-99.0, 7.9, 99.0]), RangeSource::Observed));
    assert_near(rounded[0], -32768.0 * scale);
    assert_near(rounded[1], (7.9 / scale).round() * scale);
    assert_near(rounded[2], 32767.0 * scale);
}

#[test]
fn the_first_observation_stands_and_later_ones_move_it_by_a_twentieth() {
    let range = observed(RangeKind::Observed, &[-1.0, 0.5, 3.0]);
    assert_eq!(extremes(&range), [-1.0, 3.0]);
    range.fake_quantize(tensor(&[-2.0, 5.0]), RangeSource::Observe);
    let [low, high] = [-1.0 + 0.05 * (-2.0 + 1.0), 3.0 + 0.05 * (5.0 - 3.0)];
    assert_near(extremes(&range)[0], low);
    assert_near(extremes(&range)[1], high);
    // Only `Observe` observes.
    range.fake_quantize(tensor(&[-50.0, 50.0]), RangeSource::Observed);
    assert_near(extremes(&range)[1], high);
    // The range shrinks as it grows: a moving average, not a maximum.
    range.fake_quantize(tensor(&[0.0, 0.0]), RangeSource::Observe);
    assert_near(extremes(&range)[0], low * 0.95);
    assert_near(extremes(&range)[1], high * 0.95);
}

#[test]
fn learning_starts_from_what_was_observed() {
    let range = observed(RangeKind::Observed, &[-1.0, 3.0]);
    assert_eq!(floats(range.learned.val()), [0.0, 0.0]);
    let range = range.start_learning();
    assert_eq!(floats(range.learned.val()), [-1.0, 3.0]);
    assert_eq!(range.grid(RangeSource::Learned), range.grid(RangeSource::Observed));
    // Learned ranges do not follow what is observed afterwards.
    range.fake_quantize(tensor(&[-9.0, 9.0]), RangeSource::Observe);
    assert_eq!(floats(range.learned.val()), [-1.0, 3.0]);
}

#[test]
fn rounding_passes_the_gradient_unchanged() {
    let values = Tensor::<1>::from_floats([-1.6, -0.5, 0.2, 0.5, 7.4], &Device::flex().autodiff()).require_grad();
    let rounded = round_straight_through(values.clone());
    assert_eq!(floats(rounded.clone().without_autodiff()), [-2.0, 0.0, 0.0, 0.0, 7.0], "ties go to the even neighbour");
    let factors = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0], &Device::flex().autodiff());
    let gradients = (rounded * factors).sum().backward();
    assert_eq!(floats(values.grad(&gradients).unwrap()), [1.0, 2.0, 3.0, 4.0, 5.0]);
}

/// Inside the range a value's gradient passes; outside, it goes to the end of the range instead.
#[test]
fn gradients_reach_values_inside_a_learned_range_and_the_ends_of_it() {
    let range = observed(RangeKind::Observed, &[-1.0, 3.0]).start_learning().train();
    let gradient = |value: f32| {
        let values = Tensor::<4>::full([1, 1, 1, 1], value, &Device::flex().autodiff()).require_grad();
        let gradients = range.fake_quantize(values.clone(), RangeSource::Learned).sum().backward();
        let of_ends = range.learned.val().grad(&gradients).map_or_else(Vec::new, floats);
        (floats(values.grad(&gradients).unwrap())[0], of_ends)
    };
    assert_eq!(gradient(1.3).0, 1.0);
    let (of_value, of_ends) = gradient(40.0);
    assert_eq!(of_value, 0.0);
    // The largest value that the grid holds is 191 steps of (high − low) / 255.
    assert_near(of_ends[1], 191.0 / 255.0);
    assert_near(of_ends[0], -191.0 / 255.0);
}

#[test]
fn weights_take_255_steps_a_channel_and_zeros_stay_zeros() {
    let weight = Tensor::<1>::from_floats([1.0, -0.5, 0.003, 0.0, 0.0, 0.0, -2.54, 1.271, 0.015], &Device::flex());
    let rounded = floats(fake_quantize_weights(weight.reshape([3, 1, 1, 3])));
    let expected = [127.0, -64.0, 0.0, 0.0, 0.0, 0.0, -127.0, 64.0, 1.0];
    // Ties go to the even step.
    let scales = [1.0 / 127.0, 1.0, 2.54 / 127.0];
    for (index, (rounded, steps)) in rounded.iter().zip(expected).enumerate() {
        assert_near(*rounded, steps * scales[index / 3]);
    }
}
