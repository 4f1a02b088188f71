//! Bad input, given to the program: one line that names the file, the place in it and the remedy, and exit code 1.

use std::fs;

use fude_trainer::dataset::{Glyph, write_png};

use crate::fude::{Finished, fude};
use crate::trained::{OnDisk, trained};

/// Runs `fude train` on data that cannot be trained on.
fn train(copy: &OnDisk, arguments: &[&str]) -> Finished {
    let out = copy.path("never").display().to_string();
    let finished = fude(["train", "--out", &out, "--preset", "micro", "--epochs", "1"].iter().chain(arguments));
    assert!(!copy.path("never/run.json").exists(), "{finished:?}");
    finished
}

/// Runs `fude eval` on the trained package.
fn eval(copy: &OnDisk, arguments: &[&str]) -> Finished {
    let package = copy.package().display().to_string();
    fude(["eval", package.as_str()].iter().chain(arguments))
}

fn write(copy: &OnDisk, name: &str, bytes: &[u8]) -> String {
    let path = copy.path(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

/// An IDX file: magic, dimensions, data.
fn idx(kind: u8, dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
    bytes.extend(data);
    bytes
}

#[test]
fn an_idx_file_whose_header_lies() {
    let copy = trained().copy();
    let labels = write(&copy, "labels", &idx(8, &[2], &[0, 1]));
    let cases: [(Vec<u8>, &[&str]); 5] = [
        (idx(8, &[2, 4, 4], &[7; 31]), &["header promises 32 bytes", "holds 31", "fetch or write it again"]),
        (idx(8, &[2, 4, 4], &[7; 33]), &["header promises 32 bytes", "fetch or write it again"]),
        (idx(8, &[u32::MAX; 3], &[7; 32]), &["header promises 79228162458924105385300197375 bytes", "holds 32"]),
        (idx(8, &[1, 4, 70_000], &[7; 280_000]), &["70000x4 pixels", "each side must be 1 to 65535"]),
        (idx(9, &[2, 4, 4], &[7; 32]), &["magic 0x00000903", "check that the right file is named"]),
    ];
    for (bytes, parts) in cases {
        let images = write(&copy, "images", &bytes);
        let finished = train(&copy, &["--data", &format!("idx:{images},{labels}")]);
        finished.assert_fails_naming(&[&images]);
        finished.assert_fails_naming(parts);
    }
}

#[test]
fn a_label_outside_the_class_list() {
    let copy = trained().copy();
    let classes = write(&copy, "classes.tsv", "0\t5341\t十\tkanji\n1\t53E3\t口\tkanji\n".as_bytes());
    let images = write(&copy, "images", &idx(8, &[3, 4, 4], &[7; 48]));
    let labels = write(&copy, "labels", &idx(8, &[3], &[0, 1, 2]));
    let finished = train(&copy, &["--data", &format!("idx:{images},{labels}"), "--classes", &classes]);
    finished.assert_fails_naming(&[&labels, "record 2 has label 2", "classes are 0 to 1", "--classes"]);
    // The same of a folder of drawings.
    let finished = train(&copy, &["--data", &copy.data(), "--classes", &classes]);
    finished.assert_fails_naming(&[&copy.path("glyphs/一").display().to_string(), "not in the class list"]);
}

#[test]
fn an_empty_class_folder() {
    let copy = trained().copy();
    let empty = copy.path("glyphs/empty");
    fs::create_dir(&empty).unwrap();
    let finished = train(&copy, &["--data", &copy.data()]);
    finished.assert_fails_naming(&[&empty.display().to_string(), "holds no .png", "remove the folder"]);
}

#[test]
fn unreadable_fonts_and_pictures() {
    let copy = trained().copy();
    let font = write(&copy, "broken.ttf", b"\0\x01\0\0 and no tables");
    let finished = train(&copy, &["--data", &format!("fonts:{font}"), "--characters", "一"]);
    finished.assert_fails_naming(&[&font, "not a readable TrueType or OpenType font"]);

    let picture = write(&copy, "glyphs/一/broken.png", b"\x89PNG\r\n\x1a\n and no picture");
    train(&copy, &["--data", &copy.data()]).assert_fails_naming(&[&picture, "not a usable PNG or JPEG"]);
    let package = copy.package().display().to_string();
    fude(["recognize", &package, &picture]).assert_fails_naming(&[&picture, "not a usable PNG or JPEG"]);
}

#[test]
fn a_kind_of_data_that_there_is_not() {
    let copy = trained().copy();
    let finished = train(&copy, &["--data", "mnist:train"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    for part in ["mnist", "fonts:", "idx:", "folder:"] {
        assert!(finished.stderr.contains(part), "{part:?} is not in {}", finished.stderr);
    }
}

#[test]
fn counts_of_nothing() {
    let copy = trained().copy();
    for option in ["--epochs", "--batch"] {
        let out = copy.path("never").display().to_string();
        let finished = fude(["train", "--data", &copy.data(), "--out", &out, option, "0"]);
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains(option), "{}", finished.stderr);
    }
    for option in ["--limit", "--distortions"] {
        let finished = eval(&copy, &["--data", &copy.data(), option, "0"]);
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains(option), "{}", finished.stderr);
    }
}

#[test]
fn classes_that_the_model_does_not_know() {
    let copy = trained().copy();
    let known = eval(&copy, &["--data", &copy.data(), "--strict", "--json"]).document();
    fs::rename(copy.path("glyphs/人"), copy.path("glyphs/猫")).unwrap();
    let finished = eval(&copy, &["--data", &copy.data(), "--strict"]);
    finished.assert_fails_naming(&[&copy.data(), "16 samples", "--strict"]);
    // Without `--strict` they are counted and left out.
    let evaluation = eval(&copy, &["--data", &copy.data(), "--json"]).document();
    assert_eq!((&evaluation["n"], &evaluation["skipped"]), (&48.into(), &16.into()));
    assert_eq!((&known["n"], &known["skipped"]), (&64.into(), &0.into()));
    // Nothing at all to test on is an error.
    for label in ["一", "十", "口"] {
        fs::remove_dir_all(copy.path(&format!("glyphs/{label}"))).unwrap();
    }
    eval(&copy, &["--data", &copy.data()]).assert_fails_naming(&[&copy.data(), "no sample has a class of the model"]);
}

#[test]
fn characters_and_numbers_as_labels_at_once() {
    let copy = trained().copy();
    let images = write(&copy, "images", &idx(8, &[2, 4, 4], &[7; 32]));
    let labels = write(&copy, "labels", &idx(8, &[2], &[0, 1]));
    let numbered = format!("idx:{images},{labels}");
    for data in [[copy.data(), numbered.clone()], [numbered, copy.data()]] {
        let finished = train(&copy, &["--data", &data[0], "--data", &data[1]]);
        finished.assert_fails_naming(&["glyphs", "images", "give --classes"]);
    }
}

#[test]
fn what_would_only_fail_after_training_fails_before() {
    let copy = trained().copy();
    let finished = train(&copy, &["--data", &copy.data(), "--name", "a name of more than thirty-two bytes"]);
    finished.assert_fails_naming(&["thirty-two", "--name"]);
    let finished = fude(["train", "--data", &copy.data(), "--out", "/dev/null/run"]);
    finished.assert_fails_naming(&["/dev/null/run", "cannot be written"]);
    let finished = train(&copy, &["--data", &copy.data(), "--batch", "65"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:?}");
    let line = finished.stderr.lines().last().unwrap();
    assert!(line.starts_with("fude: 64 training samples") && line.contains("lower --batch or add data"), "{line}");

    fs::rename(copy.path("glyphs/一"), copy.path("glyphs/a horizontal line")).unwrap();
    train(&copy, &["--data", &copy.data()]).assert_fails_naming(&["a horizontal line", "shorter"]);
}

#[test]
fn a_run_of_another_stage_or_of_other_classes() {
    let copy = trained().copy();
    let run = copy.run().display().to_string();
    fs::remove_dir_all(copy.path("glyphs/口")).unwrap();
    fude(["qat", &run, "--data", &copy.data()]).assert_fails_naming(&[&run, "other classes", "fude train"]);

    let info = fs::read_to_string(copy.path("run/run.json")).unwrap();
    let mut info: serde_json::Value = serde_json::from_str(&info).unwrap();
    info["qat"] = serde_json::Value::Null;
    fs::write(copy.path("run/run.json"), info.to_string()).unwrap();
    let out = copy.path("float.fude").display().to_string();
    fude(["export", &run, "--out", &out, "--data", &copy.data()]).assert_fails_naming(&["fude qat"]);
    fude(["eval", &run, "--stage", "qat", "--data", &copy.data()]).assert_fails_naming(&[&run, "fude qat"]);
    assert!(!copy.path("float.fude").exists());
}

/// The recogniser takes sides of up to 2048 pixels; a checkpoint and a package refuse alike.
#[test]
fn a_picture_larger_than_the_recogniser_takes() {
    let copy = trained().copy();
    let path = copy.path("glyphs/一/large.png");
    write_png(&path, &Glyph { width: 2049, height: 3, pixels: vec![0; 2049 * 3] }).unwrap();
    let (package, run) = (copy.package().display().to_string(), copy.run().display().to_string());
    let size = "2049×3 pixels";
    for model in [&package, &run] {
        fude(["eval", model, "--data", &copy.data()]).assert_fails_naming(&[size, "resize it"]);
    }
    let path = path.display().to_string();
    fude(["recognize", &package, &path]).assert_fails_naming(&[&path, size, "resize it"]);
}
