//! A network as JSON, for programs that run the same layers in other runtimes.

use fude_runtime::graph::{Graph, Operator};
use serde_json::{Value, json};

/// The input's shape, then of each layer its kind, window, taps, inputs and the output's shape.
pub fn describe(graph: &Graph) -> Value {
    let shape = |id: u8| {
        let tensor = &graph.tensors[usize::from(id)];
        json!([tensor.height, tensor.width, tensor.channels])
    };
    let layers = graph.layers.iter().map(|layer| {
        let (kind, window) = match layer.operator {
            Operator::Convolution { window, .. } => ("convolution", Some(window)),
            Operator::Depthwise { window, .. } => ("depthwise", Some(window)),
            Operator::Dense { .. } => ("dense", None),
            Operator::Pool { .. } => ("mean", None),
            Operator::Gate { .. } => ("gate", None),
            Operator::Add { .. } => ("add", None),
        };
        let fan_in = graph.parameter_sizes(layer).map_or(0, |sizes| sizes.weights / sizes.channels);
        json!({
            "kind": kind,
            "size": window.map_or(1, |window| window.size.0),
            "stride": window.map_or(1, |window| window.stride.0),
            "fan_in": fan_in,
            "input": layer.input,
            "second": layer.operator.second_input(),
            "output": shape(layer.output),
        })
    });
    json!({ "input": shape(0), "layers": layers.collect::<Vec<_>>() })
}
