//! Loops over elements: the safe side of `elements.s`.

use core::arch::global_asm;

use crate::quant::Requantization;

global_asm!(include_str!("elements.s"), options(raw));

unsafe extern "C" {
    fn fude_mve_copy_rows(
        source: *const i8,
        source_pitch: usize,
        target: *mut i8,
        target_pitch: usize,
        bytes: usize,
        rows: usize,
    );
    fn fude_mve_fill_bytes(target: *mut i8, value: i8, count: usize);
    fn fude_mve_narrow(elements: *mut i8, min: i32, max: i32, count: usize);
    fn fude_mve_dot(a: *const i8, b: *const i8, count: usize) -> i32;
    fn fude_mve_add_products(sums: *mut i32, a: *const i8, b: *const i8, count: usize);
    fn fude_mve_requantize(sums: *const i32, multipliers: *const i32, outputs: *mut i8, count: usize, rule: Saturating);
}

/// The requantisation without its bounds, as the assembly does it for results of a byte:
/// `saturate32((⌊2 · acc · multiplier / 2³²⌋ + addend) << shift) >> 24`.
///
/// Twice the product, so one digit more is dropped, which gives the same number. The shift to the left saturates and leaves
/// the byte at the top of its lane.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Saturating {
    addend: i32,
    shift: i32,
}

impl Saturating {
    /// Of the rule of a layer.
    pub const fn new(rule: Requantization) -> Self {
        Self { addend: 2 * rule.addend(), shift: 23 - rule.drop() as i32 }
    }
}

/// As [`InstructionSet::copy_rows`](super::InstructionSet::copy_rows).
pub fn copy_rows(
    source: &[i8],
    target: &mut [i8],
    (source_pitch, target_pitch): (usize, usize),
    (rows, length): (usize, usize),
) {
    let Some(last) = rows.checked_sub(1) else { return };
    let end = |pitch: usize| last.saturating_mul(pitch).saturating_add(length);
    if length == 0 || source.len() < end(source_pitch) || target.len() < end(target_pitch) {
        return;
    }
    // SAFETY: the code copies at least one row of at least one byte; the last ones end within the slices, as compared above,
    // and the others lie before them. It keeps to the procedure call standard, as all of this file does.
    unsafe { fude_mve_copy_rows(source.as_ptr(), source_pitch, target.as_mut_ptr(), target_pitch, length, rows) }
}

/// As [`InstructionSet::fill`](super::InstructionSet::fill).
pub fn fill(target: &mut [i8], value: i8) {
    // SAFETY: the code writes as many bytes as the slice has, none if it has none.
    unsafe { fude_mve_fill_bytes(target.as_mut_ptr(), value, target.len()) }
}

/// Brings outputs within the bounds of the rule.
pub fn narrow(outputs: &mut [i8], rule: Requantization) {
    let (min, max) = rule.bounds();
    if (min, max) != (i8::MIN.into(), i8::MAX.into()) {
        // SAFETY: the code reads and writes as many bytes as the slice has, none if it has none.
        unsafe { fude_mve_narrow(outputs.as_mut_ptr(), min, max, outputs.len()) }
    }
}

/// `Σ a[i] · b[i]`.
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    // SAFETY: the code reads as many bytes of each slice as both have.
    unsafe { fude_mve_dot(a.as_ptr(), b.as_ptr(), a.len().min(b.len())) }
}

/// `sums[i] += a[i] · b[i]`.
pub fn add_products(sums: &mut [i32], a: &[i8], b: &[i8]) {
    let count = sums.len().min(a.len()).min(b.len());
    // SAFETY: the code reads as many elements of each slice, and writes as many sums, as all three have.
    unsafe { fude_mve_add_products(sums.as_mut_ptr(), a.as_ptr(), b.as_ptr(), count) }
}

/// Applies the rule, without its bounds, to sums of channels.
pub fn requantize(sums: &[i32], multipliers: &[i32], rule: Requantization, outputs: &mut [i8]) {
    let (count, rule) = (sums.len().min(multipliers.len()).min(outputs.len()), Saturating::new(rule));
    // SAFETY: the code reads as many sums and multipliers, and writes as many bytes, as all three slices have.
    unsafe { fude_mve_requantize(sums.as_ptr(), multipliers.as_ptr(), outputs.as_mut_ptr(), count, rule) }
}
