//! Convolutions 3×3 plane by plane, depthwise or of a single input channel: the safe side of `planes.s`.

use core::arch::global_asm;

use super::GROUP;
use super::elements::{self, Saturating, narrow};
use crate::graph::{Tensor, Window};
use crate::kernels::depthwise::walk;
use crate::kernels::{Place, View, pieces};
use crate::layout::planes::{MAX_PLANES, SLOTS, at_once, plane_bytes};
use crate::package::LayerParameters;
use crate::quant::Requantization;

global_asm!(include_str!("planes.s"), options(raw));

/// The arguments of `planes.s`.
#[repr(C)]
struct Arguments {
    planes: *const i8,
    plane_bytes: usize,
    weights: *const i8,
    offsets: *const u8,
    bias: *const i32,
    multipliers: *const i32,
    output: *mut i8,
    pitch: usize,
    columns: usize,
    rule: Saturating,
    groups: usize,
}

unsafe extern "C" {
    fn fude_mve_planes_4_step_1(arguments: *mut Arguments);
    fn fude_mve_planes_4_step_2(arguments: *mut Arguments);
    fn fude_mve_planes_1_step_1(arguments: *mut Arguments);
    fn fude_mve_planes_1_step_2(arguments: *mut Arguments);
    fn fude_mve_copy_planes(
        pixels: *const i8,
        pitch: usize,
        slot: *mut i8,
        plane: usize,
        columns: usize,
        planes: usize,
    );
    fn fude_mve_copy_line(pixels: *const i8, slot: *mut i8, columns: usize);
}

/// Rows and columns of a window.
const SIZE: usize = 3;
/// Taps of a window.
const TAPS: usize = SIZE * SIZE;

/// For each slot of the window's topmost row: which weight each lane takes. Lanes of the unused slot take none.
static OFFSETS: [[u8; 16]; SIZE] = [offsets(0), offsets(1), offsets(2)];

const fn offsets(top: usize) -> [u8; 16] {
    let mut lanes = [0; 16];
    let mut tap = 0;
    while tap < TAPS {
        let (row, column) = (tap / SIZE, tap % SIZE);
        lanes[column * SLOTS + (top + row) % SIZE] = tap as u8;
        tap += 1;
    }
    lanes
}

/// Depthwise convolution with weights `[channel][row][column]`, in place where both tensors have one shape.
pub fn depthwise(
    shapes: (&Tensor, &Tensor),
    mut place: Place<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    scratch: &mut [u8],
) {
    let at_once = at_once(window, shapes.0).max(1);
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let blocks = bias.chunks(at_once).zip(multipliers.chunks(at_once)).zip(weights.chunks(at_once * TAPS));
    for (index, ((bias, multipliers), weights)) in blocks.enumerate() {
        let parameters = LayerParameters { bias, multipliers, weights };
        let block = Block { parameters, rule, shapes, window, first: index * at_once, planes: Some(at_once) };
        block.convolve(&mut place, scratch);
    }
    narrow(place.output(), rule);
}

/// Convolution of a single input channel, with weights in the order of matrix products.
pub fn convolution(
    input: View<'_>,
    window: Window,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    (output_shape, output): (&Tensor, &mut [i8]),
    scratch: &mut [u8],
) {
    let shapes = (input.tensor, output_shape);
    let block = Block { parameters: *parameters, rule, shapes, window, first: 0, planes: None };
    block.convolve(&mut Place::Apart { input: input.data, output: &mut *output }, scratch);
    narrow(output, rule);
}

/// Channels that are worked on together.
struct Block<'a> {
    parameters: LayerParameters<'a>,
    rule: Requantization,
    shapes: (&'a Tensor, &'a Tensor),
    window: Window,
    /// The first of them.
    first: usize,
    /// For how many planes there is room; `None` where all channels read the one plane of the input.
    planes: Option<usize>,
}

impl Block<'_> {
    /// All rows.
    fn convolve(&self, place: &mut Place<'_>, scratch: &mut [u8]) {
        let Self { parameters, shapes: (input, output), window, first, planes, .. } = *self;
        let (plane_bytes, channels) = (plane_bytes(window, input), parameters.bias.len());
        let Some((ring, staging)) = scratch.split_at_mut_checked(planes.unwrap_or(1) * plane_bytes) else { return };
        // Rows of the input leave the padding at their ends as it is.
        let zero = input.zero_point as i8;
        elements::fill(bytemuck::cast_slice_mut(ring), zero);
        let lines = Lines {
            before: usize::from(window.pad_columns.0) * SLOTS,
            columns: input.width.into(),
            planes: planes.map_or(1, |_| channels),
            plane_bytes,
        };
        let (input_pitch, pitch) = (usize::from(input.channels), usize::from(output.channels));
        let copy = |ring: &mut [u8], slot, source: Option<&[i8]>| match source {
            Some(row) => lines.copy(ring, slot, row.get(first..).unwrap_or_default(), input_pitch),
            None => lines.copy(ring, slot, &[zero; MAX_PLANES], 0),
        };
        // Channels that fill no group are computed as one, with zeros, and copied from `staging`.
        let grouped = channels / GROUP * GROUP;
        let rest = Rest::new(&parameters, grouped);
        let rest_plane = planes.map_or(0, |_| grouped * plane_bytes);
        let staging: &mut [i8] = bytemuck::cast_slice_mut(staging);
        let whole_groups = Groups::new(self, parameters, pitch);
        let rest_group = if grouped < channels { Groups::new(self, rest.parameters(), GROUP) } else { None };
        walk(self.shapes, place, window, (ring, window.size.0.into()), copy, |ring, top, outputs| {
            let outputs = outputs.get_mut(first..).unwrap_or_default();
            if let Some(groups) = &whole_groups {
                groups.row(ring, top, outputs);
            }
            let Some(group) = &rest_group else { return };
            group.row(ring.get(rest_plane..).unwrap_or_default(), top, staging);
            let pixels = outputs.get_mut(grouped..).unwrap_or_default().chunks_mut(pitch.max(1));
            for (pixel, staged) in pixels.zip(pieces(staging, GROUP)) {
                pixel.iter_mut().zip(staged).take(channels - grouped).for_each(|(output, &staged)| *output = staged);
            }
        });
    }
}

/// How a row of the input goes into the ring.
struct Lines {
    /// Bytes of a plane before the first column of the input.
    before: usize,
    columns: usize,
    planes: usize,
    plane_bytes: usize,
}

impl Lines {
    /// Copies pixels, `pitch` bytes from one to the next, into a slot.
    fn copy(&self, ring: &mut [u8], slot: usize, pixels: &[i8], pitch: usize) {
        let Self { before, columns, planes, plane_bytes } = *self;
        let Some(last) = columns.checked_sub(1) else { return };
        if planes == 0 || pixels.len() < last * pitch + planes || ring.len() < planes * plane_bytes || slot >= SLOTS {
            return;
        }
        let target = ring.as_mut_ptr().wrapping_add(before + slot).cast();
        // SAFETY: the code reads `planes` bytes at each of `columns` pixels, neither of them zero, and writes each into the
        // slot of a column of its plane. A plane has the columns of the padding before and at least `columns` more. It keeps
        // to the procedure call standard.
        unsafe {
            if (pitch, planes) == (1, 1) {
                fude_mve_copy_line(pixels.as_ptr(), target, columns);
            } else {
                fude_mve_copy_planes(pixels.as_ptr(), pitch, target, plane_bytes, columns, planes);
            }
        }
    }
}

/// Whole groups of channels, a row of outputs at a time.
struct Groups<'a> {
    parameters: LayerParameters<'a>,
    rule: Saturating,
    code: unsafe extern "C" fn(*mut Arguments),
    count: usize,
    plane_bytes: usize,
    columns: usize,
    pitch: usize,
    /// Bytes of planes that are read, and of outputs up to the last.
    read: usize,
    written: usize,
}

impl<'a> Groups<'a> {
    /// The groups of `parameters`, whose outputs are `pitch` bytes apart; `None` where there are none.
    fn new(block: &Block<'_>, parameters: LayerParameters<'a>, pitch: usize) -> Option<Self> {
        let LayerParameters { bias, multipliers, weights } = parameters;
        let count = (bias.len() / GROUP).min(multipliers.len() / GROUP).min(weights.len() / (GROUP * TAPS));
        let stride = usize::from(block.window.stride.1);
        let code = match (block.planes, stride) {
            (Some(_), 1) => fude_mve_planes_4_step_1,
            (Some(_), 2) => fude_mve_planes_4_step_2,
            (None, 1) => fude_mve_planes_1_step_1,
            (None, 2) => fude_mve_planes_1_step_2,
            _ => return None,
        };
        let (plane_bytes, columns) = (plane_bytes(block.window, block.shapes.0), usize::from(block.shapes.1.width));
        let last_channel = (count * GROUP).checked_sub(1)?;
        let last_plane = block.planes.map_or(0, |_| last_channel * plane_bytes);
        let read = last_plane + columns * stride * SLOTS + 16;
        let written = columns.checked_sub(1)? * pitch + count * GROUP;
        let rule = Saturating::new(block.rule);
        Some(Self { parameters, rule, code, count, plane_bytes, columns, pitch, read, written })
    }

    /// One row. `top` is the slot of the windows' topmost row.
    fn row(&self, planes: &[u8], top: usize, outputs: &mut [i8]) {
        let Some(offsets) = OFFSETS.get(top) else { return };
        if planes.len() < self.read || outputs.len() < self.written {
            return;
        }
        let mut arguments = Arguments {
            planes: planes.as_ptr().cast(),
            plane_bytes: self.plane_bytes,
            weights: self.parameters.weights.as_ptr(),
            offsets: offsets.as_ptr(),
            bias: self.parameters.bias.as_ptr(),
            multipliers: self.parameters.multipliers.as_ptr(),
            output: outputs.as_mut_ptr(),
            pitch: self.pitch,
            columns: self.columns,
            rule: self.rule,
            groups: self.count,
        };
        // SAFETY: for each group, one or more, the code reads 16 bytes at each of `columns` windows, one or more, and at one
        // beyond, of one plane or of four that follow one another: the last ends with `read`. It reads 36 weights, 4 biases
        // and 4 multipliers a group, as many as there are, and writes 4 bytes a group to each output, the last of which ends
        // with `written`. It keeps to the procedure call standard.
        unsafe { (self.code)(&mut arguments) };
    }
}

/// The parameters of the channels that fill no group, and zeros.
struct Rest {
    bias: [i32; GROUP],
    multipliers: [i32; GROUP],
    weights: [i8; GROUP * TAPS],
}

impl Rest {
    /// Of the channels from `first` on.
    fn new(parameters: &LayerParameters<'_>, first: usize) -> Self {
        let mut rest = Self { bias: [0; GROUP], multipliers: [0; GROUP], weights: [0; GROUP * TAPS] };
        let LayerParameters { bias, multipliers, weights } = *parameters;
        rest.bias.iter_mut().zip(bias.iter().skip(first)).for_each(|(place, &value)| *place = value);
        rest.multipliers.iter_mut().zip(multipliers.iter().skip(first)).for_each(|(place, &value)| *place = value);
        rest.weights.iter_mut().zip(weights.iter().skip(first * TAPS)).for_each(|(place, &value)| *place = value);
        rest
    }

    fn parameters(&self) -> LayerParameters<'_> {
        LayerParameters { bias: &self.bias, multipliers: &self.multipliers, weights: &self.weights }
    }
}
