//! The package: bytes in flash, checked once, then read in place.
//!
//! [`Package::new_checked`] is the one door for untrusted bytes. It verifies the checksum, every length and
//! offset, and that the graph's shapes, places and parameters agree; afterwards no accessor can fail. The
//! byte layout, its limits and its versioning rule are in `docs/package-format.md`.
//!
//! ```text
//! header │ section table │ manifest │ weights │ labels │ golden vectors │ label bitmaps │ CRC-32
//! ```

#[cfg(feature = "std")]
mod aligned;
mod bitmaps;
mod checksum;
mod decode;
mod error;
mod header;
mod manifest;
mod sections;
#[cfg(feature = "std")]
mod writer;

#[cfg(feature = "std")]
pub use aligned::AlignedBytes;
pub use bitmaps::LabelBitmap;
pub use checksum::{CRC32, Crc32};
pub(crate) use decode::Decoder;
pub use error::PackageError;
pub use header::{FORMAT_MAJOR, FORMAT_MINOR, Header, MAGIC};
pub use manifest::{Fit, Manifest, Preprocessing};
pub use sections::{GoldenVector, LayerParameters, SectionKind};
#[cfg(feature = "std")]
pub use writer::{PackageBuilder, RepackError, repack, repack_within, set_measured_hash};

use crate::graph::{self, Graph, Tensor};
use crate::kernels::arch;
use crate::layout::WeightLayout;
use sections::Sections;

/// A checked package: a view of the bytes and the decoded manifest.
#[derive(Debug, Clone)]
pub struct Package<'a> {
    header: Header,
    manifest: Manifest,
    input: Tensor,
    output: Tensor,
    sections: Sections<'a>,
}

impl<'a> Package<'a> {
    /// Checks `bytes` and opens them. `bytes` may be longer than the package (a flash partition).
    ///
    /// # Errors
    /// The first thing that is wrong, as a [`PackageError`].
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, PackageError> {
        Self::open(bytes, arch::runs)
    }

    /// As [`Self::new_checked`], for hosts, which prepare packages for boards as well: weights may be laid out for
    /// another instruction set, and a [`Recognizer`](crate::recognizer::Recognizer) of such a package does not run.
    ///
    /// # Errors
    /// As [`Self::new_checked`].
    #[cfg(feature = "std")]
    pub fn for_any_target(bytes: &'a [u8]) -> Result<Self, PackageError> {
        Self::open(bytes, |_| true)
    }

    #[inline(never)] // once in every image
    fn open(bytes: &'a [u8], is_for_here: fn(WeightLayout) -> bool) -> Result<Self, PackageError> {
        let header = Header::read(bytes)?;
        if !is_for_here(header.layout) {
            return Err(PackageError::Layout { layout: header.layout.id() });
        }
        let body = header.checked_body(bytes)?;
        let sections = Sections::read(&header, body)?;
        let mut manifest = Manifest::empty();
        manifest.decode(sections.get(SectionKind::Manifest), sections.get(SectionKind::Schedule))?;
        let graph = &manifest.graph;
        graph::check(graph, header.layout, sections.get(SectionKind::Weights).len(), header.arena_bytes as usize)
            .map_err(|(layer, problem)| PackageError::Graph { layer: layer.map(|index| index as u16), problem })?;
        let (Some(&input), Some(&output)) = (graph.input(), graph.output()) else { return Err(PackageError::Manifest) };
        sections.check_against(&manifest, &input, &output)?;
        Ok(Self { header, manifest, input, output, sections })
    }

    /// The fixed header: versions, sizes, hash of the measurements.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The decoded manifest: name, preprocessing, graph.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The INT8 graph.
    pub const fn graph(&self) -> &Graph {
        &self.manifest.graph
    }

    /// Length of the package, in bytes.
    pub const fn package_bytes(&self) -> usize {
        self.header.total_bytes as usize
    }

    /// Bytes of arena that inference needs.
    pub const fn arena_bytes(&self) -> usize {
        self.header.arena_bytes as usize
    }

    /// Number of classes.
    pub const fn classes(&self) -> usize {
        self.output.channels as usize
    }

    /// The input tensor.
    pub const fn input(&self) -> &Tensor {
        &self.input
    }

    /// The tensor of the logits.
    pub const fn output(&self) -> &Tensor {
        &self.output
    }

    /// The label of `class`; empty for a class that the package does not have.
    pub fn label(&self, class: usize) -> &'a str {
        self.sections.label(class, self.manifest.label_bytes)
    }

    /// Labels of all classes in order.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> + '_ {
        (0..self.classes()).map(|class| self.label(class))
    }

    /// The picture of the label of `class`; `None` where the package has none of it.
    pub fn label_bitmap(&self, class: usize) -> Option<LabelBitmap<'a>> {
        self.sections.label_bitmap(class, self.classes())
    }

    /// Bias, multipliers and weights of the layer at `index`; empty slices for layers without any.
    pub fn parameters(&self, index: usize) -> LayerParameters<'a> {
        self.sections.parameters(&self.manifest.graph, index)
    }

    /// Inputs with the outputs that they must give: the self-test of a board.
    pub fn golden(&self) -> impl Iterator<Item = GoldenVector<'a>> + use<'a> {
        self.sections.golden(self.input().bytes(), self.output().bytes())
    }

    /// CRC-32 of manifest and weights, the identity of the model whatever was measured of it since.
    pub fn model_id(&self) -> u32 {
        let mut digest = CRC32;
        digest.update(self.sections.get(SectionKind::Manifest));
        digest.update(self.sections.get(SectionKind::Weights));
        digest.finalize()
    }
}
