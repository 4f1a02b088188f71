use super::*;
use crate::dataset::{Sample, render};

/// A 64x64 cross of strokes 4 pixels wide, away from the edges.
fn cross() -> Glyph {
    let mut pixels = vec![0; 64 * 64];
    for i in 10..54 {
        for j in 30..34 {
            pixels[i * 64 + j] = 255;
            pixels[j * 64 + i] = 255;
        }
    }
    Glyph { width: 64, height: 64, pixels }
}

/// Every effect off.
fn still() -> Distortion {
    Distortion::off(64)
}

fn ink(glyph: &Glyph) -> f64 {
    glyph.pixels.iter().map(|&pixel| f64::from(pixel)).sum()
}

/// Distorts the cross with 50 generators.
fn distorted(settings: &Distortion) -> Vec<Glyph> {
    (0..50).map(|index| distort(&cross(), settings, &mut rng_for(1, 2, index))).collect()
}

#[test]
fn the_same_numbers_give_the_same_picture() {
    let settings = Distortion::default();
    assert_eq!(distorted(&settings), distorted(&settings));
    let one = |seed, stream, index| distort(&cross(), &settings, &mut rng_for(seed, stream, index));
    let base = one(1, 2, 3);
    for other in [one(2, 2, 3), one(1, 3, 3), one(1, 2, 4), one(3, 2, 1)] {
        assert_ne!(base, other);
    }
}

#[test]
fn without_strength_nothing_changes() {
    for glyph in distorted(&still()) {
        assert_eq!(glyph, cross());
    }
}

#[test]
fn full_strength_changes_the_picture_but_keeps_its_ink() {
    let original = ink(&cross());
    let all = distorted(&Distortion::default());
    for glyph in &all {
        assert_ne!(glyph, &cross());
        let ratio = ink(glyph) / original;
        assert!((0.4..1.9).contains(&ratio), "ink changed by a factor of {ratio}");
    }
    let mean = all.iter().map(ink).sum::<f64>() / all.len() as f64 / original;
    assert!((0.8..1.3).contains(&mean), "mean factor {mean}");
}

#[test]
fn mild_changes_less() {
    let change = |settings: &Distortion| -> u64 {
        let original = cross();
        let differences = distorted(settings).into_iter().flat_map(|glyph| {
            let pairs = glyph.pixels.into_iter().zip(original.pixels.clone());
            pairs.map(|(a, b)| u64::from(a.abs_diff(b)))
        });
        differences.sum()
    };
    let (mild, full) = (change(&Distortion::mild()), change(&Distortion::default()));
    assert!(0 < mild && mild * 4 < full * 3, "mild {mild}, full {full}");
}

/// Each effect alone has to do what its name says.
#[test]
fn each_effect_works_alone() {
    let original = ink(&cross());
    let ratios =
        |settings: Distortion| -> Vec<f64> { distorted(&settings).iter().map(|glyph| ink(glyph) / original).collect() };
    let is_about_one = |ratio: &f64| (0.97..1.03).contains(ratio);

    assert!(ratios(Distortion { thickening: 1.0, ..still() }).iter().all(|&r| (1.0..1.6).contains(&r)));
    assert!(ratios(Distortion { thickening: 1.0, ..still() }).iter().any(|&r| r > 1.3));
    assert!(ratios(Distortion { thinning: 1.0, ..still() }).iter().all(|&r| (0.4..=1.0).contains(&r)));
    assert!(ratios(Distortion { thinning: 1.0, ..still() }).iter().any(|&r| r < 0.7));
    assert!(ratios(Distortion { fading: 0.5, ..still() }).iter().all(|&r| (0.49..=1.0).contains(&r)));
    assert!(ratios(Distortion { scale: 0.2, ..still() }).iter().any(|&r| r > 1.2));
    for same_ink in [
        Distortion { rotation: 8.0, ..still() },
        Distortion { shift: 0.05, ..still() },
        Distortion { blur: 0.7, ..still() },
    ] {
        assert!(distorted(&same_ink).iter().filter(|glyph| **glyph != cross()).count() > 30);
        assert!(ratios(same_ink).iter().all(is_about_one));
    }
    for other in [
        Distortion { shear: 0.1, ..still() },
        Distortion { aspect: 0.1, ..still() },
        Distortion { elastic: 0.05, ..still() },
        Distortion { noise: 8.0, ..still() },
    ] {
        assert!(distorted(&other).iter().filter(|glyph| **glyph != cross()).count() > 30);
    }
    // Gamma bends only what is neither ink nor paper.
    let mut grey = cross();
    grey.pixels.iter_mut().for_each(|pixel| *pixel /= 2);
    let bent = distort(&grey, &Distortion { gamma: 0.3, ..still() }, &mut rng_for(1, 2, 3));
    assert!(bent.pixels[32 * 64 + 32].abs_diff(127) > 5 && bent.pixels[0] == 0);
}

#[test]
fn strokes_without_room_are_not_thickened() {
    // Lines 2 pixels wide, 2 apart: half the picture is ink.
    let pixels = (0..64 * 64).map(|i| if i % 4 < 2 { 255 } else { 0 }).collect();
    let dense = Glyph { width: 64, height: 64, pixels };
    for index in 0..50 {
        let settings = Distortion { thickening: 1.0, ..still() };
        assert_eq!(distort(&dense, &settings, &mut rng_for(1, 2, index)), dense);
    }
}

#[test]
fn any_size_fills_the_square() {
    // A frame on the outermost ring stays on it, whatever the size.
    for (width, height, side) in [(28, 28, 64), (64, 64, 28), (500, 500, 64), (64, 64, 64)] {
        let frame = |x: usize, y: usize| x == 0 || y == 0 || x == width - 1 || y == height - 1;
        let pixel = |i: usize| if frame(i % width, i / width) { 255 } else { 0 };
        let pixels = (0..width * height).map(pixel).collect();
        let glyph = Glyph { width: width as u16, height: height as u16, pixels };
        let out = distort(&glyph, &Distortion { side, ..still() }, &mut rng_for(0, 0, 0));
        assert_eq!((out.width, out.height), (side, side));
        let (side, middle) = (usize::from(side), usize::from(side) / 2);
        assert!(out.pixels[middle] > 10, "{width} to {side}: no ink at the top");
        assert!(out.pixels[middle * side + side - 1] > 10, "{width} to {side}: no ink at the right");
        assert_eq!(out.pixels[middle * side + middle], 0);
    }
    // The smallest squares leave the filters without neighbours, but still come out.
    for side in [1, 2] {
        let out = distort(&cross(), &Distortion { side, ..Distortion::default() }, &mut rng_for(0, 0, 0));
        assert_eq!(out.pixels.len(), usize::from(side * side));
    }
    // A wide picture keeps its proportions: centred, paper above and below.
    let wide = Glyph { width: 64, height: 16, pixels: vec![255; 64 * 16] };
    let out = distort(&wide, &still(), &mut rng_for(0, 0, 0));
    let rows: Vec<usize> = (0..64).filter(|y| out.pixels[y * 64 + 32] > 127).collect();
    assert!(rows.into_iter().eq(24..40));
}

/// What a picture came to before there were the effects that are off by default: packages made then are made again.
/// On one platform, since others may round `exp` and `sin` differently.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_defaults_draw_what_they_always_drew() {
    let sums = [Distortion::default(), Distortion::mild()].map(|settings| {
        let pixels = distorted(&settings).into_iter().flat_map(|glyph| glyph.pixels);
        // FNV-1a.
        pixels.fold(0xCBF2_9CE4_8422_2325_u64, |sum, pixel| (sum ^ u64::from(pixel)).wrapping_mul(0x0100_0000_01B3))
    });
    assert_eq!(sums, [0x74CD_3C9C_9D45_18FA, 0xC7E0_E651_81CB_4A87]);
}

/// Pixels that differ by more than 10 levels from the cross, in each of 50 pictures.
fn differences(settings: &Distortion) -> Vec<usize> {
    let count = |glyph: &Glyph| glyph.pixels.iter().zip(cross().pixels).filter(|(a, b)| a.abs_diff(*b) > 10).count();
    distorted(settings).iter().map(count).collect()
}

#[test]
fn an_elastic_field_bends_single_strokes() {
    let settings = Distortion { elastic_field: 2.0, elastic_smoothness: 6.0, ..still() };
    assert!(differences(&settings).iter().all(|&count| count > 50));
    let original = ink(&cross());
    assert!(distorted(&settings).iter().all(|glyph| (0.6..1.5).contains(&(ink(glyph) / original))));
    // The strength is what it says: the root of the mean square, in pixels.
    let field = elastic::Field::random(64, 2.0, 6.0, &mut rng_for(1, 2, 3));
    let moved = (0..64 * 64).flat_map(|i| field.at(i % 64, i / 64)).map(|at| (at * 32.0).powi(2)).sum::<f32>();
    let strength = (moved / (2.0 * 64.0 * 64.0)).sqrt();
    assert!((1.3..2.7).contains(&strength), "{strength}");
    // And it is smooth: neighbours move alike.
    let step = (0..64 * 63).map(|i| (field.at(i % 64, i / 64)[0] - field.at(i % 64, i / 64 + 1)[0]).abs() * 32.0);
    assert!(step.fold(0.0, f32::max) < 1.5);
}

#[test]
fn paper_is_soiled_as_asked() {
    let paper = |glyph: &Glyph| glyph.pixels[0];
    let grey = distorted(&Distortion { background: 0.4, ..still() });
    assert!(grey.iter().all(|glyph| paper(glyph) < 130 && glyph.pixels[32 * 64 + 32] == 255));
    assert!(grey.iter().filter(|glyph| paper(glyph) > 20).count() > 25);
    assert!(grey.iter().any(|glyph| paper(glyph).abs_diff(glyph.pixels[64 * 64 - 1]) > 5), "even everywhere");

    let streaked = differences(&Distortion { streaks: 0.8, ..still() });
    // A dark streak shows on paper, a light one on ink; a light one beside the cross does not show.
    assert!(streaked.iter().filter(|&&count| count >= 40).count() > 25, "{streaked:?}");
    assert!(streaked.iter().all(|&count| count <= 3 * 64));

    let specked = differences(&Distortion { speckle: 0.05, ..still() });
    assert!(specked.iter().filter(|&&count| count > 20).count() > 25, "{specked:?}");
    assert!(specked.iter().all(|&count| count < 64 * 64 / 20));
    // Far less than one pixel on average, and yet some pictures get one.
    let rare = differences(&Distortion { speckle: 0.0002, ..still() });
    assert!(rare.iter().any(|&count| count > 0) && rare.iter().all(|&count| count <= 1), "{rare:?}");
}

#[test]
fn a_threshold_leaves_black_and_white() {
    let is_bilevel = |glyph: &Glyph| glyph.pixels.iter().all(|pixel| [0, 255].contains(pixel));
    let share = |threshold| {
        let settings = Distortion { blur: 0.7, fading: 0.5, threshold, ..still() };
        distorted(&settings).iter().filter(|glyph| is_bilevel(glyph)).count()
    };
    assert_eq!((share(0.0), share(1.0)), (0, 50));
    assert!((10..40).contains(&share(0.5)), "{}", share(0.5));
    // The strokes are still there.
    let settings = Distortion { blur: 0.7, fading: 0.5, threshold: 1.0, ..still() };
    let original = ink(&cross());
    assert!(distorted(&settings).iter().all(|glyph| (0.6..1.5).contains(&(ink(glyph) / original))));
}

#[test]
fn a_blur_beyond_one_pass_goes_on() {
    let edge = |blur: f32| {
        let glyphs = distorted(&Distortion { blur, ..still() });
        // Three pixels beyond the edge of the vertical stroke.
        glyphs.iter().map(|glyph| u32::from(glyph.pixels[15 * 64 + 36])).sum::<u32>()
    };
    assert_eq!(edge(0.7), 0);
    assert!(edge(2.0) > 100, "{}", edge(2.0));
}

#[test]
fn samples_with_strokes_are_written_anew() {
    let strokes = crate::dataset::Strokes::from_lines(&[vec![[0.0, 0.0], [10.0, 0.0]], vec![[5.0, -5.0], [5.0, 5.0]]]);
    let strokes = strokes.unwrap();
    let written = Sample { glyph: strokes.to_glyph(), strokes: Some(strokes.into()), label: None, source: 0 };
    let picture = Sample { strokes: None, ..written.clone() };
    let hand = Distortion { handwriting: Handwriting { rotation: 20.0, ..Handwriting::off() }, ..still() };
    let one = |sample: &Sample, settings: &Distortion, epoch| render(sample, settings, &mut rng_for(1, epoch, 0));
    assert_ne!(one(&written, &hand, 0), written.glyph);
    assert_ne!(one(&written, &hand, 0), one(&written, &hand, 1));
    assert_eq!(one(&written, &hand, 0), one(&written, &hand, 0));
    assert_eq!(one(&picture, &hand, 0), picture.glyph);
    assert_eq!(one(&written, &still(), 0), written.glyph);
    // A picture goes through the distortion alone, whatever the handwriting.
    let full = Distortion::default();
    assert_eq!(one(&picture, &full, 0), distort(&picture.glyph, &full, &mut rng_for(1, 0, 0)));
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    let read: Distortion = toml::from_str("speckle = 0.1\n[handwriting]\nslant = 0.5").unwrap();
    let handwriting = Handwriting { slant: 0.5, ..Handwriting::default() };
    assert_eq!(read, Distortion { speckle: 0.1, handwriting, ..Distortion::default() });
    assert!(toml::from_str::<Distortion>("specks = 0.1").unwrap_err().to_string().contains("unknown field `specks`"));
}
