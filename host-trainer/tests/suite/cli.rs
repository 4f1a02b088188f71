//! The contract of the command line: one JSON document with the documented keys, quiet pipes, examples.

use std::fs;

use serde_json::Value;

use fude_trainer::package::PackageFile;

use crate::fude::{Finished, fude};
use crate::trained::{labels, trained};

fn keys(document: &Value) -> Vec<&str> {
    document.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn assert_has_keys(document: &Value, expected: &[&str]) {
    let found = keys(document);
    expected.iter().for_each(|key| assert!(found.contains(key), "{key:?} is not in {found:?}"));
}

/// Standard error of a pipe: lines of text, no bars and no codes that move a cursor.
fn assert_quiet(finished: &Finished) {
    let is_code = |c: char| c.is_control() && c != '\n';
    assert!(!finished.stderr.contains(is_code), "{:?}", finished.stderr);
}

#[test]
fn training_stages_report_their_run() {
    let trained = trained();
    for (finished, epochs) in [(&trained.train, 30), (&trained.qat, 4)] {
        let document = finished.document();
        assert_has_keys(&document, &["run", "classes", "samples", "last_epoch"]);
        assert_eq!((&document["classes"], &document["samples"]), (&4.into(), &64.into()));
        assert_eq!(document["last_epoch"]["epoch"], epochs);
        assert!(document["last_epoch"]["loss"].as_f64().unwrap() < 1.0, "{document}");
        assert_quiet(finished);
    }
    // The history has every epoch of both stages, one line each.
    let history = fs::read_to_string(trained.copy().path("run/history.jsonl")).unwrap();
    let epochs: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(epochs.len(), 34);
    assert_eq!((&epochs[0]["epoch"], &epochs[30]["epoch"]), (&1.into(), &1.into()));
}

#[test]
fn export_and_inspect_agree() {
    let trained = trained();
    let copy = trained.copy();
    let exported = trained.export.document();
    assert_has_keys(&exported, &["package", "package_bytes", "arena_bytes", "classes", "golden_vectors"]);
    assert_quiet(&trained.export);

    let finished = fude(["inspect", &copy.package().display().to_string(), "--json"]);
    let inspected = finished.document();
    assert_quiet(&finished);
    assert_has_keys(&inspected, &["package_bytes", "arena_bytes", "classes", "macs", "parameters", "layers"]);
    for key in ["package_bytes", "arena_bytes", "classes", "golden_vectors", "label_bitmaps"] {
        assert_eq!(inspected[key], exported[key], "{key}");
    }
    assert_eq!(inspected["package_bytes"], fs::metadata(copy.package()).unwrap().len());
    assert_eq!((&inspected["classes"], &inspected["golden_vectors"]), (&4.into(), &4.into()));
    let layers = inspected["layers"].as_array().unwrap();
    for key in ["macs", "parameters"] {
        let sum: u64 = layers.iter().map(|layer| layer[key].as_u64().unwrap()).sum();
        assert_eq!(inspected[key], sum, "{key}");
    }
}

#[test]
fn eval_of_package_and_run_has_the_documented_keys() {
    let copy = trained().copy();
    for model in [copy.package(), copy.run()] {
        let finished = fude(["eval", &model.display().to_string(), "--data", &copy.data(), "--json"]);
        let evaluation = finished.document();
        assert_eq!(keys(&evaluation), ["confusions", "n", "skipped", "top1", "top10", "top5"]);
        assert_eq!((&evaluation["n"], &evaluation["skipped"]), (&64.into(), &0.into()));
        assert_eq!(evaluation["top5"], 1.0, "of four classes, all are among the first five");
        assert!(evaluation["top1"].as_f64().unwrap() > 0.9, "{evaluation}");
        assert_quiet(&finished);
    }
    let model = copy.run().display().to_string();
    let distorted = ["--distortions", "3", "--limit", "30", "--stage", "float"];
    let arguments = ["eval", &model, "--data", &copy.data(), "--json"];
    assert_eq!(fude(arguments.iter().chain(&distorted)).document()["n"], 30);
}

#[test]
fn recognize_answers_best_first() {
    let copy = trained().copy();
    let package = copy.package().display().to_string();
    for (class, label) in labels().into_iter().enumerate() {
        let glyph = copy.path(&format!("glyphs/{label}/0.png")).display().to_string();
        let finished = fude(["recognize", &package, &glyph, "--top-k", "3", "--json"]);
        let document = finished.document();
        assert_eq!(keys(&document), ["answers"]);
        let answers = document["answers"].as_array().unwrap();
        assert_eq!(answers.len(), 3);
        assert_eq!(keys(&answers[0]), ["class", "label", "logit", "probability"]);
        assert_eq!((&answers[0]["class"], &answers[0]["label"]), (&class.into(), &label.into()));
        let probabilities: Vec<f64> = answers.iter().map(|answer| answer["probability"].as_f64().unwrap()).collect();
        assert!(probabilities.is_sorted_by(|a, b| a >= b) && probabilities.iter().sum::<f64>() <= 1.0 + 1e-6);
        assert_quiet(&finished);
    }
}

#[test]
fn without_json_people_read_text() {
    let copy = trained().copy();
    let package = copy.package().display().to_string();
    for arguments in [&["inspect", &package][..], &["eval", &package, "--data", &copy.data()]] {
        let finished = fude(arguments);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(!finished.stdout.is_empty() && serde_json::from_str::<Value>(&finished.stdout).is_err());
        assert_quiet(&finished);
    }
}

/// The labels of the trained recogniser are Unifont's, or another font's, or none, as `--label-font` says.
#[test]
fn label_bitmaps_come_from_the_font_that_is_named() {
    let copy = trained().copy();
    let (run, out) = (copy.run().display().to_string(), copy.path("other.fude").display().to_string());
    let export = |font: &[&str]| {
        let arguments = ["export", &run, "--out", &out, "--data", &copy.data(), "--json"];
        fude(arguments.iter().chain(font))
    };
    let count = |font: &[&str]| export(font).document()["label_bitmaps"].clone();
    assert_eq!([count(&[]), count(&["--label-font", "none"])], [4.into(), Value::from(0)]);
    let ink = |font: &[&str]| {
        export(font).document();
        let file = PackageFile::read(out.as_ref()).unwrap();
        let package = file.open().unwrap();
        let bitmap = package.label_bitmap(0).unwrap();
        let pixels = (0..256).filter(|place| bitmap.is_ink(place % 16, place / 16)).collect::<Vec<_>>();
        (bitmap.width(), bitmap.height(), pixels)
    };
    let klee = ink(&["--label-font", "/usr/share/fonts/truetype/klee/KleeOne-Regular.ttf"]);
    let unifont = ink(&[]);
    assert_eq!((unifont.0, unifont.1, klee.0, klee.1), (16, 16, 16, 16));
    assert!(klee.2.len() > 8 && unifont.2.len() > 8 && klee.2 != unifont.2);
    export(&["--label-font", "absent.otf"]).assert_fails_naming(&["absent.otf", "cannot read"]);
}

/// The same seed and data give the same package, byte for byte, and the package of `fude export` is that of the run.
#[test]
fn training_is_repeatable() {
    let copy = trained().copy();
    let package_of = |name: &str| {
        let run = copy.path(name).display().to_string();
        let package = copy.path(&format!("{name}.fude"));
        let run_with =
            |arguments: &[&str]| fude(arguments.iter().chain(&["--data", &copy.data(), "--json"])).document();
        run_with(&["train", "--out", &run, "--name", "x", "--preset", "micro", "--epochs", "1", "--batch", "16"]);
        run_with(&["qat", &run, "--epochs", "1"]);
        run_with(&["export", &run, "--out", &package.display().to_string()]);
        fs::read(package).unwrap()
    };
    assert!(package_of("first") == package_of("second"), "two packages of one seed differ");
}

/// Ranges are learned from what was observed even where the run is too short for a step of learning.
#[test]
fn one_batch_is_enough_to_learn_ranges_from() {
    let copy = trained().copy();
    let run = copy.run().display().to_string();
    let info = fs::read_to_string(copy.path("run/run.json")).unwrap();
    let mut info: Value = serde_json::from_str(&info).unwrap();
    info["batch"] = 64.into();
    fs::write(copy.path("run/run.json"), info.to_string()).unwrap();
    fude(["qat", &run, "--epochs", "1", "--learn-ranges", "--data", &copy.data(), "--json"]).document();
    let evaluation = fude(["eval", &run, "--data", &copy.data(), "--json"]).document();
    assert!(evaluation["top1"].as_f64().unwrap() > 0.9, "{evaluation}");
}

#[test]
fn every_subcommand_has_examples() {
    let help = fude(["--help"]);
    assert_eq!(help.code, Some(0));
    let commands = help.stdout.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 8 && commands.contains(&"train"), "{commands:?}");
    for command in commands.into_iter().filter(|&command| command != "help") {
        let help = fude([command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains("Examples:\n  fude "), "`fude {command} --help` has no example");
    }
}
