//! What follows from shapes alone: sizes of parameters, scratch memory and work.

use core::ops::Range;

use super::stage::is_global_mean;
use super::{Graph, Layer, Operator, Stage, Tensor, TensorId, Window};
use crate::layout::WeightLayout;
use crate::limits::MAX_TENSOR_ELEMENTS;

/// Lengths of the three parts of a layer's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterSizes {
    /// Output channels: as many biases and as many multipliers.
    pub channels: usize,
    /// Weights, one byte each.
    pub weights: usize,
}

impl ParameterSizes {
    /// Bytes of biases, multipliers and weights together.
    pub const fn bytes(self) -> usize {
        8 * self.channels + self.weights
    }
}

/// Work and parameters of one layer or of a whole graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Multiply-accumulate operations.
    pub macs: u64,
    /// Weights and biases.
    pub parameters: u64,
}

impl Tensor {
    /// Number of elements.
    #[inline(never)]
    pub const fn elements(&self) -> usize {
        self.height as usize * self.width as usize * self.channels as usize
    }

    /// Bytes in the arena.
    pub const fn bytes(&self) -> usize {
        self.elements() * self.element.bytes()
    }

    /// Whether two tensors have the same extents.
    #[inline(never)]
    pub const fn same_shape(&self, other: &Self) -> bool {
        self.height == other.height && self.width == other.width && self.channels == other.channels
    }

    /// Bytes of the arena that the tensor takes.
    #[inline(never)] // called from everywhere: out of line it takes less flash
    pub const fn range(&self) -> core::ops::Range<usize> {
        self.offset as usize..self.offset as usize + self.bytes()
    }
}

impl Window {
    /// Taps of one channel.
    pub const fn area(&self) -> usize {
        self.size.0 as usize * self.size.1 as usize
    }

    /// Rows and columns of the output over an input of `height` × `width`; `None` where the window does not
    /// fit or a stride is zero.
    pub const fn output_size(&self, height: u16, width: u16) -> Option<(u16, u16)> {
        let rows = extent(height, self.size.0, self.stride.0, self.pad_rows);
        let columns = extent(width, self.size.1, self.stride.1, self.pad_columns);
        match (rows, columns) {
            (Some(rows), Some(columns)) => Some((rows, columns)),
            _ => None,
        }
    }
}

const fn extent(input: u16, size: u8, stride: u8, padding: (u8, u8)) -> Option<u16> {
    let padded = input as u32 + padding.0 as u32 + padding.1 as u32;
    // A window wholly inside the padding would read no input at all.
    if stride == 0 || size == 0 || padding.0 >= size || padding.1 >= size || padded < size as u32 {
        return None;
    }
    Some(((padded - size as u32) / stride as u32 + 1) as u16)
}

impl Graph {
    /// The tensor at `id`, if there is one.
    pub fn tensor(&self, id: u8) -> Option<&Tensor> {
        self.tensors.get(usize::from(id))
    }

    /// The tensor that the first layer reads, if there is one.
    pub fn input(&self) -> Option<&Tensor> {
        self.tensors.first()
    }

    /// The tensor of the logits, if there is one.
    pub fn output(&self) -> Option<&Tensor> {
        self.tensor(self.layers.last()?.output)
    }

    /// Sizes of the parameters of `layer`; `None` for operators without any and for more weights than
    /// [`MAX_TENSOR_ELEMENTS`].
    pub fn parameter_sizes(&self, layer: &Layer) -> Option<ParameterSizes> {
        let (input, output) = (self.tensor(layer.input)?, self.tensor(layer.output)?);
        let channels = usize::from(output.channels);
        let fan_in = match layer.operator {
            Operator::Convolution { window, .. } => window.area().checked_mul(usize::from(input.channels))?,
            Operator::Depthwise { window, .. } => window.area(),
            Operator::Dense { .. } => input.elements(),
            _ => return None,
        };
        let weights = channels.checked_mul(fan_in).filter(|&weights| weights <= MAX_TENSOR_ELEMENTS)?;
        Some(ParameterSizes { channels, weights })
    }

    /// Bytes of working memory that the kernel of `layer` needs for weights laid out so.
    pub fn scratch_bytes(&self, layer: &Layer, layout: WeightLayout) -> usize {
        let tensors = self.tensor(layer.input).zip(self.tensor(layer.output));
        tensors.map_or(0, |(input, output)| layout.scratch_bytes(&layer.operator, input, output))
    }

    /// The working memory of the layer at `index` in the arena; empty where it needs none.
    pub fn scratch_range(&self, index: usize, layout: WeightLayout) -> Range<usize> {
        let bytes = self.layers.get(index).map_or(0, |layer| self.scratch_bytes(layer, layout));
        let start = if bytes > 0 { self.scratch.get(index).map_or(0, |&start| start as usize) } else { 0 };
        start..start + bytes
    }

    /// Bytes of the arena that the tensor takes: all of it, or its buffer inside a stage.
    pub fn place(&self, id: TensorId) -> Option<Range<usize>> {
        let tensor = self.tensor(id)?;
        let rows = self.stages().iter().find_map(|stage| {
            let inner = self.layers.get(stage.layers())?.iter().zip(&stage.buffers);
            inner.filter(|(layer, _)| layer.output == id).map(|(_, &rows)| rows).next()
        });
        Some(Tensor { height: rows.unwrap_or(tensor.height), ..*tensor }.range())
    }

    /// Layers that run band by band. A build without the feature `bands` has none, which the compiler sees here.
    pub fn stages(&self) -> &[Stage] {
        if cfg!(feature = "bands") { &self.stages } else { &[] }
    }

    /// The stage that the layer at `index` belongs to.
    pub fn stage_of(&self, index: usize) -> Option<&Stage> {
        self.stages().iter().find(|stage| stage.layers().contains(&index))
    }

    /// Whether the result of the layer at `index` may take the place of its first input: elementwise operators, and a
    /// depthwise convolution that keeps the shape, outside of stages, where the kernel of `layout` copies the rows that it
    /// still needs.
    pub fn works_in_place(&self, index: usize, layout: WeightLayout) -> bool {
        let Some(layer) = self.layers.get(index) else { return false };
        match layer.operator {
            Operator::Gate { .. } | Operator::Add { .. } => true,
            Operator::Depthwise { window, .. } => {
                let tensors = self.tensor(layer.input).zip(self.tensor(layer.output));
                let same_shape = tensors.is_some_and(|(input, output)| input.same_shape(output));
                layout.has_row_ring() && window.stride == (1, 1) && same_shape && self.stage_of(index).is_none()
            }
            _ => false,
        }
    }

    /// Work and parameters of `layer`.
    pub fn cost(&self, layer: &Layer) -> Cost {
        let Some(output) = self.tensor(layer.output) else { return Cost::default() };
        let Some(sizes) = self.parameter_sizes(layer) else { return Cost::default() };
        let positions = u64::from(output.height) * u64::from(output.width);
        Cost { macs: positions * sizes.weights as u64, parameters: (sizes.weights + sizes.channels) as u64 }
    }

    /// Work and parameters of all layers.
    pub fn total_cost(&self) -> Cost {
        self.layers.iter().map(|layer| self.cost(layer)).fold(Cost::default(), |sum, cost| Cost {
            macs: sum.macs + cost.macs,
            parameters: sum.parameters + cost.parameters,
        })
    }

    /// Bytes of arena: the end of the last of all tensors, working memories and sums.
    pub fn arena_bytes(&self, layout: WeightLayout) -> usize {
        let tensors = (0..self.tensors.len()).filter_map(|id| self.place(id as TensorId));
        let scratch = (0..self.layers.len()).map(|index| self.scratch_range(index, layout));
        let sums = self.stages().iter().filter_map(|stage| self.sums(stage));
        tensors.chain(scratch).chain(sums).map(|range| range.end).max().unwrap_or(0)
    }

    /// The sums of a stage that ends with a global mean: 32 bits a channel.
    pub fn sums(&self, stage: &Stage) -> Option<Range<usize>> {
        let last = self.layers.get(stage.layers().end.checked_sub(1)?)?;
        let input = self.tensor(last.input)?;
        let start = stage.sums as usize;
        is_global_mean(last, input).then(|| start..start + size_of::<i32>() * usize::from(input.channels))
    }
}
