//! The recogniser: an image in, the best classes out.

use core::fmt;

use crate::ink::{Image, normalize};
use crate::kernels::arch::run_step;
use crate::kernels::{self, Answers};
use crate::package::Package;
use crate::profile::{LayerObserver, Unobserved};

/// Why a recogniser cannot be made or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RecognizerError {
    /// The arena is smaller than the package asks for.
    Arena {
        /// Bytes needed.
        needed: u32,
        /// Bytes given.
        given: u32,
    },
    /// The input handed over is not as long as the input tensor.
    InputLength {
        /// Bytes of the input tensor.
        needed: u32,
        /// Bytes given.
        given: u32,
    },
    /// A golden vector gave other logits than the host's: the board computes wrongly.
    SelfTest {
        /// Which vector.
        vector: u16,
    },
    /// The memory plan contradicts itself, which the package reader rules out.
    Plan {
        /// The layer at which it showed.
        layer: u16,
    },
}

impl fmt::Display for RecognizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Arena { needed, given } => write!(f, "the arena has {given} bytes, the package needs {needed}"),
            Self::InputLength { needed, given } => write!(f, "the input has {given} bytes, the model takes {needed}"),
            Self::SelfTest { vector } => write!(f, "golden vector {vector} gave other logits than on the host"),
            Self::Plan { layer } => write!(f, "the memory plan contradicts itself at layer {layer}"),
        }
    }
}

impl core::error::Error for RecognizerError {}

/// Runs a checked package in an arena.
#[derive(Debug)]
pub struct Recognizer<'a> {
    package: &'a Package<'a>,
    arena: &'a mut [u8],
}

impl<'a> Recognizer<'a> {
    /// A recogniser that works in `arena`, of at least [`Package::arena_bytes`] bytes; where its address is no multiple of
    /// [`WeightLayout::scratch_alignment`](crate::layout::WeightLayout::scratch_alignment), the first few are left out.
    ///
    /// # Errors
    /// [`RecognizerError::Arena`] where the arena is too small.
    #[inline(never)] // once in every image
    pub fn new(package: &'a Package<'a>, arena: &'a mut [u8]) -> Result<Self, RecognizerError> {
        // A model whose kernels need no alignment may lie anywhere: small boards have no bytes to spare.
        let alignment = package.header().layout.scratch_alignment();
        let skipped = arena.as_ptr().addr().wrapping_neg() & alignment.wrapping_sub(1);
        let arena = arena.get_mut(skipped..).unwrap_or_default();
        let (needed, given) = (package.arena_bytes(), arena.len());
        if given < needed {
            return Err(RecognizerError::Arena { needed: needed as u32, given: given as u32 });
        }
        Ok(Self { package, arena })
    }

    /// The package that is run.
    pub const fn package(&self) -> &'a Package<'a> {
        self.package
    }

    /// Normalises `image`, runs the model and returns the `k` best classes.
    ///
    /// # Errors
    /// Only [`RecognizerError::Plan`], which a checked package rules out.
    pub fn recognize(&mut self, image: &Image<'_>, k: usize) -> Result<Answers, RecognizerError> {
        self.recognize_observed(image, k, &mut Unobserved)
    }

    /// As [`Self::recognize`], telling `observer` of every layer.
    ///
    /// # Errors
    /// As [`Self::recognize`].
    #[inline(never)] // once in every image
    pub fn recognize_observed(
        &mut self,
        image: &Image<'_>,
        k: usize,
        observer: &mut impl LayerObserver,
    ) -> Result<Answers, RecognizerError> {
        let input = *self.package.input();
        let glyph = self.arena.get_mut(input.range()).ok_or(RecognizerError::Plan { layer: 0 })?;
        let size = (usize::from(input.width), usize::from(input.height));
        normalize(image, self.package.manifest().preprocessing, size, glyph);
        // Pixel p is the integer p − 128: scale 1/255, zero point −128.
        glyph.iter_mut().for_each(|pixel| *pixel ^= 0x80);
        self.run(observer)?;
        Ok(kernels::top_k(self.logits(), self.package.output().element, k))
    }

    /// Runs the model on the bytes of an input tensor and returns the bytes of the logits.
    ///
    /// # Errors
    /// [`RecognizerError::InputLength`] where `input` is not as long as the tensor.
    pub fn infer(&mut self, input: &[u8], observer: &mut impl LayerObserver) -> Result<&[u8], RecognizerError> {
        let needed = self.package.input().bytes();
        match self.arena.get_mut(self.package.input().range()) {
            Some(place) if place.len() == input.len() => place.copy_from_slice(input),
            _ => return Err(RecognizerError::InputLength { needed: needed as u32, given: input.len() as u32 }),
        }
        self.run(observer)?;
        Ok(self.logits())
    }

    /// Bytes of the logits of the last run.
    pub fn logits(&self) -> &[u8] {
        // Never the default: the reader has found the tensor inside the arena, and `new` the arena long enough.
        self.arena.get(self.package.output().range()).unwrap_or_default()
    }

    /// Logits of the last run as numbers, class by class.
    pub fn scores(&self) -> impl Iterator<Item = i16> + '_ {
        kernels::scores(self.logits(), self.package.output().element)
    }

    /// Runs the package's golden vectors and returns how many there were.
    ///
    /// # Errors
    /// [`RecognizerError::SelfTest`] naming the first vector with other logits than the host's.
    pub fn self_test(&mut self) -> Result<usize, RecognizerError> {
        let vectors = self.package.golden();
        let mut count = 0;
        for vector in vectors {
            if self.infer(vector.input, &mut Unobserved)? != vector.output {
                return Err(RecognizerError::SelfTest { vector: count as u16 });
            }
            count += 1;
        }
        Ok(count)
    }

    fn run(&mut self, observer: &mut dyn LayerObserver) -> Result<(), RecognizerError> {
        let (graph, layout) = (self.package.graph(), self.package.header().layout);
        let parameters = |index| self.package.parameters(index);
        let kernel = |step: &_, parameters: &_, arena: &mut [u8]| run_step(layout, step, parameters, arena);
        kernels::run(graph, layout, parameters, kernel, self.arena, observer)
            .map_err(|layer| RecognizerError::Plan { layer: layer as u16 })
    }
}
