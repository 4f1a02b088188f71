//! Layers that run band by band: the bytes of layers that run whole, in a smaller arena.

use fude_runtime::graph::{Graph, LayerError, Stage, TooLarge, Window, check, fit_arena, plan_arena};
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::{AlignedBytes, Package, repack};
use proptest::prelude::*;

use crate::kernels::layouts;
use crate::models::{INT8, Model, Random, oracle_layers, random_bytes, random_model, runtime_layers};

/// The smallest arena that bands give the graph.
fn least(graph: &Graph, layout: WeightLayout) -> usize {
    let mut graph = graph.clone();
    match fit_arena(&mut graph, layout, 0) {
        Err(TooLarge { least, .. }) => least,
        Ok(()) => unreachable!("an input takes some bytes"),
    }
}

/// Runs the model on random inputs in all layouts of this machine; every layer must give the oracle's bytes.
fn assert_exact(model: &Model, labels: &[&str], random: &mut Random) {
    let portable = model.finish(labels).expect("the reader accepts the plan");
    for layout in layouts() {
        let bytes = AlignedBytes::copy_of(&repack(&portable, layout).expect("it holds all weights"));
        let package = Package::new_checked(bytes.as_slice()).expect("laid out for this machine");
        let input: Vec<u8> = random_bytes(random, package.input().bytes()).iter().map(|&byte| byte as u8).collect();
        assert_eq!(runtime_layers(&package, &input), oracle_layers(&package, &input), "{layout:?}");
    }
}

proptest! {
    #![proptest_config(crate::cases(600))]

    #[test]
    fn random_stages_change_no_byte(seed: u64, layers in 2..20_usize) {
        let (mut model, labels) = random_model(seed, layers);
        let whole = plan_arena(&mut model.graph, WeightLayout::Portable).arena_bytes;
        let least = least(&model.graph, WeightLayout::Portable);
        prop_assert!(least <= whole);
        let mut random = Random::new(seed);
        let limit = random.between(least as i64, whole as i64) as usize;
        fit_arena(&mut model.graph, WeightLayout::Portable, limit).expect("there are smaller ones");
        prop_assert!(model.graph.arena_bytes(WeightLayout::Portable) <= limit);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        assert_exact(&model, &labels, &mut random);
    }
}

/// Two residual blocks of a depthwise-separable convolution with squeeze and excitation, behind a stem.
fn recogniser() -> Model {
    let mut random = Random::new(1);
    let mut model = Model::new(24, 24);
    let (filter, mix) = (Window::square(3, 1, 1), Some((Window::square(1, 1, 0), false)));
    let stem = Window { pad_rows: (1, 0), ..Window::square(3, 2, 1) };
    let mut tensor = model.parametric(&mut random, Some((stem, false)), 0, 16, INT8);
    tensor = model.parametric(&mut random, Some((filter, true)), tensor, 16, INT8);
    tensor = model.parametric(&mut random, mix, tensor, 32, INT8);
    for _ in 0..2 {
        let filtered = model.parametric(&mut random, Some((filter, true)), tensor, 32, INT8);
        let mixed = model.parametric(&mut random, mix, filtered, 32, INT8);
        let mean = model.mean(&mut random, mixed);
        let gates = model.parametric(&mut random, None, mean, 32, INT8);
        let gated = model.gate(&mut random, mixed, gates);
        tensor = model.add(&mut random, gated, tensor, INT8);
    }
    let mean = model.mean(&mut random, tensor);
    model.parametric(&mut random, None, mean, 4, INT8);
    model
}

#[test]
fn a_recogniser_fits_into_little_more_than_half_the_arena() {
    let mut model = recogniser();
    let whole = plan_arena(&mut model.graph, WeightLayout::Portable).arena_bytes;
    let macs = model.graph.total_cost().macs;
    let mut graph = model.graph.clone();
    for (limit, stages, extra_macs) in LIMITS {
        fit_arena(&mut graph, WeightLayout::Portable, whole * limit / 100).expect("there is room");
        let found = (graph.stages.len(), graph.total_cost().macs - macs);
        assert_eq!(found, (stages, extra_macs), "{limit} % of {whole}: {graph:#?}");
        assert_exact(&Model { graph: graph.clone(), ..model.clone() }, &["a", "b", "c", "d"], &mut Random::new(2));
    }
}

/// Per cent of the arena, stages that are made, multiplications that are made twice.
const LIMITS: [(usize, usize, u64); 3] = [(90, 2, 0), (70, 2, 0), (54, 4, 377_856)];

/// What the reader says of the recogniser in its smallest arena after a change.
fn error_after(change: impl Fn(&mut Graph)) -> Result<(), (Option<usize>, LayerError)> {
    let mut graph = recogniser().graph;
    let whole = plan_arena(&mut graph, WeightLayout::Portable).arena_bytes;
    fit_arena(&mut graph, WeightLayout::Portable, 54 * whole / 100).expect("there is room");
    assert_eq!(check(&graph, WeightLayout::Portable, 1 << 20, 1 << 20), Ok(()));
    change(&mut graph);
    check(&graph, WeightLayout::Portable, 1 << 20, 1 << 20)
}

#[test]
fn schedules_that_contradict_themselves_are_refused() {
    let refused = |layer| Err((Some(layer), LayerError::Stage));
    let stages = |change: fn(&mut Vec<Stage>)| {
        error_after(|graph| {
            let mut stages = graph.stages.to_vec();
            change(&mut stages);
            graph.stages = stages.into_iter().collect();
        })
    };
    assert_eq!(stages(|stages| stages[0].rows = 0), refused(3));
    assert_eq!(stages(|stages| stages[0].buffers[0] -= 1), refused(3), "a row too few");
    assert_eq!(stages(|stages| stages[1].first -= 2), refused(6), "one begins before the other has ended");
    assert_eq!(stages(|stages| stages.swap(0, 1)), refused(12), "out of order");
    let behind = stages(|stages| stages.push(Stage { first: 200, ..stages[3].clone() }));
    assert_eq!(behind, refused(23), "behind the last layer");
    assert_eq!(stages(|stages| stages[0].buffers.push(9).unwrap()), refused(3), "a dense layer");
    assert_eq!(stages(|stages| stages[1].first = 6), refused(6), "a gate that is not known before");
    assert_eq!(stages(|stages| stages[0].sums = u32::MAX), refused(3), "outside the arena");
    // The mean is read when the gates are computed, behind the stage; its place is its own as long as that runs.
    let onto_sums = error_after(|graph| graph.tensors[6].offset = graph.stages[0].sums);
    assert_eq!(onto_sums, refused(5));
    // The source of the residual block, which every band reads.
    let onto_source = error_after(|graph| graph.stages[0].sums = graph.tensors[3].offset);
    assert_eq!(onto_source, refused(3));
    let onto_rows_that_stay = error_after(|graph| graph.tensors[19].offset = graph.tensors[18].offset);
    assert_eq!(onto_rows_that_stay, Err((Some(8), LayerError::Arena)));
    // Reading past the copy of the source, the depthwise convolution would not wait for it.
    let ahead = error_after(|graph| graph.layers[8].input = graph.layers[7].input);
    assert_eq!(ahead, refused(7));
}

#[test]
fn what_is_impossible_changes_nothing() {
    let mut model = recogniser();
    plan_arena(&mut model.graph, WeightLayout::Portable);
    let before = model.graph.clone();
    let error = fit_arena(&mut model.graph, WeightLayout::Portable, 100).unwrap_err();
    assert_eq!(model.graph, before);
    assert_eq!(error.limit, 100);
    fit_arena(&mut model.graph, WeightLayout::Portable, error.least).expect("that much is enough");
}
