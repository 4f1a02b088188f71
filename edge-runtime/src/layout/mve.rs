//! The layout of `vmladava`, which multiplies sixteen pairs of bytes and adds all products to one register.
//!
//! Rows of a weight matrix are in groups of four. First come the heads of the four rows, 1 to 16 taps each, so that the
//! rest is whole: sixteen taps of each row in turn. One pointer goes through all of it once. Rows that fill no group
//! follow as they are.
//!
//! ```text
//! group: [row][head], then [sixteen][row][16]
//! ```
//!
//! Depthwise convolutions that are computed plane by plane have their weights so too, `[channel][row][column]`. The others
//! keep the portable order.

use std::vec;
use std::vec::Vec;

use super::planes::by_planes;
use crate::graph::{Graph, Layer, Operator};

/// Rows of a group.
const GROUP: usize = 4;
/// Taps that lie together.
const LANES: usize = 16;

/// The weights of `layer`, given in the portable order.
pub(super) fn arrange(portable: &[i8], graph: &Graph, layer: &Layer) -> Vec<i8> {
    let Some(places) = places(graph, layer) else { return portable.to_vec() };
    let mut arranged = vec![0; portable.len()];
    places.zip(portable).for_each(|(place, &weight)| arranged[place] = weight);
    arranged
}

/// The inverse.
pub(super) fn to_portable(arranged: &[i8], graph: &Graph, layer: &Layer) -> Vec<i8> {
    places(graph, layer).map_or_else(|| arranged.to_vec(), |places| places.map(|place| arranged[place]).collect())
}

/// Where each weight of the portable order goes; `None` where all stay.
fn places(graph: &Graph, layer: &Layer) -> Option<impl Iterator<Item = usize>> {
    let (input, sizes) = (graph.tensor(layer.input)?, graph.parameter_sizes(layer)?);
    let (rows, taps) = (sizes.channels, sizes.weights / sizes.channels);
    let is_depthwise = match layer.operator {
        Operator::Depthwise { window, .. } if by_planes(window, input) => true,
        Operator::Depthwise { .. } => return None,
        _ => false,
    };
    Some((0..sizes.weights).map(move |index| match is_depthwise {
        true => index % rows * taps + index / rows,
        false => place((index / taps, index % taps), (rows, taps)),
    }))
}

/// Where a tap of a row lies, in a matrix of `rows` rows of `taps`.
const fn place((row, tap): (usize, usize), (rows, taps): (usize, usize)) -> usize {
    let (group, row_of_group) = (row / GROUP, row % GROUP);
    let head = taps - (taps - 1) / LANES * LANES;
    if group == rows / GROUP {
        row * taps + tap
    } else if tap < head {
        group * GROUP * taps + row_of_group * head + tap
    } else {
        let (sixteen, lane) = ((tap - head) / LANES, (tap - head) % LANES);
        group * GROUP * taps + GROUP * head + (sixteen * GROUP + row_of_group) * LANES + lane
    }
}
