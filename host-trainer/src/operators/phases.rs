//! A padded plane, sorted so that any window's row is a run of memory.

use super::Window;

/// Floats that are computed side by side: what a vector of 256 bits holds.
pub(super) const LANES: usize = 8;

/// A plane with its padding. Columns are sorted by their remainder modulo the stride, so that what one tap of a window
/// meets, place after place along a row, lies side by side and is read by vectors whatever the stride.
pub(super) struct Phases {
    window: Window,
    height: usize,
    width: usize,
    /// Columns of one remainder.
    run: usize,
    /// Where each tap, row by row, meets its first pixel.
    taps: Vec<usize>,
    /// `[rows with padding, stride, run]`, and room for the last vector of the last row.
    values: Vec<f32>,
}

impl Phases {
    /// A plane of zeros.
    pub(super) fn new(height: usize, width: usize, window: Window) -> Self {
        let Window { size, stride, padding } = window;
        let run = (width + 2 * padding).div_ceil(stride);
        let tap = |(y, x): (usize, usize)| (y * stride + x % stride) * run + x / stride;
        let taps = (0..size * size).map(|index| tap((index / size, index % size))).collect();
        let values = vec![0.0; (height + 2 * padding) * stride * run + LANES];
        Self { window, height, width, run, taps, values }
    }

    /// Rows and columns of window places.
    pub(super) const fn places(&self) -> (usize, usize) {
        (self.window.places(self.height), self.window.places(self.width))
    }

    /// Pixels of a plane.
    pub(super) const fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Puts `plane` `[height, width]` into the padding, which stays zero.
    #[inline(always)]
    pub(super) fn read(&mut self, plane: &[f32]) {
        let stride = self.window.stride;
        for (y, row) in plane.chunks_exact(self.width).enumerate() {
            for phase in 0..stride {
                let (start, first) = self.of_phase(y, phase);
                if stride == 1 {
                    self.values[start..start + self.width].copy_from_slice(row);
                } else {
                    let columns = row[first.min(row.len())..].chunks(stride);
                    self.values[start..].iter_mut().zip(columns).for_each(|(to, from)| *to = from[0]);
                }
            }
        }
    }

    /// Where the windows of row `y` start; a tap's offset is added.
    #[inline(always)]
    pub(super) const fn row(&self, y: usize) -> usize {
        y * self.window.stride * self.window.stride * self.run
    }

    /// What each tap meets, counted from the start of a row.
    #[inline(always)]
    pub(super) fn taps(&self) -> &[usize] {
        &self.taps
    }

    /// Pixels from `start`: those of places side by side.
    #[inline(always)]
    pub(super) fn met(&self, start: usize) -> &[f32] {
        &self.values[start..]
    }

    /// The same, to be written.
    #[inline(always)]
    pub(super) fn met_mut(&mut self, start: usize) -> &mut [f32] {
        &mut self.values[start..]
    }

    /// Sets everything to zero.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// Takes `plane` `[height, width]` out of the padding: the other way round than [`Self::read`].
    #[inline(always)]
    pub(super) fn write(&self, plane: &mut [f32]) {
        let stride = self.window.stride;
        for (y, row) in plane.chunks_exact_mut(self.width).enumerate() {
            for phase in 0..stride {
                let (start, first) = self.of_phase(y, phase);
                let columns = row.iter_mut().skip(first).step_by(stride);
                columns.zip(&self.values[start..]).for_each(|(to, &from)| *to = from);
            }
        }
    }

    /// For row `y` of the plane: where its columns of one phase start, and the first of these columns.
    #[inline(always)]
    const fn of_phase(&self, y: usize, phase: usize) -> (usize, usize) {
        let (stride, padding) = (self.window.stride, self.window.padding);
        // The first column x for which (x + padding) has the remainder.
        let first = (phase + stride - padding % stride) % stride;
        ((((y + padding) * stride) + phase) * self.run + (first + padding) / stride, first)
    }
}
