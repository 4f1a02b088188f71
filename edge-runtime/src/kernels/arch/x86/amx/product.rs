//! Matrix products by tiles.
//!
//! The weights of up to four groups of channels are first copied to where no row of a tile lies across two cache lines,
//! which would take six times as long to load. On the way they lose the flip of their sign bits, so that nothing is to be
//! corrected.

use core::arch::x86_64::*;
use core::array;
use core::mem::MaybeUninit;

use super::super::FLIP;
use super::super::avx512::{Requantize, first_lanes};
use super::tiles::{Bias, GROUPS, ROWS, Sums, TILE_BYTES, Tiles};
use crate::layout::memory::LANES;
use crate::package::LayerParameters;
use crate::quant::Requantization;

/// Tiles of weights that are copied at a time: 32 KiB, which the first level of the cache still holds.
const STAGED: usize = 32;

/// Tiles of weights, `[step][group]`.
#[repr(C, align(64))]
struct Staged([MaybeUninit<[u8; TILE_BYTES]>; STAGED]);

/// Some groups of channels of a layer.
struct Pass<'a> {
    /// The first channel, how many they are, and how many the layer has.
    first: usize,
    channels: usize,
    pitch: usize,
    parameters: LayerParameters<'a>,
}

/// The outputs of windows of `taps` elements; `false`, and nothing is written, where tiles are not for them.
///
/// # Safety
/// [`super::Amx`] is supported.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub unsafe fn windows(
    windows: &[i8],
    taps: usize,
    parameters: &LayerParameters<'_>,
    rule: Requantization,
    outputs: &mut [i8],
) -> bool {
    let LayerParameters { bias, multipliers, weights } = *parameters;
    let channels = bias.len();
    if taps == 0 || channels == 0 || multipliers.len() < channels || weights.len() < channels * taps {
        return false;
    }
    let count = (windows.len() / taps).min(outputs.len() / channels);
    if count < ROWS {
        return false;
    }
    // SAFETY: as the caller says.
    let tiles = unsafe { Tiles::configure(taps) };
    let Some(tiles) = tiles.filter(|tiles| tiles.steps() <= STAGED) else { return false };
    let requantize = Requantize::new(rule);
    let groups = channels.div_ceil(LANES);
    let passes = groups.div_ceil((STAGED / tiles.steps()).min(GROUPS));
    let mut staged = Staged([MaybeUninit::uninit(); STAGED]);
    let mut sums = Sums([[[0; LANES]; ROWS]; GROUPS]);
    for pass in 0..passes {
        let (group, end) = (groups * pass / passes, groups * (pass + 1) / passes);
        let first = group * LANES;
        let part = first..channels.min(end * LANES);
        let pass = Pass {
            first,
            channels: part.len(),
            pitch: channels,
            parameters: LayerParameters {
                bias: &bias[part.clone()],
                multipliers: &multipliers[part.clone()],
                weights: &weights[first * taps..part.end * taps],
            },
        };
        pass.stage(&tiles, &mut staged);
        let mut bias = Bias([0; GROUPS * LANES]);
        bias.0[..pass.channels].copy_from_slice(pass.parameters.bias);
        for window in (0..count).step_by(ROWS) {
            // Windows that are not a tile are computed once more with those before them.
            let window = window.min(count - ROWS);
            // SAFETY: there are 16 windows from this one on, and tiles of weights for all groups of the pass.
            unsafe {
                let weights = staged.0.as_ptr().cast();
                tiles.multiply(windows.as_ptr().add(window * taps), weights, &bias, end - group, &mut sums);
            }
            pass.finish(&sums, requantize, &mut outputs[window * channels..][..ROWS * channels]);
        }
    }
    true
}

impl Pass<'_> {
    /// Copies the weights, at most [`STAGED`] tiles.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn stage(&self, tiles: &Tiles, staged: &mut Staged) {
        let flip = _mm512_set1_epi8(FLIP as i8);
        let groups = self.channels.div_ceil(LANES);
        let mut source = self.parameters.weights.as_ptr();
        for group in 0..groups {
            let size = (self.channels - group * LANES).min(LANES);
            let lanes = first_lanes(size) as u16;
            for tile in staged.0.iter_mut().skip(group).step_by(groups).take(tiles.steps()) {
                for row in 0..tiles.rows() {
                    // SAFETY: a row has four taps of each of the group's channels, of which all rows are there; the mask
                    // leaves out what is beyond. Written are 64 bytes of a tile of 16 rows at most.
                    unsafe {
                        let weights = _mm512_maskz_loadu_epi32(lanes, source.cast());
                        let place = tile.as_mut_ptr().cast::<u8>().add(64 * row);
                        _mm512_store_si512(place.cast(), _mm512_xor_si512(weights, flip));
                    }
                    source = source.wrapping_add(4 * size);
                }
            }
        }
    }

    /// Writes the pass's channels of 16 windows' outputs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn finish(&self, sums: &Sums, requantize: Requantize, outputs: &mut [i8]) {
        let mask = first_lanes(self.channels);
        let multipliers: [_; GROUPS] = array::from_fn(|group| {
            let multipliers = self.parameters.multipliers.get(group * LANES..).unwrap_or_default();
            // SAFETY: the mask leaves out what is beyond the slice.
            unsafe { _mm512_maskz_loadu_epi32(first_lanes(multipliers.len().min(LANES)) as u16, multipliers.as_ptr()) }
        });
        for (row, outputs) in outputs.chunks_exact_mut(self.pitch).enumerate() {
            let results = array::from_fn(|group| {
                // SAFETY: 16 sums are read from as many.
                let sums = unsafe { _mm512_load_si512(sums.0[group][row].as_ptr().cast()) };
                requantize.apply(sums, multipliers[group])
            });
            let bytes = requantize.pack(results);
            // SAFETY: `channels` bytes are written behind `first`, of which the layer has as many.
            unsafe { _mm512_mask_storeu_epi8(outputs.as_mut_ptr().add(self.first), mask, bytes) };
        }
    }
}
