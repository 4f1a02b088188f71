//! x86-64: AMX for matrix products where a processor has it, AVX-512 VNNI, and AVX2 where that is missing.
//!
//! All read weights of the layout `x86`, whose sign bit is flipped: bytes without sign, 128 too large. `vpdpbusd`
//! multiplies unsigned by signed bytes, and as the signed operand it takes four taps of the window, broadcast from memory.
//! What is too much, `128 · Σ x`, depends on the window alone; it is subtracted once a window. AMX multiplies
//! signed bytes, and flips the weights back.
#![allow(unsafe_code)]

mod amx;
mod avx2;
mod avx512;

pub use amx::Amx;
pub use avx2::Avx2;
pub use avx512::Avx512;

/// Exclusive-ored to the weights, as the layout says.
const FLIP: u8 = 0x80;

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::kernels::arch::InstructionSet;
    use crate::kernels::layer;
    use crate::layout::WeightLayout;
    use crate::package::AlignedBytes;
    use crate::trial::{Kernel, Trial};

    /// `FUDE_TRIALS` of each kernel, else 1000, on a processor that has the set.
    fn equals_the_oracle<I: InstructionSet>() {
        if !I::is_supported() {
            return;
        }
        let asked = std::env::var("FUDE_TRIALS").ok().and_then(|count| count.parse().ok());
        for kernel in Kernel::ALL {
            for seed in 0..asked.unwrap_or(1000) {
                let drawn = kernel.draw(seed, WeightLayout::X86);
                let bytes = AlignedBytes::copy_of(&drawn.write(WeightLayout::X86).expect("it holds all weights"));
                let (trial, _) = Trial::read(bytes.as_slice()).expect("written by the writer");
                let mut arena = vec![0x5a; trial.arena_bytes()];
                trial.prepare(&mut arena).expect("the arena is large enough");
                let output = trial.run_by(&mut arena, layer::run::<I>);
                assert_eq!(output, Some(&drawn.expected()[..]), "{kernel:?}, seed {seed}");
            }
        }
    }

    /// A processor takes the best set that it has, and never those below.
    #[test]
    fn avx512_equals_the_oracle() {
        equals_the_oracle::<Avx512>();
    }

    #[test]
    fn avx2_equals_the_oracle() {
        equals_the_oracle::<Avx2>();
    }
}
