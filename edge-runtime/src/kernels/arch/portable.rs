//! Plain Rust for every target; the compiler vectorises it where it can.

use super::InstructionSet;

/// Plain Rust.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl InstructionSet for Portable {
    const NAME: &'static str = "portable";

    #[inline]
    fn dot(x: &[i8], w: &[i8]) -> i32 {
        x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w)).sum()
    }

    #[inline]
    fn dot4(x: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let [a, b, c, d] = w;
        let mut sums = [0; 4];
        for ((((&x, &a), &b), &c), &d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            let x = i32::from(x);
            sums[0] += x * i32::from(a);
            sums[1] += x * i32::from(b);
            sums[2] += x * i32::from(c);
            sums[3] += x * i32::from(d);
        }
        sums
    }

    #[inline]
    fn multiply_accumulate(accumulators: &mut [i32], x: &[i8], w: &[i8]) {
        for ((accumulator, &x), &w) in accumulators.iter_mut().zip(x).zip(w) {
            *accumulator += i32::from(x) * i32::from(w);
        }
    }
}
