//! The recogniser: an image in, the best classes out.

use core::fmt;
use core::ops::Range;

use crate::graph::{Layer, Operator};
use crate::ink::{Image, normalize};
use crate::kernels::arch::Active;
use crate::kernels::{self, Answers, View};
use crate::package::Package;
use crate::profile::{LayerObserver, Unobserved};
use crate::quant::Addition;

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
    package: Package<'a>,
    arena: &'a mut [u8],
}

impl<'a> Recognizer<'a> {
    /// A recogniser that works in `arena`, of at least [`Package::arena_bytes`] bytes.
    ///
    /// # Errors
    /// [`RecognizerError::Arena`] where the arena is too small.
    pub fn new(package: Package<'a>, arena: &'a mut [u8]) -> Result<Self, RecognizerError> {
        let (needed, given) = (package.arena_bytes(), arena.len());
        if given < needed {
            return Err(RecognizerError::Arena { needed: needed as u32, given: given as u32 });
        }
        Ok(Self { package, arena })
    }

    /// The package that is run.
    pub const fn package(&self) -> &Package<'a> {
        &self.package
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

    fn run(&mut self, observer: &mut impl LayerObserver) -> Result<(), RecognizerError> {
        for (index, layer) in self.package.graph().layers.iter().enumerate() {
            observer.before(index);
            let output = run_layer(&self.package, self.arena, index, layer);
            observer.after(index, output.ok_or(RecognizerError::Plan { layer: index as u16 })?);
        }
        Ok(())
    }
}

/// Runs one layer and returns the bytes of its output; `None` where the memory plan lets tensors overlap that may
/// not.
fn run_layer<'m>(package: &Package<'_>, arena: &'m mut [u8], index: usize, layer: &Layer) -> Option<&'m [u8]> {
    let graph = package.graph();
    let (input, output) = (graph.tensor(layer.input)?, graph.tensor(layer.output)?);
    let parameters = package.parameters(index);
    let scratch_start = graph.scratch.0 as usize;
    let scratch = match graph.scratch_bytes(layer) {
        0 => 0..0,
        bytes => scratch_start..scratch_start + bytes,
    };
    let view = |tensor, bytes| View { tensor, data: bytemuck::cast_slice(bytes) };

    match layer.operator {
        Operator::Convolution { window, parameters: p } => {
            let slices = arena.get_disjoint_mut([input.range(), output.range(), scratch]).ok()?;
            let [source, target, scratch] = slices;
            let (target, scratch) = (bytemuck::cast_slice_mut(target), bytemuck::cast_slice_mut(scratch));
            let rule = kernels::requantization(&p, output);
            let source = view(input, source);
            kernels::convolution::<Active>(source, window, &parameters, rule, (output, target), scratch);
        }
        Operator::Depthwise { window, parameters: p } => {
            let [source, target] = arena.get_disjoint_mut([input.range(), output.range()]).ok()?;
            let rule = kernels::requantization(&p, output);
            let target = (output, bytemuck::cast_slice_mut(target));
            kernels::depthwise::<Active>(view(input, source), window, &parameters, rule, target);
        }
        Operator::Dense { parameters: p } => {
            let [source, target] = arena.get_disjoint_mut([input.range(), output.range()]).ok()?;
            let rule = kernels::requantization(&p, output);
            kernels::dense::<Active>(bytemuck::cast_slice(source), &parameters, rule, output.element, target);
        }
        Operator::Pool { window, kind } => {
            let [source, target] = arena.get_disjoint_mut([input.range(), output.range()]).ok()?;
            kernels::pool(view(input, source), window, kind, (output, bytemuck::cast_slice_mut(target)));
        }
        Operator::Gate { gate, multiplier, shift } => {
            let gate = graph.tensor(gate)?;
            move_tensor(arena, input.range(), output.range())?;
            let [gates, target] = arena.get_disjoint_mut([gate.range(), output.range()]).ok()?;
            let rule = kernels::plain_requantization(shift, output);
            let zero_point = i32::from(input.zero_point);
            kernels::gate(bytemuck::cast_slice_mut(target), zero_point, view(gate, gates), multiplier, rule);
        }
        Operator::Add { other, multipliers, shift, bounds } => {
            let other = graph.tensor(other)?;
            move_tensor(arena, input.range(), output.range())?;
            let [addend, target] = arena.get_disjoint_mut([other.range(), output.range()]).ok()?;
            let rule = Addition {
                input_zero_points: [input.zero_point.into(), other.zero_point.into()],
                multipliers: [multipliers.0, multipliers.1],
                shift,
                zero_point: output.zero_point.into(),
                min: bounds.0.into(),
                max: bounds.1.into(),
            };
            kernels::add(bytemuck::cast_slice_mut(target), bytemuck::cast_slice(addend), rule);
        }
    }
    arena.get(output.range())
}

/// Copies a tensor to the place of another of its size, unless that is its own; `None` where the two overlap.
fn move_tensor(arena: &mut [u8], from: Range<usize>, to: Range<usize>) -> Option<()> {
    if from != to {
        let [source, target] = arena.get_disjoint_mut([from, to]).ok()?;
        (source.len() == target.len()).then(|| target.copy_from_slice(source))?;
    }
    Some(())
}
