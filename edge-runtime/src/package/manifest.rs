//! The manifest: the only part of a package that is decoded instead of read in place.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::decode::Decoder;
use super::{PackageError, SectionKind};
use crate::graph::Graph;
#[cfg(feature = "std")]
use crate::layout::WeightLayout;
use crate::limits::{MAX_LABEL, MAX_NAME};

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
    /// One to decode into: a manifest is too large to be handed about.
    pub(super) fn empty() -> Self {
        let preprocessing = Preprocessing { fit: Fit::WholeImage, ink_threshold: 0 };
        Self { name: String::new(), preprocessing, label_bytes: 0, graph: Graph::default() }
    }

    /// Decodes a manifest section and the section of the schedule, which may be empty, into an empty manifest. Its checks end
    /// with these; [`crate::graph::check`] does the rest.
    #[inline(never)] // its locals would stay on the stack of the door
    pub(super) fn decode(&mut self, section: &[u8], schedule: &[u8]) -> Result<(), PackageError> {
        let mut decoder = Decoder::new(section);
        decoder.string(&mut self.name);
        self.preprocessing = decoder.preprocessing();
        self.label_bytes = decoder.u8();
        decoder.graph(&mut self.graph)?;
        if !decoder.finish() || !(1..=MAX_LABEL).contains(&usize::from(self.label_bytes)) {
            return Err(PackageError::Manifest);
        }
        if !schedule.is_empty() {
            let mut decoder = Decoder::new(schedule);
            decoder.schedule(&mut self.graph)?;
            if !decoder.finish() || self.graph.scratch.len() != self.graph.layers.len() {
                return Err(PackageError::Section { kind: SectionKind::Schedule });
            }
        }
        Ok(())
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
