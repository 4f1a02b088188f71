//! Changing the weight of the strokes.

/// Share of the picture that is ink from which on strokes are thickened less, and not at all.
/// A kanji of many strokes in a marker font has about 0.4, the same in a pencil font 0.2.
const FULL_ROOM: f32 = 0.15;
const NO_ROOM: f32 = 0.4;

/// How much of a thickening the gaps between the strokes allow: 1 for all of it, 0 for none.
pub(super) fn room(pixels: &[u8]) -> f32 {
    let ink: u64 = pixels.iter().map(|&pixel| u64::from(pixel)).sum();
    let share = ink as f32 / (255.0 * pixels.len() as f32);
    ((NO_ROOM - share) / (NO_ROOM - FULL_ROOM)).clamp(0.0, 1.0)
}

/// Moves every edge of the strokes outwards by `amount` pixels, or inwards where it is negative.
///
/// Grey dilation (maximum) or erosion (minimum) over each pixel and its four neighbours, once for
/// each whole pixel; for the rest of `amount`, a blend with one step more.
pub(super) fn change_thickness(pixels: &mut [u8], side: usize, amount: f32) {
    let mut left = amount.abs();
    while left > 0.0 {
        let share = (left.min(1.0) * 256.0) as i32;
        let moved = if amount < 0.0 { cross(pixels, side, u8::min) } else { cross(pixels, side, u8::max) };
        for (pixel, moved) in pixels.iter_mut().zip(moved) {
            let difference = i32::from(moved) - i32::from(*pixel);
            // Between the two values, so it fits a byte.
            *pixel = (i32::from(*pixel) + (difference * share + 128) / 256) as u8;
        }
        left -= 1.0;
    }
}

/// For each pixel, `pick` over itself and its four neighbours; at the edge, over those there are.
fn cross(pixels: &[u8], side: usize, pick: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    let mut out = pixels.to_vec();
    for (out, row) in out.chunks_exact_mut(side).zip(pixels.chunks_exact(side)) {
        pick_into(&mut out[1..], row, &pick);
        pick_into(out, &row[1..], &pick);
    }
    pick_into(&mut out[side..], pixels, &pick);
    pick_into(&mut out, &pixels[side..], &pick);
    out
}

/// `out[i] = pick(out[i], other[i])` as far as both reach.
fn pick_into(out: &mut [u8], other: &[u8], pick: impl Fn(u8, u8) -> u8) {
    for (out, &other) in out.iter_mut().zip(other) {
        *out = pick(*out, other);
    }
}
