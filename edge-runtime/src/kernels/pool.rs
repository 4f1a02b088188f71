//! Pools over windows of each channel, without padding.

use super::{BLOCK, View, pieces, pieces_mut, places, plain_requantization};
use crate::graph::{PoolKind, Tensor, Window};
use crate::quant::AVERAGE_GAIN;

/// [`InstructionSet::add_pixels`](super::arch::InstructionSet::add_pixels) of some set.
pub type AddPixels = fn(&[i8], (usize, usize), (usize, usize), &mut [i32]);

/// Largest or mean element of each window. A global pool is a window as large as the input.
#[inline(never)] // its sums stay off the stack of the other kernels
pub fn pool(
    input: View<'_>,
    window: Window,
    kind: PoolKind,
    (output_shape, output): (&Tensor, &mut [i8]),
    add_pixels: AddPixels,
) {
    let channels = usize::from(output_shape.channels);
    let pitch = usize::from(input.tensor.width) * channels;
    let size = (usize::from(window.size.0), usize::from(window.size.1));
    for (outputs, (row, column)) in pieces_mut(output, channels).zip(places(output_shape.width)) {
        let (top, left) = (row * usize::from(window.stride.0), column * usize::from(window.stride.1));
        let corner = input.data.get(top * pitch + left * channels..).unwrap_or_default();
        match kind {
            PoolKind::Max => {
                outputs.fill(i8::MIN);
                for row in 0..size.0 {
                    let pixels = corner.get(row * pitch..).unwrap_or_default();
                    for pixel in pieces(pixels, channels).take(size.1) {
                        for (largest, &value) in outputs.iter_mut().zip(pixel) {
                            *largest = value.max(*largest);
                        }
                    }
                }
            }
            PoolKind::Average { multiplier, shift } => {
                let rule = plain_requantization(shift, output_shape);
                let zero = i32::from(input.tensor.zero_point) * window.area() as i32;
                for (block, outputs) in outputs.chunks_mut(BLOCK).enumerate() {
                    let mut sums = [-zero; BLOCK];
                    let Some(sums) = sums.get_mut(..outputs.len()) else { return };
                    add_pixels(corner.get(block * BLOCK..).unwrap_or_default(), (pitch, channels), size, sums);
                    for (place, &mut sum) in outputs.iter_mut().zip(sums) {
                        *place = rule.apply(AVERAGE_GAIN * sum, multiplier) as i8;
                    }
                }
            }
        }
    }
}

/// [`InstructionSet::add_pixels`](super::arch::InstructionSet::add_pixels) in plain Rust.
#[cfg_attr(feature = "std", inline(always))] // into functions for more instructions than the target has
pub fn add_pixels(
    source: &[i8],
    (row_pitch, pitch): (usize, usize),
    (rows, columns): (usize, usize),
    sums: &mut [i32],
) {
    for row in 0..rows {
        let pixels = source.get(row * row_pitch..).unwrap_or_default();
        // The last pixel may end with the channels that are summed.
        for pixel in pixels.chunks(pitch.max(1)).take(columns) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(value);
            }
        }
    }
}

/// Adds the pixels of some rows of a tensor to the sums of its channels, little-endian, which begin at zero.
#[inline(never)] // as above
pub fn mean_of_band(band: View<'_>, sums: &mut [[u8; 4]], is_first: bool, add_pixels: AddPixels) {
    let channels = sums.len();
    let size = (usize::from(band.tensor.height), usize::from(band.tensor.width));
    for (block, places) in sums.chunks_mut(BLOCK).enumerate() {
        let mut sums = [0; BLOCK];
        let Some(sums) = sums.get_mut(..places.len()) else { return };
        if !is_first {
            sums.iter_mut().zip(&*places).for_each(|(sum, &place)| *sum = i32::from_le_bytes(place));
        }
        let first = band.data.get(block * BLOCK..).unwrap_or_default();
        add_pixels(first, (size.1 * channels, channels), size, sums);
        places.iter_mut().zip(sums).for_each(|(place, sum)| *place = sum.to_le_bytes());
    }
}

/// The means of which `sums` are the sums over so many pixels with that zero point.
pub fn finish_mean(
    sums: &[[u8; 4]],
    (zero_point, pixels): (i16, usize),
    kind: PoolKind,
    (output_shape, output): (&Tensor, &mut [i8]),
) {
    let PoolKind::Average { multiplier, shift } = kind else { return };
    let rule = plain_requantization(shift, output_shape);
    let zero = i32::from(zero_point) * pixels as i32;
    for (place, &sum) in output.iter_mut().zip(sums) {
        *place = rule.apply(AVERAGE_GAIN * (i32::from_le_bytes(sum) - zero), multiplier) as i8;
    }
}
