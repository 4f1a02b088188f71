//! What the door says of graphs that cannot be run, error by error.

use fude_runtime::graph::{ElementType, LayerError, Operator, Parameters, PoolKind, Window, plan_arena};
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::PackageError;

use crate::models::{INT8, LABELS, Model, Random, every_operator};

/// What the reader says of the graph of [`every_operator`] after `change`.
fn error_after(change: impl FnOnce(&mut Model)) -> (Option<u16>, LayerError) {
    let mut model = every_operator();
    change(&mut model);
    error_of(&model)
}

fn error_of(model: &Model) -> (Option<u16>, LayerError) {
    match model.finish(&LABELS) {
        Err(PackageError::Graph { layer, problem }) => (layer, problem),
        other => panic!("expected a graph error, got {other:?}"),
    }
}

/// An error of the layer at `index`.
fn at(index: usize, problem: LayerError) -> (Option<u16>, LayerError) {
    (Some(index as u16), problem)
}

// Layers of `every_operator`.
const STEM: usize = 0;
const DEPTHWISE: usize = 1;
const MEAN: usize = 2;
const GATE: usize = 4;
const ADD: usize = 6;
const MAX: usize = 7;
const LOGITS: usize = 8;

#[test]
fn tensors() {
    assert_eq!(error_after(|model| model.graph.layers.clear()), (None, LayerError::Empty));
    assert_eq!(error_after(|model| model.graph.tensors.clear()), (None, LayerError::Empty));
    for (height, width, channels) in [(0, 8, 1), (8, 0, 1), (8, 8, 0), (4097, 1, 1), (1, 4097, 1), (4096, 4096, 2)] {
        let error = error_after(|model| {
            let tensor = &mut model.graph.tensors[0];
            (tensor.height, tensor.width, tensor.channels) = (height, width, channels);
        });
        assert_eq!(error, (None, LayerError::TensorSize), "{height}×{width}×{channels}");
    }
    for zero_point in [-129, 128] {
        let error = error_after(|model| model.graph.tensors[3].zero_point = zero_point);
        assert_eq!(error, (None, LayerError::ZeroPoint), "{zero_point}");
    }
    let wide = error_after(|model| model.output(LOGITS).zero_point = 1);
    assert_eq!(wide, (None, LayerError::ZeroPoint), "16 bits");
    for scale in [0.0, -0.0, -1.0, f32::INFINITY, f32::NAN, -f32::NAN] {
        let error = error_after(|model| model.graph.tensors[3].scale = scale);
        assert_eq!(error, (None, LayerError::Scale), "{scale}");
    }
    let two_channels = error_after(|model| {
        (model.graph.tensors[0].width, model.graph.tensors[0].channels) = (4, 2);
    });
    assert_eq!(two_channels, (None, LayerError::Shape));
}

#[test]
fn shapes_and_types() {
    assert_eq!(error_after(|model| model.graph.layers[GATE].input = 200), at(GATE, LayerError::UnknownTensor));
    assert_eq!(error_after(|model| model.graph.layers[MAX].output = 200), at(MAX, LayerError::UnknownTensor));
    for layer in [STEM, DEPTHWISE, MEAN, GATE, ADD, MAX, LOGITS] {
        assert_eq!(error_after(|model| model.output(layer).height += 1), at(layer, LayerError::Shape), "{layer}");
    }
    for layer in [STEM, DEPTHWISE, MEAN, GATE, ADD, MAX] {
        let wide = error_after(|model| {
            (model.output(layer).element, model.output(layer).zero_point) = (ElementType::Int16, 0);
        });
        assert_eq!(wide, at(layer, LayerError::ElementType), "{layer}");
    }
    assert_eq!(error_after(|model| model.output(MAX).zero_point ^= 1), at(MAX, LayerError::ZeroPoint));
    assert_eq!(error_after(|model| model.output(MAX).scale *= 2.0), at(MAX, LayerError::Scale));
    let not_logits = error_after(|model| assert!(model.graph.layers.pop().is_some()));
    assert_eq!(not_logits, at(MAX, LayerError::Shape), "the last layer has to write 1×1×C");
}

#[test]
fn windows() {
    let change_window = |layer: usize, change: &dyn Fn(&mut Window)| {
        error_after(|model| match &mut model.graph.layers[layer].operator {
            Operator::Convolution { window, .. }
            | Operator::Depthwise { window, .. }
            | Operator::Pool { window, .. } => change(window),
            other => panic!("{} has no window", other.name()),
        })
    };
    for layer in [STEM, DEPTHWISE, MEAN, MAX] {
        assert_eq!(change_window(layer, &|window| window.size.0 = 0), at(layer, LayerError::Shape), "{layer}");
        assert_eq!(change_window(layer, &|window| window.size.1 = 255), at(layer, LayerError::Shape), "{layer}");
        assert_eq!(change_window(layer, &|window| window.stride.0 = 0), at(layer, LayerError::Shape), "{layer}");
        assert_eq!(change_window(layer, &|window| window.pad_rows = (3, 3)), at(layer, LayerError::Shape), "{layer}");
    }
    let padded_pool = change_window(MAX, &|window| (window.pad_rows, window.size.0) = ((1, 1), 4));
    assert_eq!(padded_pool, at(MAX, LayerError::Shape), "pools take no padding");
}

#[test]
fn requantization() {
    let parameters = |layer: usize, change: &dyn Fn(&mut Parameters)| {
        error_after(|model| match &mut model.graph.layers[layer].operator {
            Operator::Convolution { parameters, .. }
            | Operator::Depthwise { parameters, .. }
            | Operator::Dense { parameters } => change(parameters),
            other => panic!("{} has no parameters", other.name()),
        })
    };
    for layer in [STEM, DEPTHWISE, LOGITS] {
        for shift in [0, 32, 53, 255] {
            let error = parameters(layer, &|parameters| parameters.shift = shift);
            assert_eq!(error, at(layer, LayerError::Requantization), "layer {layer}, shift {shift}");
        }
        let reversed = parameters(layer, &|parameters| parameters.bounds = (5, 4));
        assert_eq!(reversed, at(layer, LayerError::Requantization), "{layer}");
        for offset in [8, 1 << 20, u32::MAX - 15] {
            let error = parameters(layer, &|parameters| parameters.offset = offset);
            assert_eq!(error, at(layer, LayerError::Parameters), "layer {layer}, offset {offset}");
        }
    }
    for layer in [STEM, DEPTHWISE] {
        let wide = parameters(layer, &|parameters| parameters.bounds = (-129, 127));
        assert_eq!(wide, at(layer, LayerError::Requantization), "{layer}");
    }

    let operator = |layer: usize, change: &dyn Fn(&mut Operator)| {
        let error = error_after(|model| change(&mut model.graph.layers[layer].operator));
        assert_eq!(error, at(layer, LayerError::Requantization), "{layer}");
    };
    operator(MEAN, &|operator| {
        if let Operator::Pool { kind: PoolKind::Average { multiplier, .. }, .. } = operator {
            *multiplier = -1;
        }
    });
    operator(GATE, &|operator| {
        if let Operator::Gate { shift, .. } = operator {
            *shift = 32;
        }
    });
    for excess in [-1, 1 << 21] {
        operator(ADD, &|operator| {
            if let Operator::Add { multipliers, .. } = operator {
                multipliers.1 = excess;
            }
        });
    }
    for excess in [0, 31] {
        operator(ADD, &|operator| {
            if let Operator::Add { shift, .. } = operator {
                *shift = excess;
            }
        });
    }
}

#[test]
fn places() {
    let move_onto = |model: &mut Model, layer: usize, offset: u32| model.output(layer).offset = offset;
    let onto_input = error_after(|model| move_onto(model, STEM, model.graph.tensors[0].offset));
    assert_eq!(onto_input, at(STEM, LayerError::Arena));
    let half_in_place = error_after(|model| {
        let input = model.graph.layers[GATE].input;
        move_onto(model, GATE, model.graph.tensors[usize::from(input)].offset + 1);
    });
    assert_eq!(half_in_place, at(GATE, LayerError::Arena), "in place is exactly in place");
    let onto_scratch = error_after(|model| move_onto(model, STEM, model.graph.scratch[STEM]));
    assert_eq!(onto_scratch, at(STEM, LayerError::Scratch));
}

#[test]
fn order() {
    let too_early = error_after(|model| model.graph.layers[GATE].input = model.graph.layers[MAX].input);
    assert_eq!(too_early, at(GATE, LayerError::Order), "not written yet");
    // The mean lands on the stem's output, which the sum still needs.
    let overwritten = error_after(|model| model.output(MEAN).offset = model.output(STEM).offset);
    assert_eq!(overwritten, at(ADD, LayerError::Order));
}

/// While a convolution gathers its windows, a tensor that it neither reads nor writes waits to be read.
#[test]
fn scratch_memory_overwrites_too() {
    let (mut random, mut model) = (Random::new(5), Model::new(4, 4));
    let pointwise = Some((Window::square(1, 1, 0), false));
    let waiting = model.parametric(&mut random, pointwise, 0, 6, INT8);
    let other = model.parametric(&mut random, pointwise, 0, 3, INT8);
    let filtered = model.parametric(&mut random, Some((Window::square(3, 1, 1), false)), other, 6, INT8);
    let sum = model.add(&mut random, filtered, waiting, INT8);
    model.parametric(&mut random, None, sum, 3, INT8);
    model.pack(&LABELS);
    model.graph.scratch[2] = model.graph.tensors[usize::from(waiting)].offset;
    assert_eq!(error_of(&model), at(3, LayerError::Order));
}

#[test]
fn sums_too_long_for_an_accumulator() {
    let mut dense = Model::new(512, 129);
    dense.parametric(&mut Random::new(5), None, 0, 3, INT8);
    plan_arena(&mut dense.graph, WeightLayout::Portable);
    assert_eq!(error_of(&dense), at(0, LayerError::Shape));

    let mut convolution = Model::new(1, 1);
    let wide = convolution.parametric(&mut Random::new(5), None, 0, (1 << 14) + 1, INT8);
    let window = Window { pad_rows: (1, 0), pad_columns: (1, 0), ..Window::square(2, 1, 0) };
    convolution.parametric(&mut Random::new(5), Some((window, false)), wide, 3, INT8);
    plan_arena(&mut convolution.graph, WeightLayout::Portable);
    assert_eq!(error_of(&convolution), at(1, LayerError::Shape));
}
