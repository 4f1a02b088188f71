//! The one requantisation rule.
//!
//! A kernel accumulates in `i32` and leaves with
//!
//! ```text
//! y = clamp(zero_point + floor((acc · multiplier[c] + 2^(shift−1)) / 2^shift), min, max)
//! ```
//!
//! The product is exact (64 bits), rounded once, half up; `shift` is one number for the whole layer,
//! `multiplier` one per output channel. With `shift ≥ 33` the rounding constant and the zero point fold into
//! one addend, which is one `smmla` on Cortex-M4. `docs/requantisation.md` derives the form that each
//! instruction set uses and why this rule was preferred to TFLite's and ONNX Runtime's.

/// Smallest shift a package may carry: real scales up to 2⁷.
pub const MIN_SHIFT: u8 = 24;
/// Largest shift a package may carry; the folded addend then still fits an `i32`.
pub const MAX_SHIFT: u8 = 52;
/// Largest multiplier of an operand of [`Addition`] (exclusive): sums of two stay inside an `i32`.
pub const MAX_ADDEND_MULTIPLIER: i32 = 1 << 21;
/// Largest shift of an [`Addition`].
pub const MAX_ADDITION_SHIFT: u8 = 30;

/// What happens to an accumulator of a layer: the requantisation rule without its per-channel multiplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requantization {
    /// Binary digits dropped, [`MIN_SHIFT`] to [`MAX_SHIFT`].
    pub shift: u8,
    /// Zero point of the output tensor.
    pub zero_point: i32,
    /// Lower bound of the result; a fused ReLU raises it to the zero point.
    pub min: i32,
    /// Upper bound of the result.
    pub max: i32,
}

impl Requantization {
    /// Applies the rule to one accumulator of a channel whose multiplier is `multiplier`.
    #[inline(always)]
    pub fn apply(self, accumulator: i32, multiplier: i32) -> i32 {
        let product = i64::from(accumulator) * i64::from(multiplier);
        let rounded = (product + (1_i64 << (self.shift - 1))) >> self.shift;
        // With the smallest shift the quotient can pass the range of an `i32`: clamp before narrowing.
        (rounded + i64::from(self.zero_point)).clamp(i64::from(self.min), i64::from(self.max)) as i32
    }
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
        let a = (i32::from(a) - self.input_zero_points[0]) * self.multipliers[0];
        let b = (i32::from(b) - self.input_zero_points[1]) * self.multipliers[1];
        let rounded = (a + b + (1 << (self.shift - 1))) >> self.shift;
        (rounded + self.zero_point).clamp(self.min, self.max) as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: Requantization = Requantization { shift: 40, zero_point: 0, min: -128, max: 127 };

    /// Rounding by the definition: the nearest integer, ties upwards, found without a shift.
    fn nearest_half_up(numerator: i128, shift: u8) -> i128 {
        let denominator = 1_i128 << shift;
        let floor = numerator.div_euclid(denominator);
        let remainder = numerator.rem_euclid(denominator);
        if 2 * remainder >= denominator { floor + 1 } else { floor }
    }

    #[test]
    fn ties_round_upwards_on_both_sides_of_zero() {
        let half = Requantization { shift: 31, ..FULL };
        let multiplier = 1 << 30; // exactly one half
        assert_eq!([-3, -1, 1, 3].map(|acc| half.apply(acc, multiplier)), [-1, 0, 1, 2]);
    }

    #[test]
    fn extremes_saturate() {
        let widest = Requantization { shift: MIN_SHIFT, ..FULL };
        assert_eq!(widest.apply(i32::MAX, i32::MAX), 127);
        assert_eq!(widest.apply(i32::MIN, i32::MAX), -128);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn equals_the_definition(acc: i32, multiplier in 0..=i32::MAX, shift in MIN_SHIFT..=MAX_SHIFT, zp in -128..=127) {
            let rule = Requantization { shift, zero_point: zp, min: -128, max: 127 };
            let exact = nearest_half_up(i128::from(acc) * i128::from(multiplier), shift) + i128::from(zp);
            prop_assert_eq!(i128::from(rule.apply(acc, multiplier)), exact.clamp(-128, 127));
        }

        /// The form of `smmla` and `vmulh`: high word, one addend, one shift.
        #[test]
        fn folds_into_a_high_word_and_one_addend(acc: i32, multiplier in 0..=i32::MAX, shift in 33..=MAX_SHIFT, zp in -128..=127) {
            let rule = Requantization { shift, zero_point: zp, min: -128, max: 127 };
            let n = shift - 32;
            let addend = (1_i32 << (n - 1)) + (zp << n);
            let high = ((i64::from(acc) * i64::from(multiplier)) >> 32) as i32;
            let folded = (high.checked_add(addend).expect("no overflow") >> n).clamp(-128, 127);
            prop_assert_eq!(rule.apply(acc, multiplier), folded);
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
