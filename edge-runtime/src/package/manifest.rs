//! The manifest: the only part of a package that is decoded instead of read in place.

use heapless::{String, Vec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{PackageError, SectionKind};
use crate::graph::{Graph, Layer};
#[cfg(feature = "std")]
use crate::layout::WeightLayout;
use crate::limits::{MAX_LABEL, MAX_LAYERS, MAX_NAME};

/// How an image of any size becomes the input glyph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fit {
    /// The whole image is resized to the input's size.
    WholeImage,
    /// The box of the ink is scaled until its longer side has `longer_side` pixels, then centred.
    InkBox {
        /// Longer side of the ink's box, in pixels of the input.
        longer_side: u16,
    },
}

/// What happens to an image (ink 255 on 0) before the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// How the image is brought to the input's size.
    pub fit: Fit,
    /// A pixel of at least this counts as ink when the box is sought.
    pub ink_threshold: u8,
}

impl Preprocessing {
    /// What this project's trainer uses: the ink's box, `longer_side` pixels long, centred.
    pub const fn ink_box(longer_side: u16) -> Self {
        Self { fit: Fit::InkBox { longer_side }, ink_threshold: 64 }
    }
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Name of the model.
    pub name: String<MAX_NAME>,
    /// What happens to an image before the first layer.
    pub preprocessing: Preprocessing,
    /// Bytes of one label in the label section.
    pub label_bytes: u8,
    /// Tensors and layers.
    pub graph: Graph,
}

impl Manifest {
    /// Decodes a manifest section and the section of the schedule, which may be empty. Its checks end with these;
    /// [`crate::graph::check`] does the rest.
    ///
    /// Field by field, which is how postcard writes a struct: a list beyond this runtime's capacity is then no damage.
    pub(super) fn decode(section: &[u8], schedule: &[u8]) -> Result<Self, PackageError> {
        let ((name, preprocessing, label_bytes), rest) = take(section)?;
        let (tensors, rest) = take_list(rest)?;
        let (layers, rest) = take_list::<Layer, MAX_LAYERS>(rest)?;
        let ((start, _), rest) = take::<(u32, u32)>(rest)?;
        if !(1..=MAX_LABEL).contains(&usize::from(label_bytes)) || !rest.is_empty() {
            return Err(PackageError::Manifest);
        }
        let (mut scratch, mut stages) = (Vec::new(), Vec::new());
        if schedule.is_empty() {
            scratch.extend(layers.iter().map(|_| start));
        } else {
            let malformed = PackageError::Section { kind: SectionKind::Schedule };
            let (places, rest) = take_list(schedule).map_err(|_| malformed)?;
            let (found, rest) = take_list(rest).map_err(|_| malformed)?;
            if places.len() != layers.len() || !rest.is_empty() {
                return Err(malformed);
            }
            (scratch, stages) = (places, found);
        }
        Ok(Self { name, preprocessing, label_bytes, graph: Graph { tensors, layers, scratch, stages } })
    }

    /// The manifest section and that of the schedule, which is empty where layers run by themselves and their working
    /// memories all lie in one place.
    #[cfg(feature = "std")]
    pub(super) fn encode(&self, layout: WeightLayout) -> Result<(std::vec::Vec<u8>, std::vec::Vec<u8>), PackageError> {
        let Self { name, preprocessing, label_bytes, graph } = self;
        let places = || (0..graph.layers.len()).map(|index| graph.scratch_range(index, layout));
        let used = || places().filter(|place| !place.is_empty());
        let start = used().next().map_or(0, |place| place.start);
        let has_one_place = graph.stages.is_empty() && used().all(|place| place.start == start);
        let scratch = if has_one_place { (start, used().map(|place| place.len()).max().unwrap_or(0)) } else { (0, 0) };
        let manifest = (name, preprocessing, label_bytes, (&graph.tensors, &graph.layers, scratch));
        let encoded = |result: postcard::Result<std::vec::Vec<u8>>| result.map_err(|_| PackageError::Manifest);
        let schedule = match has_one_place {
            true => std::vec::Vec::new(),
            false => encoded(postcard::to_stdvec(&(&graph.scratch, &graph.stages)))?,
        };
        Ok((encoded(postcard::to_stdvec(&manifest))?, schedule))
    }
}

/// Decodes what `bytes` start with; returns the rest as well.
fn take<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), PackageError> {
    postcard::take_from_bytes(bytes).map_err(|_| PackageError::Manifest)
}

/// As [`take`], of a list: its length, a varint, comes first.
fn take_list<T: DeserializeOwned, const N: usize>(bytes: &[u8]) -> Result<(Vec<T, N>, &[u8]), PackageError> {
    let (length, _) = take::<u32>(bytes)?;
    if length as usize > N {
        return Err(PackageError::Capacity);
    }
    take(bytes)
}
