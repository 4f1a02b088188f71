//! How weights lie in their section: one arrangement for each family of instruction sets.
//!
//! A kernel that finds its weights in the order in which its registers want them needs no work at run time, so they are
//! arranged on the host, when a package is exported or repacked; the header names the arrangement and a build refuses
//! one that it has no kernels for ([`crate::kernels::arch`]). Every arrangement takes exactly one byte a weight and loses
//! nothing: it can be undone.

#[cfg(feature = "std")]
mod arrange;
#[cfg(feature = "std")]
mod dsp;
pub(crate) mod memory;
#[cfg(feature = "std")]
mod mve;
pub(crate) mod planes;
pub(crate) mod scalar;
#[cfg(any(feature = "std", all(target_arch = "aarch64", target_feature = "neon")))]
pub(crate) mod vector;

#[cfg(feature = "std")]
pub use arrange::ArrangeError;
#[cfg(feature = "std")]
pub(crate) use arrange::rearrange;

use crate::graph::{Operator, Tensor, Window};
use crate::kernels::arch;

/// How weights are arranged inside their section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WeightLayout {
    /// As [`crate::graph::Operator`] describes them.
    Portable,
    /// For the DSP extension of Armv7E-M and Armv8-M: Cortex-M4, M7, M33.
    Dsp,
    /// For the vector extension of Armv8.1-M, MVE: Cortex-M55.
    Mve,
    /// For cores without SIMD instructions: Cortex-M0, M0+, M3.
    Scalar,
    /// For AMX, AVX-512 VNNI and AVX2.
    X86,
    /// For AArch64 with dot products: Cortex-A55, A76 and later.
    Dot,
    /// For AArch64 without: Cortex-A53, A72.
    Neon,
}

impl WeightLayout {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Portable, Self::Dsp, Self::Mve, Self::Scalar, Self::X86, Self::Dot, Self::Neon];

    /// The identifier in the header of a package.
    pub const fn id(self) -> u16 {
        match self {
            Self::Portable => 0,
            Self::Dsp => 1,
            Self::Mve => 2,
            Self::Scalar => 3,
            Self::X86 => 5,
            Self::Dot => 6,
            Self::Neon => 7,
        }
    }

    /// The layout of an identifier.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.id() == id)
    }

    /// The name in command lines and board descriptions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Dsp => "dsp",
            Self::Mve => "mve",
            Self::Scalar => "scalar",
            Self::X86 => "x86",
            Self::Dot => "dotprod",
            Self::Neon => "neon",
        }
    }

    /// The layout of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// Whether a weight may be −128; else all are −127 to 127, as symmetric quantisation makes them.
    pub const fn holds_minus_128(self) -> bool {
        !matches!(self, Self::Dsp)
    }

    /// Windows of `taps` elements that a convolution gathers before it multiplies them by the weights: whole tiles of the
    /// kernel, and more of them where they are so short that every call counts.
    pub(crate) const fn windows(self, taps: usize) -> usize {
        match self {
            Self::Mve if taps <= 160 => 16,
            Self::Mve => 4,
            Self::Portable | Self::Dsp => 2,
            Self::Scalar if taps <= 32 => 12,
            Self::Scalar => 3,
            Self::X86 => 24,
            Self::Dot | Self::Neon => 8,
        }
    }

    /// Bytes of working memory that the kernel of `operator` needs for an input and an output of these shapes.
    pub fn scratch_bytes(self, operator: &Operator, input: &Tensor, output: &Tensor) -> usize {
        self.of_this_build().scratch_for(operator, input, output)
    }

    /// A build for one core has kernels for one layout, and the door refuses every other: said here, the compiler leaves the
    /// sizes of the others out.
    fn of_this_build(self) -> Self {
        let has_one = cfg!(any(feature = "dsp", feature = "mve", feature = "scalar"));
        if has_one { arch::preferred() } else { self }
    }

    fn scratch_for(self, operator: &Operator, input: &Tensor, output: &Tensor) -> usize {
        match *operator {
            Operator::Convolution { window, .. } => {
                let taps = window.area() * usize::from(input.channels);
                let windows = if window.is_pointwise() {
                    0
                } else if is_single_channel(window, input) {
                    self.single_channel_bytes(taps, window, (input, output))
                } else {
                    self.gathered_bytes(self.windows(taps), taps)
                };
                windows + self.product_bytes(taps)
            }
            Operator::Dense { .. } => self.vector_bytes(input.elements()),
            Operator::Depthwise { window, .. } => self.ring_bytes(window, input),
            _ => 0,
        }
    }

    /// What the address of the working memory must be a multiple of: a power of two.
    pub fn scratch_alignment(self) -> usize {
        match self.of_this_build() {
            Self::Portable | Self::Mve | Self::X86 | Self::Dot | Self::Neon => 1,
            Self::Dsp | Self::Scalar => 4,
        }
    }

    /// Whether a depthwise convolution may write over its input, where both have one shape: its kernel keeps the rows
    /// that it still needs in a ring.
    pub fn has_row_ring(self) -> bool {
        !matches!(self.of_this_build(), Self::Portable)
    }

    /// `windows` of `taps` elements, one behind the other.
    pub(crate) const fn gathered_bytes(self, windows: usize, taps: usize) -> usize {
        let bytes = windows * taps;
        match self {
            Self::Portable | Self::Mve | Self::X86 | Self::Dot | Self::Neon => bytes,
            Self::Dsp | Self::Scalar => bytes.next_multiple_of(4),
        }
    }

    /// A 3×3 window over a single channel: rows of it instead of windows, where there is a kernel for that.
    fn single_channel_bytes(self, taps: usize, window: Window, (input, output): (&Tensor, &Tensor)) -> usize {
        match self {
            Self::Mve if planes::by_planes(window, input) => planes::single_plane_bytes(window, input),
            Self::Portable | Self::Mve | Self::Scalar => self.gathered_bytes(self.windows(taps), taps),
            Self::Dsp => self.ring_bytes(window, input),
            Self::X86 | Self::Dot | Self::Neon => {
                memory::narrow_bytes(self, planes::padded_columns(window, input), output.channels.into())
            }
        }
    }

    /// What a matrix product needs beside its windows: some of them widened to 16 bits, or part of three, packed, and sums.
    fn product_bytes(self, taps: usize) -> usize {
        match self {
            Self::Portable | Self::Mve | Self::Dot | Self::Neon => 0,
            Self::Dsp => 2 * 2 * taps.next_multiple_of(2),
            Self::Scalar => scalar::product_bytes(taps),
            Self::X86 => memory::WIDENED_WINDOWS * memory::widened_bytes(taps),
        }
    }

    /// What a vector product needs beside its window.
    fn vector_bytes(self, taps: usize) -> usize {
        match self {
            Self::Portable | Self::Dsp | Self::Mve | Self::Dot | Self::Neon => self.product_bytes(taps),
            Self::Scalar => scalar::vector_bytes(taps),
            Self::X86 => memory::widened_bytes(taps),
        }
    }

    /// The ring of a depthwise convolution: as many padded rows as the window has, of the channels worked on together.
    fn ring_bytes(self, window: Window, input: &Tensor) -> usize {
        let columns = planes::padded_columns(window, input);
        let (rows, channels) = (usize::from(window.size.0), usize::from(input.channels));
        let together = channels.min(PLANES);
        match self {
            Self::Portable => 0,
            Self::Mve if planes::by_planes(window, input) => planes::ring_bytes(window, input),
            Self::Mve => rows * columns * channels,
            Self::Dsp => rows * together * self.plane_columns(columns) * size_of::<i16>(),
            Self::Scalar => rows * together * self.plane_columns(columns),
            Self::X86 | Self::Dot | Self::Neon => memory::ring_bytes(self, window, columns, channels),
        }
    }

    /// Elements of one channel in a padded row that has channels one after the other. In 16 bits these are an even number,
    /// so that words are aligned, and two more, since outputs are computed in pairs.
    pub(crate) const fn plane_columns(self, padded_columns: usize) -> usize {
        match self {
            Self::Dsp => padded_columns.next_multiple_of(2) + 2,
            _ => padded_columns,
        }
    }
}

/// Whether a convolution is one of 3×3 over a single channel, as the first layer of most recognisers.
pub(crate) fn is_single_channel(window: Window, input: &Tensor) -> bool {
    window.size == (3, 3) && input.channels == 1
}

/// Channels of a depthwise convolution that are worked on together where a core computes one after the other: as many as
/// a word of the input holds.
pub(crate) const PLANES: usize = 4;
