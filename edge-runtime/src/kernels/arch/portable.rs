//! Plain Rust for every target; the compiler vectorises it where it can.

use super::InstructionSet;

/// Plain Rust.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl InstructionSet for Portable {
    const NAME: &'static str = "portable";

    #[inline]
    fn dot(x: &[i8], w: &[i8]) -> i32 {
        let ((x, rest_x), (w, rest_w)) = (x.as_chunks::<8>(), w.as_chunks::<8>());
        let mut sum = 0;
        for (x, w) in x.iter().zip(w) {
            for i in 0..8 {
                sum += i32::from(x[i]) * i32::from(w[i]);
            }
        }
        for (&x, &w) in rest_x.iter().zip(rest_w) {
            sum += i32::from(x) * i32::from(w);
        }
        sum
    }

    #[inline]
    fn dot2x2(x: [&[i8]; 2], w: [&[i8]; 2]) -> [[i32; 2]; 2] {
        let mut sums = [[0; 2]; 2];
        let mut add = |x: [i8; 2], w: [i8; 2]| {
            let (x, w) = (x.map(i32::from), w.map(i32::from));
            sums[0][0] += x[0] * w[0];
            sums[0][1] += x[0] * w[1];
            sums[1][0] += x[1] * w[0];
            sums[1][1] += x[1] * w[1];
        };
        // In fours: fewer addresses to keep than in the compiler's own unrolling, so that a core of 13 registers
        // keeps the sums in them.
        let [(x0, rest_x0), (x1, rest_x1)] = x.map(|x| x.as_chunks::<4>());
        let [(w0, rest_w0), (w1, rest_w1)] = w.map(|w| w.as_chunks::<4>());
        for (((x0, x1), w0), w1) in x0.iter().zip(x1).zip(w0).zip(w1) {
            for i in 0..4 {
                add([x0[i], x1[i]], [w0[i], w1[i]]);
            }
        }
        for (((&x0, &x1), &w0), &w1) in rest_x0.iter().zip(rest_x1).zip(rest_w0).zip(rest_w1) {
            add([x0, x1], [w0, w1]);
        }
        sums
    }

    #[inline]
    fn multiply_accumulate<const N: usize>(accumulators: &mut [i32], x: [&[i8]; N], w: [&[i8]; N]) {
        // The slices have one length, as the caller promises; said here, no element needs a check of its own.
        let length = (0..N).fold(accumulators.len(), |length, k| length.min(x[k].len()).min(w[k].len()));
        let (x, w) = (x.map(|x| x[..length].as_chunks::<4>()), w.map(|w| w[..length].as_chunks::<4>()));
        let (fours, rest) = accumulators[..length].as_chunks_mut::<4>();
        // In fours, whose sums stay in registers over all pairs.
        for (i, sums) in (0..length / 4).zip(fours) {
            for k in 0..N {
                let (x, w) = (&x[k].0[i], &w[k].0[i]);
                for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(w) {
                    *sum += i32::from(x) * i32::from(w);
                }
            }
        }
        for (i, sum) in (0..length % 4).zip(rest) {
            for k in 0..N {
                *sum += i32::from(x[k].1[i]) * i32::from(w[k].1[i]);
            }
        }
    }
}
