//! The way back of a sliding window: from what its places got to what they had met.

use super::Window;
use super::phases::LANES;

/// The gradient of window places, with a border of zeros, from which the gradient of the plane below is gathered. To
/// gather is faster than to add to all that a place met: sums stay in registers.
pub(super) struct Spread {
    window: Window,
    /// Extents of the plane below.
    height: usize,
    width: usize,
    /// Rows and columns of places, and of zeros before and after them.
    places: (usize, usize),
    border: usize,
    /// Of a row, borders included.
    pitch: usize,
    values: Vec<f32>,
}

impl Spread {
    /// Without gradient.
    pub(super) fn new(height: usize, width: usize, window: Window) -> Self {
        let places = (window.places(height), window.places(width));
        let border = window.size.div_ceil(window.stride);
        let pitch = places.1 + 2 * border;
        // The last rows of a plane may be met by no window; what is read for them, and beyond the last vector, is zero.
        let reach = (height + 2 * window.padding).div_ceil(window.stride).max(places.0) + 2 * border;
        let values = vec![0.0; (reach + 1) * pitch + window.places(width) + LANES];
        Self { window, height, width, places, border, pitch, values }
    }

    /// Rows times columns of places.
    pub(super) const fn places(&self) -> usize {
        self.places.0 * self.places.1
    }

    /// Pixels of the plane below.
    pub(super) const fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Takes the gradient of all places.
    #[inline(always)]
    pub(super) fn read(&mut self, gradient: &[f32]) {
        for (row, gradient) in gradient.chunks_exact(self.places.1).enumerate() {
            let start = (row + self.border) * self.pitch + self.border;
            self.values[start..start + gradient.len()].copy_from_slice(gradient);
        }
    }

    /// Adds to `plane` `[height, width]` what its pixels get back through a window of these weights.
    #[inline(always)]
    pub(super) fn gather(&self, weight: &[f32], plane: &mut [f32]) {
        let Window { size, stride, padding } = self.window;
        for (y, row) in plane.chunks_exact_mut(self.width).enumerate() {
            for phase in 0..stride.min(self.width) {
                // Columns phase, phase + stride, … are met by the same taps.
                let columns = (self.width - phase).div_ceil(stride);
                for first in (0..columns).step_by(LANES) {
                    let mut sums = [0.0; LANES];
                    for tap_y in ((y + padding) % stride..size).step_by(stride) {
                        // Place (y + padding − tap_y) / stride, shifted by the border so that it is never negative.
                        let from = (y + padding + self.border * stride - tap_y) / stride * self.pitch;
                        for tap_x in ((phase + padding) % stride..size).step_by(stride) {
                            let place = (phase + padding + self.border * stride - tap_x) / stride + first;
                            let weight = weight[tap_y * size + tap_x];
                            let met = &self.values[from + place..][..LANES];
                            sums.iter_mut().zip(met).for_each(|(sum, value)| *sum += weight * value);
                        }
                    }
                    let row = &mut row[phase + first * stride..];
                    if let (1, Some(row)) = (stride, row.first_chunk_mut::<LANES>()) {
                        row.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                    } else {
                        row.iter_mut().step_by(stride).zip(sums).for_each(|(to, sum)| *to += sum);
                    }
                }
            }
        }
    }
}
