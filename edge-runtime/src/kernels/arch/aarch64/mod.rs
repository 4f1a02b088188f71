//! AArch64: `sdot` where the processor has it (Cortex-A55, A76 and later), else plain NEON (Cortex-A53, A72).
#![allow(unsafe_code)]

mod dotprod;
mod elements;
mod neon;

pub use dotprod::Dotprod;
pub use neon::Neon;

use core::arch::aarch64::*;

use crate::quant::Requantization;

/// The requantisation rule in registers.
///
/// `sqdmulh` gives `⌊acc · multiplier / 2^31⌋`, one binary digit more than the rule's upper word, so that the addend is
/// doubled and one digit more is dropped. The sum may saturate; so would the result, whose bounds are far smaller.
#[derive(Clone, Copy)]
struct Requantize {
    addend: int32x4_t,
    /// Negative: a shift to the right.
    drop: int32x4_t,
    min: int8x16_t,
    max: int8x16_t,
}

impl Requantize {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(rule: Requantization) -> Self {
        let (min, max) = rule.bounds();
        Self {
            addend: vdupq_n_s32(2 * rule.addend()),
            drop: vdupq_n_s32(-1 - i32::from(rule.drop())),
            min: vdupq_n_s8(min as i8),
            max: vdupq_n_s8(max as i8),
        }
    }

    /// The rule without its bounds.
    #[inline]
    #[target_feature(enable = "neon")]
    fn apply(self, sums: int32x4_t, multipliers: int32x4_t) -> int32x4_t {
        vshlq_s32(vqaddq_s32(vqdmulhq_s32(sums, multipliers), self.addend), self.drop)
    }

    /// Four vectors as bytes within the bounds, one behind the other.
    #[inline]
    #[target_feature(enable = "neon")]
    fn pack(self, [a, b, c, d]: [int32x4_t; 4]) -> int8x16_t {
        let low = vqmovn_high_s32(vqmovn_s32(a), b);
        let high = vqmovn_high_s32(vqmovn_s32(c), d);
        vmaxq_s8(vminq_s8(vqmovn_high_s16(vqmovn_s16(low), high), self.max), self.min)
    }
}

/// `count` words from `first` on, at most four, and zeros.
#[inline]
fn four_words(from: &[i32], first: usize, count: usize) -> [i32; 4] {
    let from = from.get(first..).unwrap_or_default();
    match from.first_chunk() {
        Some(four) if count >= 4 => *four,
        _ => {
            let mut words = [0; 4];
            words.iter_mut().zip(from.iter().take(count)).for_each(|(word, &value)| *word = value);
            words
        }
    }
}

/// Writes the first `count` of the bytes.
///
/// # Safety
/// They may be written behind `place`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store(place: *mut i8, bytes: int8x16_t, count: usize) {
    // SAFETY: as the caller says.
    unsafe {
        if count >= 16 {
            vst1q_s8(place, bytes);
        } else if count == 8 {
            vst1_s8(place, vget_low_s8(bytes));
        } else {
            let mut all = [0; 16];
            vst1q_s8(all.as_mut_ptr(), bytes);
            all.as_ptr().copy_to_nonoverlapping(place, count);
        }
    }
}
