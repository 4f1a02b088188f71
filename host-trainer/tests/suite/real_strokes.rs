//! Strokes of people, which are not part of the source tree: run with the folder that holds them, as in
//! `FUDE_DATA=/path/to/data cargo test -p fude-trainer --test suite real_strokes`.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fude_trainer::dataset::{DataSpec, Dataset, LoadOptions, Sample};

/// The folder, or `None` with a word about it that the test harness does not swallow.
fn data_folder() -> Option<PathBuf> {
    let folder = env::var_os("FUDE_DATA").map(PathBuf::from);
    if folder.is_none() {
        let _ = writeln!(io::stderr(), "SKIPPED, nothing was tested: real strokes need FUDE_DATA=DIR");
    }
    folder
}

fn load(spec: &str, folder: &Path) -> Dataset {
    let options = LoadOptions { classes: Some(folder.join("classes.tsv")), ..LoadOptions::default() };
    spec.parse::<DataSpec>().unwrap().load(&options).unwrap()
}

/// Mean absolute difference of pixels, in grey levels.
fn difference(a: &Sample, b: &Sample) -> f64 {
    let pairs = a.glyph.pixels.iter().zip(&b.glyph.pixels);
    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.glyph.pixels.len() as f64
}

/// The pictures were drawn from the same strokes by another program: a box of 54 pixels, a pen of 2.4.
#[test]
fn pen_strokes_are_drawn_as_others_draw_them() {
    let Some(folder) = data_folder() else { return };
    let strokes = load(&format!("strokes:{}", folder.join("online-dev.tsv.gz").display()), &folder);
    let pictures = load(&format!("idx:{}", folder.join("learner1-64-images-idx3-ubyte.gz").display()), &folder);
    let writer = strokes.sources.iter().position(|source| source == "japanese-learner1").unwrap();
    let written: Vec<&Sample> = strokes.samples.iter().filter(|sample| sample.source == writer as u32).collect();
    assert_eq!((written.len(), pictures.samples.len()), (250, 250));

    // Their order differs: each picture must be that of one of its character's samples.
    let differences: Vec<f64> = pictures
        .samples
        .iter()
        .map(|picture| {
            let same = written.iter().filter(|sample| sample.label == picture.label);
            same.map(|sample| difference(sample, picture)).fold(f64::INFINITY, f64::min)
        })
        .collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let most = differences.iter().copied().fold(0.0, f64::max);
    let _ = writeln!(io::stderr(), "mean absolute difference: {mean:.3} of 255, at most {most:.3}");
    assert!(mean < 2.5 && most < 6.0, "{mean} {most}");
}
