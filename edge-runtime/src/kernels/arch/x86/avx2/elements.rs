//! The operators without weights: plain Rust, which the compiler vectorises with these instructions.

use crate::kernels::{View, elementwise, pool};
use crate::quant::{Addition, Requantization};

#[target_feature(enable = "avx2")]
pub fn add_pixels(source: &[i8], pitches: (usize, usize), size: (usize, usize), sums: &mut [i32]) {
    pool::add_pixels(source, pitches, size, sums);
}

#[target_feature(enable = "avx2")]
pub fn gate(data: &mut [i8], zero_point: i32, gate: View<'_>, multiplier: i32, rule: Requantization) {
    elementwise::gate(data, zero_point, gate, multiplier, rule);
}

#[target_feature(enable = "avx2")]
pub fn add(data: &mut [i8], other: &[i8], rule: Addition) {
    elementwise::add(data, other, rule);
}
