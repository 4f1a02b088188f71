//! The manifest: the only part of a package that is decoded instead of read in place.

use heapless::{String, Vec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::PackageError;
use crate::graph::Graph;
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Decodes a manifest section. Its checks end with this section; [`crate::graph::check`] does the rest.
    ///
    /// Field by field, which is how postcard writes a struct: a list beyond this runtime's capacity is then no damage.
    pub(super) fn decode(section: &[u8]) -> Result<Self, PackageError> {
        let ((name, preprocessing, label_bytes), rest) = take(section)?;
        let (tensors, rest) = take_list(rest)?;
        let (layers, rest) = take_list(rest)?;
        let (scratch, rest) = take(rest)?;
        if !(1..=MAX_LABEL).contains(&usize::from(label_bytes)) || !rest.is_empty() {
            return Err(PackageError::Manifest);
        }
        Ok(Self { name, preprocessing, label_bytes, graph: Graph { tensors, layers, scratch } })
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
