//! Ink normalisation against its definition in floating point, and at the edges of its domain.

use fude_runtime::ink::{Image, normalize};
use fude_runtime::limits::MAX_IMAGE_SIDE;
use fude_runtime::package::{Fit, Preprocessing};
use proptest::prelude::*;

use crate::models::Random;

const GLYPH: usize = 64;
const INK_BOX: Preprocessing = Preprocessing::ink_box(54);
const WHOLE: Preprocessing = Preprocessing { fit: Fit::WholeImage, ink_threshold: 64 };

fn normalized(width: usize, height: usize, pixels: &[u8], rule: Preprocessing, size: (usize, usize)) -> Vec<u8> {
    let image = Image::new(width, height, pixels).expect("a sound image");
    let mut output = vec![0xa5; size.0 * size.1];
    normalize(&image, rule, size, &mut output);
    output
}

/// Start and length of the source and target ranges of one axis.
type AxisMap = (usize, usize, usize, usize);

/// The definition: a triangle as wide as one pixel of the coarser side, over the pixels inside the box.
fn reference(width: usize, height: usize, pixels: &[u8], rule: Preprocessing, size: (usize, usize)) -> Vec<f64> {
    let ink = |place: usize| pixels[place] >= rule.ink_threshold;
    let columns: Vec<usize> = (0..width).filter(|x| (0..height).any(|y| ink(y * width + x))).collect();
    let rows: Vec<usize> = (0..height).filter(|y| (0..width).any(|x| ink(y * width + x))).collect();
    let mut output = vec![0.0; size.0 * size.1];
    let (horizontal, vertical): (AxisMap, AxisMap) = match rule.fit {
        Fit::WholeImage => ((0, width, 0, size.0), (0, height, 0, size.1)),
        Fit::InkBox { longer_side } => {
            let (Some(left), Some(top)) = (columns.first(), rows.first()) else { return output };
            let (wide, high) = (columns[columns.len() - 1] + 1 - left, rows[rows.len() - 1] + 1 - top);
            let place = |length: usize, space: usize| {
                let exact = length as f64 * f64::from(longer_side) / wide.max(high) as f64;
                let scaled = ((exact + 0.5).floor() as usize).clamp(1, space);
                ((space - scaled) / 2, scaled)
            };
            let ((x, across), (y, down)) = (place(wide, size.0), place(high, size.1));
            ((*left, wide, x, across), (*top, high, y, down))
        }
    };
    let weights = |(start, length, _, target): AxisMap, index: usize| -> Vec<(usize, f64)> {
        let step = length as f64 / target as f64;
        let (support, centre) = (step.max(1.0), (index as f64 + 0.5) * step - 0.5);
        let near = (0..length).map(|tap| (start + tap, (support - (tap as f64 - centre).abs()).max(0.0)));
        let near: Vec<(usize, f64)> = near.filter(|&(_, weight)| weight > 0.0).collect();
        let sum: f64 = near.iter().map(|(_, weight)| weight).sum();
        near.into_iter().map(|(tap, weight)| (tap, weight / sum)).collect()
    };
    for y in 0..vertical.3 {
        let rows = weights(vertical, y);
        for x in 0..horizontal.3 {
            let columns = weights(horizontal, x);
            let row = |&(y, weight): &(usize, f64)| -> f64 {
                columns.iter().map(|&(x, share)| share * weight * f64::from(pixels[y * width + x])).sum()
            };
            output[(vertical.2 + y) * size.0 + horizontal.2 + x] = rows.iter().map(row).sum();
        }
    }
    output
}

/// Strokes and noise, at full contrast or not, on a mostly empty sheet.
fn scribble(seed: u64, width: usize, height: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let sparse = random.between(0, 2);
    let contrast = random.between(0, 1) == 0;
    (0..width * height)
        .map(|_| match random.between(0, 9) {
            n if n < 4 * sparse => 0,
            _ if contrast => random.pick(&[0, 255]),
            _ => random.word() as u8,
        })
        .collect()
}

proptest! {
    #![proptest_config(crate::cases(500))]

    #[test]
    fn equals_the_definition_within_one_level(
        seed: u64, width in 1..90_usize, height in 1..90_usize, size in (1..40_usize, 1..40_usize),
        longer_side in 1..40_u16, threshold in 1..=255_u8, whole: bool,
    ) {
        let fit = if whole { Fit::WholeImage } else { Fit::InkBox { longer_side } };
        let rule = Preprocessing { fit, ink_threshold: threshold };
        let pixels = scribble(seed, width, height);
        let output = normalized(width, height, &pixels, rule, size);
        let exact = reference(width, height, &pixels, rule, size);
        for (place, (&level, &exact)) in output.iter().zip(&exact).enumerate() {
            prop_assert!((f64::from(level) - exact).abs() <= 1.0, "{level} for {exact} at {place}");
        }
    }

    /// Where the ink lies on the sheet does not matter.
    #[test]
    fn is_invariant_to_translation(
        seed: u64, width in 1..30_usize, height in 1..30_usize, places in [(0..50_usize, 0..50_usize), (0..50, 0..50)],
    ) {
        let mut ink = scribble(seed, width, height);
        (ink[0], ink[width * height - 1]) = (255, 255); // the box is the whole of it
        let [a, b] = places.map(|(left, top)| {
            let mut sheet = vec![0; 80 * 80];
            for (line, ink) in sheet.chunks_exact_mut(80).skip(top).zip(ink.chunks_exact(width)) {
                line[left..left + width].copy_from_slice(ink);
            }
            normalized(80, 80, &sheet, INK_BOX, (GLYPH, GLYPH))
        });
        prop_assert_eq!(a, b);
    }

    /// A glyph whose box is where normalisation would put it stays as it is.
    #[test]
    fn a_normalised_glyph_is_a_fixed_point(seed: u64, other_side in 1..=27_usize, upright: bool) {
        let (across, down) = if upright { (2 * other_side, 54) } else { (54, 2 * other_side) };
        let (left, top) = ((GLYPH - across) / 2, (GLYPH - down) / 2);
        let mut random = Random::new(seed);
        let mut glyph = vec![0; GLYPH * GLYPH];
        for (y, x) in (top..top + down).flat_map(|y| (left..left + across).map(move |x| (y, x))) {
            glyph[y * GLYPH + x] = random.word() as u8;
        }
        glyph[top * GLYPH + left] = 255;
        glyph[(top + down - 1) * GLYPH + left + across - 1] = 255;
        prop_assert_eq!(&normalized(GLYPH, GLYPH, &glyph, INK_BOX, (GLYPH, GLYPH)), &glyph);
    }
}

#[test]
fn without_ink_the_glyph_is_empty() {
    for level in [0, INK_BOX.ink_threshold - 1] {
        assert_eq!(normalized(30, 20, &[level; 600], INK_BOX, (8, 8)), [0; 64]);
    }
}

#[test]
fn a_single_pixel_fills_the_box() {
    let mut sheet = [0; 35];
    sheet[17] = 200;
    let glyph = normalized(7, 5, &sheet, Preprocessing::ink_box(2), (4, 4));
    assert_eq!(glyph, [0, 0, 0, 0, 0, 200, 200, 0, 0, 200, 200, 0, 0, 0, 0, 0]);
}

#[test]
fn lines_of_one_pixel_keep_one() {
    for (width, height) in [(1, 40), (40, 1), (1, MAX_IMAGE_SIDE), (MAX_IMAGE_SIDE, 1)] {
        let glyph = normalized(width, height, &vec![255; width * height], INK_BOX, (GLYPH, GLYPH));
        let ink: Vec<usize> = (0..GLYPH * GLYPH).filter(|&place| glyph[place] > 0).collect();
        let (first, last) = (ink[0], ink[ink.len() - 1]);
        assert_eq!((ink.len(), glyph[first]), (54, 255), "{width}×{height}");
        assert_eq!(last - first, if width == 1 { 53 * GLYPH } else { 53 }, "{width}×{height}");
    }
}

/// The longest sums that the filter forms; an overflow panics where tests run with debug assertions.
#[test]
fn the_largest_image_does_not_overflow() {
    let side = MAX_IMAGE_SIDE;
    let full = vec![255; side * side];
    for size in [(1, 1), (1, 3), (3, 1), (GLYPH, GLYPH)] {
        assert_eq!(normalized(side, side, &full, WHOLE, size), vec![255; size.0 * size.1]);
    }
    assert_eq!(normalized(side, side, &full, Preprocessing::ink_box(1), (5, 5)).iter().max(), Some(&255));

    let noise = scribble(7, side, side);
    let exact = reference(side, side, &noise, WHOLE, (2, 2));
    for (level, exact) in normalized(side, side, &noise, WHOLE, (2, 2)).into_iter().zip(exact) {
        assert!((f64::from(level) - exact).abs() <= 1.0, "{level} for {exact}");
    }
}

/// Boxes that a package may ask for though no trainer would.
#[test]
fn absurd_boxes_are_clamped() {
    for longer_side in [0, 1, 65_535] {
        for size in [(1, 1), (4096, 1), (1, 4096), (3, 70)] {
            let rule = Preprocessing { fit: Fit::InkBox { longer_side }, ink_threshold: 0 };
            let glyph = normalized(3, 2, &[255; 6], rule, size);
            assert!(glyph.contains(&255), "{longer_side} in {size:?}");
        }
    }
}

#[test]
fn images_of_impossible_sizes_are_refused() {
    let sheet = vec![0; 4 * (MAX_IMAGE_SIDE + 1)];
    for (width, height, length) in
        [(0, 4, 0), (4, 0, 0), (4, 4, 15), (4, 4, 17), (MAX_IMAGE_SIDE + 1, 1, MAX_IMAGE_SIDE + 1), (usize::MAX, 2, 6)]
    {
        assert!(Image::new(width, height, &sheet[..length]).is_none(), "{width}×{height} of {length}");
    }
}
