//! Data before training: `fude data check`, the manifest, splits by writer, sampling, and the example of own data.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fude_trainer::dataset::{DataManifest, Glyph, write_png};
use serde_json::Value;

use crate::fude::fude;
use crate::trained::trained;

#[path = "../../examples/own_data.rs"]
mod own_data;

/// A record of ETL9B: sheet, code, and a bar whose place tells the code.
fn etl9b(sheet: u16, code: u16) -> Vec<u8> {
    let mut record = vec![0; 576];
    record[0..2].copy_from_slice(&sheet.to_be_bytes());
    record[2..4].copy_from_slice(&code.to_be_bytes());
    let row = 8 * (8 + usize::from(code % 32) + usize::from(sheet % 5));
    record[8 + row + 2..8 + row + 6].fill(0xFF);
    record[8 + row + 8 + 3..8 + row + 8 + 5].fill(0xFF ^ sheet as u8);
    record
}

/// A file of ETL9B: `sheets` sheets of ten characters.
fn write_etl9b(path: &Path, sheets: u16) {
    let mut bytes = vec![0x55; 576];
    bytes.extend((1..=sheets).flat_map(|sheet| (0x3021..0x302B).flat_map(move |code| etl9b(sheet, code))));
    fs::write(path, bytes).unwrap();
}

fn train(data: &str, out: &Path, more: &[&str]) -> Value {
    let out = out.display().to_string();
    let arguments =
        ["train", "--data", data, "--out", &out, "--preset", "nano", "--epochs", "1", "--batch", "16", "--json"];
    fude(arguments.iter().chain(more)).document()
}

#[test]
fn the_example_of_own_data_learns() {
    own_data::main().unwrap();
}

#[test]
fn etl_is_held_back_by_sheet_and_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let etl = dir.path().join("ETL9B_1");
    write_etl9b(&etl, 10);
    let data = format!("etl:{}", dir.path().display());
    let run = dir.path().join("run");
    assert_eq!(train(&data, &run, &["--hold-back", "20"])["samples"], 80);
    let manifest = DataManifest::read(&run).unwrap();
    let [training, test] = ["training", "test"].map(|part| &manifest.parts[part]);
    assert_eq!((training.samples, training.sources, test.samples, test.sources), (80, 8, 20, 2));
    assert_eq!((test.classes["亜"], test.classes.len()), (2, 10));
    assert_eq!((manifest.files.len(), manifest.files[0].bytes), (1, 576 * 101));
    // What is tested is what the manifest says.
    let evaluation = fude(["eval", &run.display().to_string(), "--data", &data, "--hold-back", "20", "--json"]);
    assert_eq!(evaluation.document()["n"], 20);

    // The same data divides alike again, and differently by class.
    let again = dir.path().join("again");
    train(&data, &again, &["--hold-back", "20"]);
    assert_eq!(manifest.first_difference(&DataManifest::read(&again).unwrap()), None);
    train(&data, &again, &["--hold-back", "20", "--split", "stratified"]);
    let stratified = DataManifest::read(&again).unwrap();
    let test = &stratified.parts["test"];
    assert_eq!((test.samples, test.classes.len()), (20, 10));
    assert!(test.sources > 2, "sheets are cut across");
    assert_eq!(manifest.first_difference(&stratified), Some("test"));
    train(&data, &again, &["--split", "earlier-work"]);
    let earlier = DataManifest::read(&again).unwrap();
    let sizes = ["training", "validation", "test"].map(|part| earlier.parts[part].samples);
    assert_eq!(sizes, [80, 10, 10]);
}

#[test]
fn splits_that_cannot_be_made_are_refused() {
    let copy = trained().copy();
    write_etl9b(&copy.path("ETL9B_1"), 2);
    let etl = format!("etl:{}", copy.path("ETL9B_1").display());
    let out = copy.path("never").display().to_string();
    let refused = |more: &[&str]| fude(["train", "--out", &out, "--preset", "nano", "--data", &etl].iter().chain(more));
    refused(&["--data", &copy.data(), "--hold-back", "5"]).assert_fails_naming(&["writers", "--split by-source"]);
    refused(&["--split", "by-source"]).assert_fails_naming(&["--hold-back"]);
    refused(&["--split", "earlier-work", "--hold-back", "5"])
        .assert_fails_naming(&["leave --hold-back and --validation out"]);
    let folder = copy.data();
    let one_source = fude(["train", "--out", &out, "--data", &folder, "--hold-back", "5", "--split", "by-source"]);
    one_source.assert_fails_naming(&["1 sources cannot fill 2 parts"]);
}

#[test]
fn what_is_wrong_with_data_is_found() {
    let copy = trained().copy();
    let clean = fude(["data", "check", &copy.data(), "--hold-back", "16", "--json"]).document();
    assert_eq!(clean["problems"], Value::Array(vec![]));
    assert_eq!((&clean["sets"][0]["samples"], &clean["sets"][0]["balance"]["median"]), (&64.into(), &16.into()));

    // An exact copy under another label, a picture without ink, a broken one; and a file of ETL with a bad record.
    fs::copy(copy.path("glyphs/一/0.png"), copy.path("glyphs/十/copy.png")).unwrap();
    write_png(&copy.path("glyphs/口/empty.png"), &Glyph { width: 8, height: 8, pixels: vec![0; 64] }).unwrap();
    fs::write(copy.path("glyphs/人/broken.png"), "no picture").unwrap();
    write_etl9b(&copy.path("ETL9B_1"), 2);
    let mut etl = fs::read(copy.path("ETL9B_1")).unwrap();
    etl[576 * 3 + 2] = 0x20;
    fs::write(copy.path("ETL9B_1"), etl).unwrap();
    let etl = format!("etl:{}", copy.path("ETL9B_1").display());
    let finished = fude(["data", "check", &copy.data(), &etl, "idx:absent", "--json"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let sets = &report["sets"];
    assert_eq!((&sets[0]["samples"], &sets[0]["empty"]["count"]), (&66.into(), &1.into()));
    assert!(sets[0]["unreadable"]["first"][0].as_str().unwrap().contains("broken.png"));
    assert_eq!((&sets[1]["samples"], &sets[1]["unreadable"]["count"]), (&19.into(), &1.into()));
    assert!(sets[1]["unreadable"]["first"][0].as_str().unwrap().contains("byte 1728 (record 3)"));
    assert!(sets[2]["unreadable"]["first"][0].as_str().unwrap().contains("absent"));
    assert_eq!(report["exact_duplicates"]["other_labels"], 1);
    assert_eq!(report["problems"].as_array().unwrap().len(), 6, "{report}");

    let text = fude(["data", "check", &copy.data(), &etl]);
    assert_eq!(text.code, Some(1));
    for part in ["unreadable  1", "broken.png", "1:0 (一) = 1:", "to mend:", "different labels"] {
        assert!(text.stdout.contains(part), "{part:?} is not in {}", text.stdout);
    }
}

/// `--sampling` reaches the training loop, and is written down.
#[test]
fn sampling_changes_what_is_learned() {
    let copy = trained().copy();
    for number in 4..16 {
        fs::remove_file(copy.path(&format!("glyphs/一/{number}.png"))).unwrap();
    }
    let weights = |name: &str, sampling: &str| {
        let run = copy.path(name);
        train(&copy.data(), &run, &["--sampling", sampling]);
        fs::read(run.join("float.safetensors")).unwrap()
    };
    let uniform = weights("a", "uniform");
    assert!(uniform != weights("b", "balanced"));
    let info: Value = serde_json::from_slice(&fs::read(copy.path("b/run.json")).unwrap()).unwrap();
    assert_eq!(info["sampling"], "balanced");
    let finished = fude(["train", "--data", &copy.data(), "--out", "never", "--sampling", "often"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("power=EXPONENT"), "{}", finished.stderr);
}

/// All tools have examples, as all subcommands.
#[test]
fn every_data_tool_has_examples() {
    let help = fude(["data", "--help"]);
    let commands = help.stdout.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: BTreeSet<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains("check"));
    for command in commands.into_iter().filter(|&command| command != "help") {
        let help = fude(["data", command, "--help"]);
        assert!(help.stdout.contains("Examples:\n  fude data "), "`fude data {command} --help` has no example");
    }
}
