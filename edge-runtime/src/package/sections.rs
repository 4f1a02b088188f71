//! The section table and the raw sections behind it.

use super::bitmaps::{LabelBitmap, LabelBitmaps};
use super::header::{field, read_u32};
use super::{Header, Manifest, PackageError};
use crate::graph::{Graph, Layer, Tensor};
use crate::limits::ALIGNMENT;

/// What a section holds. Readers skip kinds that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u32)]
pub enum SectionKind {
    /// The postcard manifest.
    Manifest = 1,
    /// Biases, multipliers and weights of all layers.
    Weights = 2,
    /// One label a class, each `label_bytes` long, padded with zeros.
    Labels = 3,
    /// Inputs, each followed by its logits.
    Golden = 4,
    /// Pictures of the labels (since format 1.1).
    LabelBitmaps = 5,
    /// When and where the layers run, where not each by itself with one working memory for all (since format 1.2).
    Schedule = 6,
}

impl SectionKind {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::Manifest, Self::Weights, Self::Labels, Self::Golden, Self::LabelBitmaps, Self::Schedule];

    /// Whether no package is without.
    const fn is_required(self) -> bool {
        matches!(self, Self::Manifest | Self::Weights | Self::Labels)
    }
}

/// Bytes of one entry of the section table: kind, offset, length.
pub(super) const ENTRY_BYTES: usize = 12;

/// Largest bias, exclusive: with [`crate::limits::MAX_FAN_IN`] products no accumulator overflows.
const MAX_BIAS: i32 = 1 << 30;

/// The parameters of one layer, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayerParameters<'a> {
    /// One bias an output channel, the input's zero point folded in.
    pub bias: &'a [i32],
    /// One multiplier an output channel ([`crate::quant`]).
    pub multipliers: &'a [i32],
    /// Weights in the package's layout.
    pub weights: &'a [i8],
}

impl<'a> LayerParameters<'a> {
    /// Finds the parameters of `layer` in a weight section; `None` where it has none or they lie outside.
    pub fn read(weights: &'a [u8], graph: &Graph, layer: &Layer) -> Option<Self> {
        let sizes = graph.parameter_sizes(layer)?;
        let block = weights.get(layer.operator.parameters()?.offset as usize..)?;
        let (bias, rest) = block.split_at_checked(4 * sizes.channels)?;
        let (multipliers, rest) = rest.split_at_checked(4 * sizes.channels)?;
        Some(Self {
            bias: bytemuck::try_cast_slice(bias).ok()?,
            multipliers: bytemuck::try_cast_slice(multipliers).ok()?,
            weights: bytemuck::cast_slice(rest.get(..sizes.weights)?),
        })
    }
}

/// An input with the output that it must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoldenVector<'a> {
    /// Bytes of the input tensor.
    pub input: &'a [u8],
    /// Bytes of the logits.
    pub output: &'a [u8],
}

/// The sections that this version knows, in the order of their kinds; those that may be missing are empty then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sections<'a>([&'a [u8]; SectionKind::ALL.len()]);

impl<'a> Sections<'a> {
    /// Finds the sections in `body`, the package without its checksum.
    #[inline(never)]
    pub fn read(header: &Header, body: &'a [u8]) -> Result<Self, PackageError> {
        let table_bytes = usize::from(header.sections) * ENTRY_BYTES;
        let table = body.get(field::END..field::END + table_bytes).ok_or(PackageError::Header)?;
        let mut sections: [&[u8]; _] = [&[]; SectionKind::ALL.len()];
        for (section, kind) in sections.iter_mut().zip(SectionKind::ALL) {
            let missing: Option<&[u8]> = if kind.is_required() { None } else { Some(&[]) };
            *section = find(table, body, kind, missing).ok_or(PackageError::Section { kind })?;
        }
        Ok(Self(sections))
    }

    /// The section of `kind`.
    pub fn get(&self, kind: SectionKind) -> &'a [u8] {
        self.0.get(kind as usize - 1).copied().unwrap_or_default()
    }

    /// The sections that are required or not empty, in the order of their kinds.
    #[cfg(feature = "std")]
    pub fn present(&self) -> impl Iterator<Item = (SectionKind, &'a [u8])> {
        let all = SectionKind::ALL.into_iter().zip(self.0);
        all.filter(|(kind, section)| kind.is_required() || !section.is_empty())
    }

    /// Checks the sections' lengths and contents against the manifest, whose graph has been checked.
    #[inline(always)] // its one caller has all of it at hand
    pub fn check_against(&self, manifest: &Manifest, input: &Tensor, output: &Tensor) -> Result<(), PackageError> {
        let graph = &manifest.graph;
        let classes = output.elements();
        if self.get(SectionKind::Labels).len() != classes * usize::from(manifest.label_bytes) {
            return Err(PackageError::Section { kind: SectionKind::Labels });
        }
        for class in 0..classes {
            let label = self.label_bytes(class, manifest.label_bytes);
            if label.is_none_or(|label| core::str::from_utf8(label).is_err()) {
                return Err(PackageError::Label { class: class as u16 });
            }
        }
        if !self.get(SectionKind::Golden).len().is_multiple_of(input.bytes() + output.bytes()) {
            return Err(PackageError::Section { kind: SectionKind::Golden });
        }
        if !self.get(SectionKind::LabelBitmaps).is_empty()
            && LabelBitmaps::read(self.get(SectionKind::LabelBitmaps), classes).is_none()
        {
            return Err(PackageError::Section { kind: SectionKind::LabelBitmaps });
        }
        for index in 0..graph.layers.len() {
            let parameters = self.parameters(graph, index);
            let bias_fits = parameters.bias.iter().all(|bias| (-MAX_BIAS + 1..MAX_BIAS).contains(bias));
            if !bias_fits || parameters.multipliers.iter().any(|&multiplier| multiplier < 0) {
                return Err(PackageError::Section { kind: SectionKind::Weights });
            }
        }
        Ok(())
    }

    /// Parameters of the layer at `index`; empty for layers without any.
    pub fn parameters(&self, graph: &Graph, index: usize) -> LayerParameters<'a> {
        graph
            .layers
            .get(index)
            .and_then(|layer| LayerParameters::read(self.get(SectionKind::Weights), graph, layer))
            .unwrap_or_default()
    }

    /// The label of `class`, without its padding; empty for an unknown class.
    #[inline(never)]
    pub fn label(&self, class: usize, label_bytes: u8) -> &'a str {
        let padded = self.label_bytes(class, label_bytes).unwrap_or_default();
        let length = padded.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        padded.get(..length).and_then(|label| core::str::from_utf8(label).ok()).unwrap_or_default()
    }

    fn label_bytes(&self, class: usize, label_bytes: u8) -> Option<&'a [u8]> {
        let length = usize::from(label_bytes);
        self.get(SectionKind::Labels).get(class.checked_mul(length)?..)?.get(..length)
    }

    /// The picture of the label of `class`, one of `classes`; `None` where there is none.
    pub fn label_bitmap(&self, class: usize, classes: usize) -> Option<LabelBitmap<'a>> {
        LabelBitmaps::of_checked(self.get(SectionKind::LabelBitmaps), classes)?.get(class)
    }

    /// The golden vectors.
    pub fn golden(&self, input_bytes: usize, output_bytes: usize) -> impl Iterator<Item = GoldenVector<'a>> + use<'a> {
        // No tensor is empty, so neither is a record.
        self.get(SectionKind::Golden).chunks_exact((input_bytes + output_bytes).max(1)).filter_map(move |record| {
            let (input, output) = record.split_at_checked(input_bytes)?;
            Some(GoldenVector { input, output })
        })
    }
}

/// The bytes of the first section of `kind`, or `missing` where the table has none; `None` where they are not well placed.
fn find<'a>(table: &[u8], body: &'a [u8], kind: SectionKind, missing: Option<&'a [u8]>) -> Option<&'a [u8]> {
    let Some(entry) = table.chunks_exact(ENTRY_BYTES).find(|entry| read_u32(entry, 0..4) == kind as u32) else {
        return missing;
    };
    let (offset, length) = (read_u32(entry, 4..8) as usize, read_u32(entry, 8..12) as usize);
    let is_well_placed = offset.is_multiple_of(ALIGNMENT) && offset >= field::END + table.len();
    body.get(offset..offset.checked_add(length)?).filter(|_| is_well_placed)
}
