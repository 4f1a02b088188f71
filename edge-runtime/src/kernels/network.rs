//! A whole network: its layers one after the other, those of a stage band by band.

use super::Step;
use crate::graph::{Action, Graph, walk};
use crate::layout::WeightLayout;
use crate::package::LayerParameters;
use crate::profile::LayerObserver;

/// Runs the layers of a graph that [`crate::graph::check`] has passed, each step by `kernel`.
///
/// # Errors
/// The layer at which the memory plan contradicts itself, or that `kernel` does not run.
pub(crate) fn run<'w>(
    graph: &Graph,
    layout: WeightLayout,
    parameters: impl Fn(usize) -> LayerParameters<'w>,
    kernel: impl Fn(&Step, &LayerParameters<'w>, &mut [u8]) -> Option<()>,
    arena: &mut [u8],
    observer: &mut dyn LayerObserver,
) -> Result<(), usize> {
    let mut compute = |index, step: Option<Step>, arena: &mut [u8]| {
        let step = step?;
        observer.before(index);
        kernel(&step, &parameters(index), arena)?;
        observer.after(index, arena.get(step.written())?);
        Some(())
    };
    let mut index = 0;
    while index < graph.layers.len() {
        let stage = graph.stages().iter().find(|stage| stage.layers().start == index);
        let done = match stage {
            None => compute(index, Step::whole(graph, index, layout), arena),
            Some(stage) => walk(graph, stage, &mut |action| match action {
                Action::Compute(nth, band) => {
                    let layer = index + nth;
                    compute(layer, Step::band(graph, stage, layer, band, layout), arena)
                }
                Action::Discard(nth, rows, kept) => {
                    let tensor = graph.tensor(graph.layers.get(index + nth)?.output)?;
                    let pitch = usize::from(tensor.width) * usize::from(tensor.channels);
                    let buffer = arena.get_mut(tensor.offset as usize..)?.get_mut(..(rows + kept) * pitch)?;
                    move_to_start(buffer, rows * pitch)
                }
            }),
        };
        done.ok_or(index)?;
        index = stage.map_or(index + 1, |stage| stage.layers().end);
    }
    Ok(())
}

/// Moves all bytes of `buffer` behind the first `dropped` to its start. In pieces that do not overlap: the language's own
/// function for those that do takes a kilobyte and a half of flash.
fn move_to_start(buffer: &mut [u8], dropped: usize) -> Option<()> {
    let mut place = 0;
    while dropped > 0 && place + dropped < buffer.len() {
        let (to, from) = buffer.get_mut(place..)?.split_at_mut_checked(dropped)?;
        let length = from.len().min(dropped);
        to.get_mut(..length)?.copy_from_slice(from.get(..length)?);
        place += length;
    }
    Some(())
}
