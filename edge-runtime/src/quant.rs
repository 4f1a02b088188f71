//! The one requantisation rule.
//!
//! A kernel accumulates in `i32` and leaves with
//!
//! ```text
//! y = clamp(zero_point + floor((acc · multiplier[c] + 2^(shift−1)) / 2^shift), min, max)
//! ```
//!
//! The product is exact (64 bits), rounded once, half up; `shift` is one number for the whole layer,
//! `multiplier` one per output channel. As `shift ≥ 33`, the rounding constant and the zero point fold into
//! one addend of the product's upper word: one `smmla` and one `asr` on Cortex-M4. `docs/requantisation.md`
//! derives the form that each instruction set uses and why this rule was preferred to TFLite's and ONNX
//! Runtime's.

/// Smallest shift a package may carry: real scales stay below 1/4, and the rule has its folded form.
pub const MIN_SHIFT: u8 = 33;
/// Largest shift a package may carry; the folded addend then still fits an `i32`.
pub const MAX_SHIFT: u8 = 52;
/// The accumulator of an average pool is this many times its sum, so that a mean of a few elements, whose real
/// scale would reach 1/4, is within the rule.
pub const AVERAGE_GAIN: i32 = 16;
/// Largest multiplier of an operand of [`Addition`] (exclusive): sums of two stay inside an `i32`.
pub const MAX_ADDEND_MULTIPLIER: i32 = 1 << 21;
/// Largest shift of an [`Addition`].
pub const MAX_ADDITION_SHIFT: u8 = 30;

/// What happens to an accumulator of a layer: the requantisation rule without its per-channel multiplier, in
/// its folded form `clamp((high + addend) >> (shift − 32), min, max)`, where `high` is the upper word of
/// `acc · multiplier` and `addend = 2^(shift−33) + zero_point · 2^(shift−32)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requantization {
    addend: i32,
    /// Binary digits dropped from the upper word.
    drop: u8,
    min: i32,
    max: i32,
}

impl Requantization {
    /// The rule of a layer that drops `shift` binary digits ([`MIN_SHIFT`] to [`MAX_SHIFT`]) and whose output
    /// has `zero_point` (−128 to 127); results lie within `bounds`, both included. A fused ReLU raises the
    /// lower bound to the zero point.
    ///
    /// The package reader has checked the ranges; outside them no result is promised.
    pub const fn new(shift: u8, zero_point: i32, bounds: (i32, i32)) -> Self {
        debug_assert!(MIN_SHIFT <= shift && shift <= MAX_SHIFT && -128 <= zero_point && zero_point <= 127);
        let drop = shift - 32;
        Self { addend: (1 << (drop - 1)) + (zero_point << drop), drop, min: bounds.0, max: bounds.1 }
    }

    /// What is added to the upper word of the product.
    pub const fn addend(self) -> i32 {
        self.addend
    }

    /// Binary digits dropped from the sum, 1 to 20.
    pub const fn drop(self) -> u8 {
        self.drop
    }

    /// Smallest and largest result.
    pub const fn bounds(self) -> (i32, i32) {
        (self.min, self.max)
    }

    /// Applies the rule to one accumulator of a channel whose multiplier, not negative, is `multiplier`.
    #[inline(always)]
    pub const fn apply(self, accumulator: i32, multiplier: i32) -> i32 {
        let high = high_word(accumulator, multiplier);
        // |high| ≤ 2^30 and |addend| ≤ 2^27 + 2^19: no overflow.
        let rounded = (high + self.addend) >> self.drop;
        clamp(rounded, self.min, self.max)
    }
}

/// The upper word of a product.
#[inline(always)]
const fn high_word(a: i32, b: i32) -> i32 {
    // Armv6-M has no long multiplication; what tells it apart here is that it has no atomic exchange either.
    if cfg!(all(target_arch = "arm", not(target_has_atomic = "32"))) {
        high_word_by_halves(a, b)
    } else {
        ((a as i64 * b as i64) >> 32) as i32
    }
}

/// The upper word of a product from products of 32 bits. Signed halves keep the middle sum within them.
#[inline(always)]
const fn high_word_by_halves(a: i32, b: i32) -> i32 {
    let ((a_high, a_low), (b_high, b_low)) = (signed_halves(a), signed_halves(b));
    let middle = a_high.wrapping_mul(b_low).wrapping_add(a_low.wrapping_mul(b_high));
    let middle = middle.wrapping_add(a_low.wrapping_mul(b_low) >> 16);
    a_high.wrapping_mul(b_high).wrapping_add(middle >> 16)
}

/// `value = high · 2^16 + low` with −2^15 ≤ low < 2^15.
const fn signed_halves(value: i32) -> (i32, i32) {
    let low = value as i16 as i32;
    ((value >> 16) + (low < 0) as i32, low)
}

/// The rule for the sum of two tensors of different scales, in 32 bits throughout:
/// `y = clamp(zp + floor(((a − za)·ma + (b − zb)·mb + 2^(shift−1)) / 2^shift), min, max)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addition {
    /// Zero points of the two operands.
    pub input_zero_points: [i32; 2],
    /// Multipliers of the two operands, 0 to [`MAX_ADDEND_MULTIPLIER`].
    pub multipliers: [i32; 2],
    /// Binary digits dropped, 1 to [`MAX_ADDITION_SHIFT`].
    pub shift: u8,
    /// Zero point of the output tensor.
    pub zero_point: i32,
    /// Lower bound of the result.
    pub min: i32,
    /// Upper bound of the result.
    pub max: i32,
}

impl Addition {
    /// Applies the rule to one pair of elements.
    #[inline(always)]
    pub fn apply(self, a: i8, b: i8) -> i8 {
        let ([za, zb], [ma, mb]) = (self.input_zero_points, self.multipliers);
        // What does not depend on the elements, so that it leaves the kernel's loop.
        let constant = (1 << (self.shift - 1)) - za * ma - zb * mb;
        let rounded = (constant + i32::from(a) * ma + i32::from(b) * mb) >> self.shift;
        clamp(rounded + self.zero_point, self.min, self.max) as i8
    }
}

/// As [`Ord::clamp`], which checks the order of its bounds every time.
#[inline(always)]
const fn clamp(value: i32, min: i32, max: i32) -> i32 {
    if value < min {
        min
    } else if value > max {
        max
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INT8: (i32, i32) = (-128, 127);

    /// Rounding by the definition: the nearest integer, ties upwards, found without a shift.
    fn nearest_half_up(numerator: i128, shift: u8) -> i128 {
        let denominator = 1_i128 << shift;
        let floor = numerator.div_euclid(denominator);
        let remainder = numerator.rem_euclid(denominator);
        if 2 * remainder >= denominator { floor + 1 } else { floor }
    }

    #[test]
    fn ties_round_upwards_on_both_sides_of_zero() {
        let half = Requantization::new(33, 0, INT8);
        let multiplier = 1 << 30; // an eighth
        assert_eq!([-12, -4, 4, 12].map(|acc| half.apply(acc, multiplier)), [-1, 0, 1, 2]);
    }

    #[test]
    fn extremes_saturate() {
        for zero_point in [-128, 0, 127] {
            let widest = Requantization::new(MIN_SHIFT, zero_point, INT8);
            assert_eq!(widest.apply(i32::MAX, i32::MAX), 127);
            assert_eq!(widest.apply(i32::MIN, i32::MAX), -128);
        }
    }

    /// Any number, or one whose halves are at the ends of their range.
    fn operand() -> impl Strategy<Value = i32> {
        let halves = || prop::sample::select(&[-0x8000, -0x7fff, -1, 0, 1, 0x7fff][..]);
        let edge = (halves(), halves()).prop_map(|(high, low): (i32, i32)| (high << 16).wrapping_add(low));
        prop_oneof![any::<i32>(), edge]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// The folded form is the rule; in debug builds no addition overflows on the way.
        #[test]
        fn equals_the_definition(
            acc: i32, multiplier in 0..=i32::MAX, shift in MIN_SHIFT..=MAX_SHIFT, zp in -128..=127, min: i16, max: i16,
        ) {
            let (min, max) = (i32::from(min.min(max)), i32::from(max.max(min)));
            let exact = nearest_half_up(i128::from(acc) * i128::from(multiplier), shift) + i128::from(zp);
            for (low, high) in [INT8, (min, max), (i32::MIN, i32::MAX)] {
                let result = Requantization::new(shift, zp, (low, high)).apply(acc, multiplier);
                prop_assert_eq!(i128::from(result), exact.clamp(low.into(), high.into()));
            }
        }

        /// What Armv6-M does, on whichever machine this runs.
        #[test]
        fn halves_give_the_upper_word(a in operand(), b in operand()) {
            prop_assert_eq!(high_word_by_halves(a, b), ((i64::from(a) * i64::from(b)) >> 32) as i32);
        }

        #[test]
        fn addition_never_overflows_and_rounds_once(
            a: i8, b: i8, za in -128..=127, zb in -128..=127,
            ma in 0..MAX_ADDEND_MULTIPLIER, mb in 0..MAX_ADDEND_MULTIPLIER, shift in 1..=MAX_ADDITION_SHIFT, zp in -128..=127,
        ) {
            let rule = Addition { input_zero_points: [za, zb], multipliers: [ma, mb], shift, zero_point: zp, min: -128, max: 127 };
            let sum = (i128::from(a) - i128::from(za)) * i128::from(ma) + (i128::from(b) - i128::from(zb)) * i128::from(mb);
            let exact = (nearest_half_up(sum, shift) + i128::from(zp)).clamp(-128, 127);
            prop_assert_eq!(i128::from(rule.apply(a, b)), exact);
        }
    }
}
