use super::*;
use crate::dataset::{Glyph, Strokes, rng_for};

/// 口 with a bent stroke in it, and a dot: corners that meet, an end near a beginning, a single point.
fn strokes() -> Strokes {
    Strokes::from_lines(&[
        vec![[20.0, 20.0], [20.0, 90.0]],
        vec![[20.0, 20.0], [80.0, 18.0], [84.0, 88.0]],
        vec![[20.0, 88.0], [84.0, 86.0]],
        vec![[72.0, 66.0], [53.0, 40.0], [40.0, 5.0]],
        vec![[95.0, 10.0]],
    ])
    .unwrap()
}

/// Written once each by `count` writers.
fn written(settings: &Handwriting, count: u64) -> Vec<Glyph> {
    let write = |index| {
        let mut rng = rng_for(3, 1, index);
        Writer::random(settings, &mut rng).write(&strokes(), &mut rng)
    };
    (0..count).map(write).collect()
}

fn ink(glyph: &Glyph) -> f64 {
    glyph.pixels.iter().map(|&pixel| f64::from(pixel)).sum()
}

/// First and last column and row with ink.
fn inked(glyph: &Glyph) -> [usize; 4] {
    let at = (0..glyph.pixels.len()).filter(|&i| glyph.pixels[i] > 0);
    at.fold([63, 0, 63, 0], |[left, right, top, bottom], i| {
        let (x, y) = (i % 64, i / 64);
        [left.min(x), right.max(x), top.min(y), bottom.max(y)]
    })
}

/// Pixels whose ink differs visibly from what is written without any effect.
fn changed(glyph: &Glyph) -> usize {
    let plain = strokes().to_glyph();
    glyph.pixels.iter().zip(plain.pixels).filter(|(a, b)| a.abs_diff(*b) > 40).count()
}

#[test]
fn without_strength_strokes_are_drawn_as_they_are() {
    let plain = strokes().to_glyph();
    assert!(ink(&plain) > 50_000.0);
    assert!(written(&Handwriting::off(), 50).into_iter().all(|glyph| glyph == plain));
    assert!(written(&Handwriting::default().scaled(0.0), 5).into_iter().all(|glyph| glyph == plain));
}

#[test]
fn the_same_numbers_give_the_same_hand() {
    let settings = Handwriting::default();
    let all = written(&settings, 30);
    assert_eq!(all, written(&settings, 30));
    assert!((1..30).all(|other| all[other] != all[0]));
}

#[test]
fn a_writer_keeps_the_habits_but_not_every_stroke() {
    let settings = Handwriting { slant: 0.3, shift: 0.005, ..Handwriting::off() };
    let mut rng = rng_for(1, 2, 3);
    let writer = Writer::random(&settings, &mut rng);
    let [first, second] = [(); 2].map(|()| writer.write(&strokes(), &mut rng));
    assert_ne!(first, second);
    let others = (0..20).map(|seed| {
        let mut rng = rng_for(seed, 0, 0);
        Writer::random(&settings, &mut rng).write(&strokes(), &mut rng)
    });
    let difference =
        |a: &Glyph, b: &Glyph| -> u64 { a.pixels.iter().zip(&b.pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum() };
    let among_others: Vec<u64> = others.map(|other| difference(&first, &other)).collect();
    let mean = among_others.iter().sum::<u64>() / 20;
    assert!(difference(&first, &second) * 2 < mean, "{} of {mean}", difference(&first, &second));
}

/// Each effect alone has to change what is written, and often.
#[test]
fn each_effect_works_alone() {
    let off = Handwriting::off;
    let effects = [
        ("slant", Handwriting { slant: 0.2, ..off() }),
        ("rise", Handwriting { rise: 0.2, ..off() }),
        ("aspect", Handwriting { aspect: 0.3, ..off() }),
        ("size", Handwriting { size: 0.2, ..off() }),
        ("pen_width", Handwriting { pen_width: 0.4, ..off() }),
        ("pressure", Handwriting { pressure: 0.4, ..off() }),
        ("shift", Handwriting { shift: 0.04, ..off() }),
        ("rotation", Handwriting { rotation: 8.0, ..off() }),
        ("length", Handwriting { length: 0.2, ..off() }),
        ("curvature", Handwriting { curvature: 0.1, ..off() }),
        ("shortening", Handwriting { shortening: 0.4, ..off() }),
        ("joining", Handwriting { joining: 1.0, ..off() }),
    ];
    for (name, settings) in effects {
        let count = written(&settings, 50).iter().filter(|glyph| changed(glyph) > 10).count();
        assert!(count > 15, "{name} changed {count} of 50");
        let none = written(&settings.scaled(0.0), 1);
        assert_eq!(changed(&none[0]), 0, "{name}");
    }
}

/// What the names promise, measured on the ink.
#[test]
fn effects_do_what_their_names_say() {
    let plain = strokes().to_glyph();
    let ratios = |settings: Handwriting| -> Vec<f64> {
        written(&settings, 50).iter().map(|glyph| ink(glyph) / ink(&plain)).collect()
    };
    let off = Handwriting::off;
    let pen = ratios(Handwriting { pen_width: 0.4, ..off() });
    assert!(pen.iter().any(|&ratio| ratio > 1.3) && pen.iter().any(|&ratio| ratio < 0.75), "{pen:?}");
    // The box is fitted again, so that less of a stroke may come out as a larger rest; never as much more ink.
    assert!(ratios(Handwriting { shortening: 0.4, ..off() }).iter().all(|&ratio| (0.5..1.15).contains(&ratio)));
    assert!(ratios(Handwriting { joining: 1.0, ..off() }).iter().all(|&ratio| (1.0..1.5).contains(&ratio)));

    let width = |glyph: &Glyph| inked(glyph)[1] - inked(glyph)[0];
    let height = |glyph: &Glyph| inked(glyph)[3] - inked(glyph)[2];
    let sizes = written(&Handwriting { size: 0.3, ..off() }, 50);
    assert!(sizes.iter().any(|glyph| height(glyph) < 48) && sizes.iter().any(|glyph| height(glyph) > 57));
    let aspects = written(&Handwriting { aspect: 0.3, ..off() }, 50);
    assert!(aspects.iter().any(|glyph| width(glyph) > height(glyph) + 5));
    assert!(aspects.iter().any(|glyph| width(glyph) + 15 < height(glyph)));
}

#[test]
fn the_ink_stays_inside_the_picture() {
    let wild = Handwriting { size: 0.5, pen_width: 0.5, ..Handwriting::default().scaled(2.0) };
    for glyph in written(&wild, 200) {
        let [left, right, top, bottom] = inked(&glyph);
        // Stronger pressure alone may reach the outermost ring.
        assert!(left.min(top) < 64 && right.max(bottom) > 0, "no ink");
        let edge = (0..64).flat_map(|i| [i, 63 * 64 + i, i * 64, i * 64 + 63]);
        let inked_edge = edge.filter(|&i| glyph.pixels[i] > 200).count();
        assert!(inked_edge < 20, "{inked_edge} pixels of full ink on the edge");
    }
}

#[test]
fn strokes_join_where_they_are_close() {
    // The end of the first is the start of the second; the third begins at the other end of the box.
    let lines = [vec![[0.0, 0.0], [40.0, 0.0]], vec![[40.0, 0.0], [40.0, 40.0]], vec![[100.0, 100.0], [60.0, 100.0]]];
    let strokes = Strokes::from_lines(&lines).unwrap();
    let always = Handwriting { joining: 1.0, ..Handwriting::off() };
    let mut rng = rng_for(0, 0, 0);
    let glyph = Writer::random(&always, &mut rng).write(&strokes, &mut rng);
    // The first two are joined at a distance of nothing, where no line shows; the third is too far.
    assert_eq!(glyph, strokes.to_glyph());
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    let read: Handwriting = toml::from_str("slant = 0.5\njoining = 0").unwrap();
    assert_eq!(read, Handwriting { slant: 0.5, joining: 0.0, ..Handwriting::default() });
    let error = toml::from_str::<Handwriting>("slan = 0.5").unwrap_err().to_string();
    assert!(error.contains("unknown field `slan`"), "{error}");
}
