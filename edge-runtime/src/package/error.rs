//! What the reader refuses, one sentence each.

use core::fmt;

use crate::graph::LayerError;
use crate::package::{FORMAT_MAJOR, SectionKind};

/// Why bytes are not a package that this runtime can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PackageError {
    /// The bytes do not start with the magic of a package.
    NotAPackage,
    /// The package was written in a format that this runtime does not know.
    Version {
        /// Major version of the package.
        major: u16,
        /// Minor version of the package.
        minor: u16,
    },
    /// The weights are laid out for an instruction set that this build has no kernels for.
    Layout {
        /// Identifier of the layout.
        layout: u16,
    },
    /// There are fewer bytes than the header announces.
    Truncated {
        /// Bytes announced.
        expected: u32,
        /// Bytes given.
        actual: u32,
    },
    /// The checksum does not fit the bytes.
    Checksum {
        /// Checksum stored in the package.
        stored: u32,
        /// Checksum of the bytes.
        computed: u32,
    },
    /// The bytes do not start at a multiple of four, so 32-bit words cannot be read in place.
    Misaligned,
    /// A section is missing, outside the package or inside its table, misaligned, or of the wrong length.
    Section {
        /// Which section.
        kind: SectionKind,
    },
    /// The header or section table contradicts itself.
    Header,
    /// The manifest cannot be decoded.
    Manifest,
    /// There are more layers or tensors than this runtime has room for: one with larger limits may run the package.
    Capacity,
    /// The graph cannot be run as described.
    Graph {
        /// The layer, `None` for the tensor list as a whole.
        layer: Option<u16>,
        /// What is wrong.
        problem: LayerError,
    },
    /// A class label is not UTF-8.
    Label {
        /// The class.
        class: u16,
    },
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotAPackage => {
                f.write_str("not a fude package (the first bytes are wrong); name a file that was exported")
            }
            Self::Version { major, minor } => {
                write!(f, "format version {major}.{minor}, this runtime reads {FORMAT_MAJOR}.x; use a matching fude")
            }
            Self::Layout { layout } => {
                write!(f, "weights are laid out for another target (layout {layout}); export for this one")
            }
            Self::Truncated { expected, actual } => {
                write!(f, "truncated: {actual} bytes of {expected}; copy the package again")
            }
            Self::Checksum { stored, computed } => {
                write!(f, "corrupted: checksum {computed:08x} where {stored:08x} is stored; copy the package again")
            }
            Self::Misaligned => f.write_str("the package does not start at a multiple of 4 bytes; move its partition"),
            Self::Section { kind } => write!(f, "section {kind:?} is missing or malformed; export the package again"),
            Self::Header => f.write_str("the header contradicts itself; export the package again"),
            Self::Manifest => f.write_str("the manifest cannot be decoded; export the package again"),
            Self::Capacity => {
                f.write_str("more layers or tensors than this runtime has room for; choose a smaller model")
            }
            Self::Graph { layer: Some(layer), problem } => {
                write!(f, "layer {layer} cannot be run ({problem:?}); export the package again")
            }
            Self::Graph { layer: None, problem } => {
                write!(f, "the graph cannot be run ({problem:?}); export the package again")
            }
            Self::Label { class } => write!(f, "the label of class {class} is not UTF-8; export the package again"),
        }
    }
}

impl core::error::Error for PackageError {}
