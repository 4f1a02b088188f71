//! Writes packages; the host's half of the format.

use core::fmt;
use std::vec::Vec;

use super::bitmaps;
use super::header::{MAGIC, field};
use super::sections::ENTRY_BYTES;
use super::{AlignedBytes, CRC32, FORMAT_MAJOR, FORMAT_MINOR, Manifest, Package, PackageError, SectionKind};
use crate::graph::{Graph, TooLarge, fit_arena, plan_arena};
use crate::layout::{ArrangeError, WeightLayout, rearrange};
use crate::limits::ALIGNMENT;

/// Collects the parts of a package. [`PackageBuilder::finish`] lays them out and passes the result through
/// the reader's own checks.
#[derive(Debug, Clone, Default)]
pub struct PackageBuilder {
    weights: Vec<u8>,
    golden: Vec<u8>,
    label_bitmaps: Vec<u8>,
}

impl PackageBuilder {
    /// A package without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the parameters of a layer and returns their offset in the weight section.
    pub fn push_parameters(&mut self, bias: &[i32], multipliers: &[i32], weights: &[i8]) -> u32 {
        self.weights.resize(self.weights.len().next_multiple_of(ALIGNMENT), 0);
        let offset = self.weights.len() as u32;
        for word in bias.iter().chain(multipliers) {
            self.weights.extend_from_slice(&word.to_le_bytes());
        }
        self.weights.extend_from_slice(bytemuck::cast_slice(weights));
        offset
    }

    /// Appends an input tensor and the logits that it must give.
    pub fn push_golden(&mut self, input: &[u8], output: &[u8]) {
        self.golden.extend_from_slice(input);
        self.golden.extend_from_slice(output);
    }

    /// Gives the labels pictures: `bitmaps` are in class order, each `height` rows of pixels from the top, ink `true`,
    /// and empty for a label without. None of them, or no bitmaps at all, leaves the section out.
    ///
    /// # Errors
    /// [`PackageError::Section`] where a bitmap is no whole number of rows or has more than 255 columns.
    pub fn set_label_bitmaps(&mut self, height: u8, bitmaps: &[Vec<bool>]) -> Result<(), PackageError> {
        let rows = usize::from(height).max(1);
        let width =
            |bitmap: &Vec<bool>| u8::try_from(bitmap.len() / rows).ok().filter(|_| bitmap.len().is_multiple_of(rows));
        let widths: Option<Vec<u8>> = bitmaps.iter().map(width).collect();
        let widths = widths.ok_or(PackageError::Section { kind: SectionKind::LabelBitmaps })?;
        let cell_width = widths.iter().copied().max().unwrap_or(0);
        self.label_bitmaps.clear();
        if cell_width == 0 {
            return Ok(());
        }
        let mut header = [0; bitmaps::HEADER_BYTES];
        (header[0], header[1]) = (cell_width, height);
        self.label_bitmaps.extend_from_slice(&header);
        self.label_bitmaps.extend_from_slice(&widths);
        let row_bytes = usize::from(cell_width).div_ceil(8);
        for (bitmap, &width) in bitmaps.iter().zip(&widths) {
            let start = self.label_bitmaps.len();
            self.label_bitmaps.resize(start + rows * row_bytes, 0);
            for place in (0..bitmap.len()).filter(|&place| bitmap[place]) {
                let (x, y) = (place % usize::from(width), place / usize::from(width));
                self.label_bitmaps[start + y * row_bytes + x / 8] |= 0x80 >> (x % 8);
            }
        }
        Ok(())
    }

    /// Lays out the package. `labels` are in class order; `manifest.label_bytes` is set here.
    ///
    /// # Errors
    /// Whatever the reader would refuse: a graph or label beyond the limits.
    pub fn finish(&self, manifest: &Manifest, labels: &[&str]) -> Result<Vec<u8>, PackageError> {
        let longest = labels.iter().map(|label| label.len()).max().unwrap_or(1).max(1);
        let mut label_section = Vec::new();
        for label in labels {
            label_section.extend_from_slice(label.as_bytes());
            label_section.resize(label_section.len() + longest - label.len(), 0);
        }
        let label_bytes = u8::try_from(longest).map_err(|_| PackageError::Section { kind: SectionKind::Labels })?;
        let manifest = Manifest { label_bytes, ..manifest.clone() };
        let layout = WeightLayout::Portable;
        let arena_bytes = manifest.graph.arena_bytes(layout) as u32;
        let (manifest, schedule) = manifest.encode(layout)?;

        let mut sections = std::vec![
            (SectionKind::Manifest, manifest.as_slice()),
            (SectionKind::Weights, &self.weights),
            (SectionKind::Labels, &label_section),
            (SectionKind::Golden, &self.golden),
        ];
        if !self.label_bitmaps.is_empty() {
            sections.push((SectionKind::LabelBitmaps, &self.label_bitmaps));
        }
        if !schedule.is_empty() {
            sections.push((SectionKind::Schedule, &schedule));
        }
        let bytes = lay_out(&sections, layout, arena_bytes);
        Package::for_any_target(AlignedBytes::copy_of(&bytes).as_slice())?;
        Ok(bytes)
    }
}

/// Why a package cannot be laid out anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepackError {
    /// The package is refused.
    Package(PackageError),
    /// The weights of a layer do not fit the layout.
    Arrange {
        /// The layer.
        layer: usize,
        /// Why.
        problem: ArrangeError,
    },
    /// The layers need a larger arena.
    Arena(TooLarge),
}

impl fmt::Display for RepackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(error) => error.fmt(f),
            Self::Arrange { layer, problem } => write!(f, "layer {layer}: {problem}"),
            Self::Arena(problem) => problem.fmt(f),
        }
    }
}

impl core::error::Error for RepackError {}

impl From<PackageError> for RepackError {
    fn from(error: PackageError) -> Self {
        Self::Package(error)
    }
}

/// The same model with its weights laid out as `layout` says and the arena planned for its kernels.
///
/// # Errors
/// [`RepackError`] where the package is refused or the layout cannot hold its weights.
pub fn repack(package: &[u8], layout: WeightLayout) -> Result<Vec<u8>, RepackError> {
    repack_planned(package, layout, |graph| {
        plan_arena(graph, layout);
        Ok(())
    })
}

/// As [`repack`], with an arena of at most `limit` bytes: where it takes that, layers run band by band.
///
/// # Errors
/// As [`repack`]; [`RepackError::Arena`] where the layers need more.
pub fn repack_within(package: &[u8], layout: WeightLayout, limit: usize) -> Result<Vec<u8>, RepackError> {
    repack_planned(package, layout, |graph| fit_arena(graph, layout, limit).map_err(RepackError::Arena))
}

fn repack_planned(
    package: &[u8],
    layout: WeightLayout,
    plan: impl Fn(&mut Graph) -> Result<(), RepackError>,
) -> Result<Vec<u8>, RepackError> {
    let aligned = AlignedBytes::copy_of(package);
    let package = Package::for_any_target(aligned.as_slice())?;
    let mut manifest = package.manifest().clone();
    let weights =
        rearrange(package.sections.get(SectionKind::Weights), &manifest.graph, package.header().layout, layout)
            .map_err(|(layer, problem)| RepackError::Arrange { layer, problem })?;
    plan(&mut manifest.graph)?;
    let arena_bytes = manifest.graph.arena_bytes(layout) as u32;
    let (manifest, schedule) = manifest.encode(layout)?;
    let replace = |(kind, section)| match kind {
        SectionKind::Manifest => (kind, manifest.as_slice()),
        SectionKind::Weights => (kind, weights.as_slice()),
        _ => (kind, section),
    };
    let kept = package.sections.present().filter(|&(kind, _)| kind != SectionKind::Schedule);
    let mut sections: Vec<_> = kept.map(replace).collect();
    if !schedule.is_empty() {
        sections.push((SectionKind::Schedule, &schedule));
    }
    let mut bytes = lay_out(&sections, layout, arena_bytes);
    bytes[field::MEASURED].copy_from_slice(&package.header().measured_sha256);
    seal(&mut bytes);
    Package::for_any_target(AlignedBytes::copy_of(&bytes).as_slice())?;
    Ok(bytes)
}

fn lay_out(sections: &[(SectionKind, &[u8])], layout: WeightLayout, arena_bytes: u32) -> Vec<u8> {
    let mut bytes = std::vec![0; field::END + sections.len() * ENTRY_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[field::MAJOR].copy_from_slice(&FORMAT_MAJOR.to_le_bytes());
    bytes[field::MINOR].copy_from_slice(&FORMAT_MINOR.to_le_bytes());
    bytes[field::LAYOUT].copy_from_slice(&layout.id().to_le_bytes());
    bytes[field::SECTIONS].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    bytes[field::ARENA_BYTES].copy_from_slice(&arena_bytes.to_le_bytes());
    for (index, (kind, section)) in sections.iter().enumerate() {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        let entry = field::END + index * ENTRY_BYTES;
        let fields = [*kind as u32, bytes.len() as u32, section.len() as u32];
        for (word, place) in fields.iter().zip(bytes[entry..entry + ENTRY_BYTES].chunks_exact_mut(4)) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(section);
    }
    bytes.resize(bytes.len().next_multiple_of(4) + field::CHECKSUM_BYTES, 0);
    let total = bytes.len() as u32;
    bytes[field::TOTAL_BYTES].copy_from_slice(&total.to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// Stores the SHA-256 of the file of measurements in a package and renews the checksum.
///
/// # Errors
/// Whatever the reader refuses of `package`.
pub fn set_measured_hash(package: &mut Vec<u8>, sha256: &[u8; 32]) -> Result<(), PackageError> {
    let total = Package::for_any_target(AlignedBytes::copy_of(package).as_slice())?.package_bytes();
    package.truncate(total);
    package[field::MEASURED].copy_from_slice(sha256);
    seal(package);
    Ok(())
}

fn seal(package: &mut [u8]) {
    let body = package.len() - field::CHECKSUM_BYTES;
    let checksum = CRC32.checksum(&package[..body]);
    package[body..].copy_from_slice(&checksum.to_le_bytes());
}
