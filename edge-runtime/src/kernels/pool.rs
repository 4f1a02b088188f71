//! Pools over windows of each channel, without padding.

use super::{BLOCK, View, pieces, pieces_mut, places, plain_requantization};
use crate::graph::{PoolKind, Tensor, Window};
use crate::quant::AVERAGE_GAIN;

/// Largest or mean element of each window. A global pool is a window as large as the input.
#[inline(never)] // its sums stay off the stack of the other kernels
pub fn pool(input: View<'_>, window: Window, kind: PoolKind, (output_shape, output): (&Tensor, &mut [i8])) {
    let channels = usize::from(output_shape.channels);
    for (outputs, (row, column)) in pieces_mut(output, channels).zip(places(output_shape.width)) {
        let (top, left) = (row * usize::from(window.stride.0), column * usize::from(window.stride.1));
        match kind {
            PoolKind::Max => {
                outputs.fill(i8::MIN);
                for_each_pixel(input, window, (top, left), &mut |pixel| {
                    for (largest, &value) in outputs.iter_mut().zip(pixel) {
                        *largest = value.max(*largest);
                    }
                });
            }
            PoolKind::Average { multiplier, shift } => {
                let rule = plain_requantization(shift, output_shape);
                let zero = i32::from(input.tensor.zero_point) * window.area() as i32;
                for (block, outputs) in outputs.chunks_mut(BLOCK).enumerate() {
                    let mut sums = [-zero; BLOCK];
                    for_each_pixel(input, window, (top, left), &mut |pixel| {
                        let values = pixel.get(block * BLOCK..).unwrap_or_default();
                        for (sum, &value) in sums.iter_mut().zip(values) {
                            *sum += i32::from(value);
                        }
                    });
                    for (place, &sum) in outputs.iter_mut().zip(&sums) {
                        *place = rule.apply(AVERAGE_GAIN * sum, multiplier) as i8;
                    }
                }
            }
        }
    }
}

/// Shows `look` the pixels of the window whose corner is at (`top`, `left`).
fn for_each_pixel(input: View<'_>, window: Window, (top, left): (usize, usize), look: &mut dyn FnMut(&[i8])) {
    let channels = usize::from(input.tensor.channels);
    let (pitch, length) = (usize::from(input.tensor.width) * channels, usize::from(window.size.1) * channels);
    for row in top..top + usize::from(window.size.0) {
        let start = row * pitch + left * channels;
        let line = input.data.get(start..start + length).unwrap_or_default();
        pieces(line, channels).for_each(&mut *look);
    }
}

/// Adds the elements of some pixels to the sums of their channels, little-endian, which begin at zero.
pub fn add_pixels(pixels: &[i8], sums: &mut [[u8; 4]], is_first: bool) {
    if is_first {
        sums.fill([0; 4]);
    }
    for pixel in pieces(pixels, sums.len()) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum = (i32::from_le_bytes(*sum) + i32::from(value)).to_le_bytes();
        }
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
