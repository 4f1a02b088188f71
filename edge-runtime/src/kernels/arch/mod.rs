//! Instruction sets: one file each behind [`InstructionSet`].
//!
//! [`Active`] is the one that this build uses; boards choose at compile time.

mod portable;

pub use portable::Portable;

/// The instruction set of this build.
pub type Active = Portable;

/// The innermost operations. All are exact, so every implementation gives the same integers.
pub trait InstructionSet {
    /// Name for reports.
    const NAME: &'static str;

    /// `Σ x[i] · w[i]` over slices of one length.
    fn dot(x: &[i8], w: &[i8]) -> i32;

    /// The dot products of two vectors with two rows of a weight matrix, all of one length:
    /// `result[v][r] = Σ x[v][i] · w[r][i]`. Each element is loaded once for two products.
    fn dot2x2(x: [&[i8]; 2], w: [&[i8]; 2]) -> [[i32; 2]; 2];

    /// `accumulators[i] += Σ x[k][i] · w[k][i]` over `N` pairs of slices as long as the accumulators.
    fn multiply_accumulate<const N: usize>(accumulators: &mut [i32], x: [&[i8]; N], w: [&[i8]; N]);
}
