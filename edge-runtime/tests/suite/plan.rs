//! The memory plan: accepted by the reader, small, and free of overlaps by a checker of its own.

use std::ops::Range;

use fude_runtime::graph::{ArenaPlan, Graph, Layer, LayerError, Operator, PoolKind, Tensor, Window, check, plan_arena};
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::{AlignedBytes, Package};
use proptest::prelude::*;

use crate::models::{INT8, Model, Random, random_model};

/// For each layer the ids of the tensors that must be intact while it runs, by their definition: written
/// before or now, and read now or later. The logits are read after the last layer.
fn alive(graph: &Graph, layer: usize) -> Vec<usize> {
    let written = |id: usize| match graph.layers.iter().position(|layer| usize::from(layer.output) == id) {
        Some(index) => index <= layer,
        None => id == 0,
    };
    let read = |id: usize| {
        let reads = |layer: &Layer| layer.reads().any(|read| usize::from(read) == id);
        let last_output = graph.layers.last().map(|last| usize::from(last.output));
        graph.layers[layer..].iter().any(reads) || last_output == Some(id)
    };
    let is_output = |id: usize| usize::from(graph.layers[layer].output) == id;
    (0..graph.tensors.len()).filter(|&id| written(id) && (read(id) || is_output(id))).collect()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    !a.is_empty() && !b.is_empty() && a.start < b.end && b.start < a.end
}

fn check_plan(graph: &Graph, layout: WeightLayout) -> Result<(), TestCaseError> {
    for (index, layer) in graph.layers.iter().enumerate() {
        let alive = alive(graph, index);
        let place = |id: usize| graph.tensors[id].range();
        let scratch = graph.scratch_range(index, layout);
        for (nth, &a) in alive.iter().enumerate() {
            prop_assert!(!overlap(&place(a), &scratch), "layer {index}: scratch lies on tensor {a}");
            for &b in &alive[..nth] {
                let in_place = graph.works_in_place(index, layout)
                    && [a, b].contains(&layer.input.into())
                    && [a, b].contains(&layer.output.into());
                let shared = in_place && place(a) == place(b);
                prop_assert!(shared || !overlap(&place(a), &place(b)), "layer {index}: tensor {a} lies on {b}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn plans_are_sound_and_bounded(seed: u64, layers in 1..30_usize) {
        let (mut model, labels) = random_model(seed, layers);
        for layout in WeightLayout::ALL {
            let plan = plan_arena(&mut model.graph, layout);
            check_plan(&model.graph, layout)?;
            let aligned = |tensor: &Tensor| tensor.bytes().next_multiple_of(16);
            let apart: usize = model.graph.tensors.iter().map(aligned).sum();
            let scratch = (0..model.graph.layers.len()).map(|layer| model.graph.scratch_range(layer, layout).len());
            let most = apart + scratch.map(|bytes| bytes.next_multiple_of(16)).sum::<usize>();
            prop_assert!((plan.lower_bound..=most).contains(&plan.arena_bytes), "{plan:?}, {most} without sharing");
            prop_assert_eq!(plan.arena_bytes, model.graph.arena_bytes(layout));
            prop_assert!(model.graph.tensors.iter().all(|tensor| tensor.offset.is_multiple_of(16)));
            // The reader's own check; weights are as many bytes in every layout.
            prop_assert_eq!(check(&model.graph, layout, usize::MAX, plan.arena_bytes), Ok(()));
        }
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        model.pack(&labels);
    }
}

/// A model whose input, of 16 bytes, sums can be chained on.
fn chain() -> Model {
    Model::new(4, 4)
}

#[test]
fn a_sum_takes_the_place_of_its_first_operand() {
    let mut random = Random::new(3);
    let mut model = chain();
    let doubled = model.add(&mut random, 0, 0, INT8); // reads its input twice: not in place
    let sum = model.add(&mut random, doubled, 0, INT8); // in place of `doubled`
    let last = model.add(&mut random, 0, sum, INT8); // in place of the input
    let plan = plan_arena(&mut model.graph, WeightLayout::Portable);
    let offset = |id: u8| model.graph.tensors[usize::from(id)].offset;
    assert_ne!(offset(doubled), offset(0));
    assert_eq!(offset(sum), offset(doubled));
    assert_eq!(offset(last), offset(0));
    assert_eq!((plan.arena_bytes, plan.lower_bound), (32, 32));
}

#[test]
fn an_operand_that_is_read_later_keeps_its_place() {
    let mut random = Random::new(3);
    let mut model = chain();
    let doubled = model.add(&mut random, 0, 0, INT8);
    let sum = model.add(&mut random, doubled, 0, INT8);
    model.add(&mut random, sum, doubled, INT8);
    plan_arena(&mut model.graph, WeightLayout::Portable);
    assert_ne!(model.graph.tensors[usize::from(sum)].offset, model.graph.tensors[usize::from(doubled)].offset);
}

#[test]
fn scratch_memory_is_two_windows() {
    let mut random = Random::new(3);
    let mut model = Model::new(8, 8);
    let convolution = |window| Some((window, false));
    let wide = model.parametric(&mut random, convolution(Window::square(3, 1, 1)), 0, 5, INT8);
    let wide = model.parametric(&mut random, convolution(Window::square(2, 1, 0)), wide, 5, INT8);
    model.parametric(&mut random, convolution(Window::square(1, 1, 0)), wide, 40, INT8); // gathers nothing
    plan_arena(&mut model.graph, WeightLayout::Portable);
    let scratch = [0, 1, 2].map(|layer| model.graph.scratch_range(layer, WeightLayout::Portable).len());
    assert_eq!(scratch, [2 * (3 * 3), 2 * (2 * 2 * 5), 0]);
}

/// A graph that reads what nothing writes is for the reader to refuse, not for the planner to panic at.
#[test]
fn senseless_graphs_are_planned_and_refused() {
    let mut model = chain();
    let never_written = model.tensor((4, 4, 1), 0);
    model.add(&mut Random::new(3), never_written, 0, INT8);
    let mean = model.tensor((1, 1, 1), 0);
    let kind = PoolKind::Average { multiplier: 1, shift: 34 };
    model.layer(Operator::Pool { window: Window::square(4, 1, 0), kind }, never_written + 1, mean);
    plan_arena(&mut model.graph, WeightLayout::Portable);
    // A place of its own, so that nothing but the missing write is wrong.
    let arena_bytes = model.graph.arena_bytes(WeightLayout::Portable);
    model.graph.tensors[usize::from(never_written)].offset = arena_bytes as u32;
    assert_eq!(check(&model.graph, WeightLayout::Portable, 0, arena_bytes + 16), Err((Some(0), LayerError::Order)));
}

/// Some lower bounds no plan reaches. Largest first alone reaches 287 of these.
#[test]
fn most_plans_reach_the_lower_bound_and_every_plan_is_repeatable() {
    let mut reached = 0;
    for seed in 0..500 {
        let (mut model, _) = random_model(seed, 1 + seed as usize % 30);
        for layout in WeightLayout::ALL {
            let plan = plan_arena(&mut model.graph, layout);
            reached += usize::from(layout == WeightLayout::Portable && plan.arena_bytes == plan.lower_bound);
            assert_eq!(ArenaPlan::of(&model.graph, layout), plan);
            let first = model.graph.clone();
            plan_arena(&mut model.graph, layout);
            assert_eq!(model.graph, first);
        }
    }
    assert_eq!(reached, 495);
}

/// The model of the repository, planned again: no larger than when it was made.
#[test]
fn the_quickstarts_arena_is_as_small_as_can_be() {
    let bytes = AlignedBytes::copy_of(include_bytes!("../../../models/quickstart.fude"));
    let package = Package::for_any_target(bytes.as_slice()).unwrap();
    let mut graph = package.graph().clone();
    for layout in WeightLayout::ALL {
        let plan = plan_arena(&mut graph, layout);
        assert!(plan.is_tight(), "{layout:?}: {plan:?}");
    }
    let plan = plan_arena(&mut graph, WeightLayout::Portable);
    assert_eq!(plan, ArenaPlan { arena_bytes: 27_648, lower_bound: 27_648 });
}
