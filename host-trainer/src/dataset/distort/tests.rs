use super::*;

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
    Distortion {
        side: 64,
        rotation: 0.0,
        shear: 0.0,
        scale: 0.0,
        aspect: 0.0,
        shift: 0.0,
        elastic: 0.0,
        thinning: 0.0,
        thickening: 0.0,
        blur: 0.0,
        fading: 0.0,
        gamma: 0.0,
        noise: 0.0,
    }
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
