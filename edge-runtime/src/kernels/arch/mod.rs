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

    /// Four dot products that share `x`: rows of a weight matrix.
    fn dot4(x: &[i8], w: [&[i8]; 4]) -> [i32; 4];

    /// `accumulators[i] += x[i] · w[i]` over slices of one length.
    fn multiply_accumulate(accumulators: &mut [i32], x: &[i8], w: &[i8]);
}
