//! Options of training, held against training without them: none is a flag that does nothing.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::fude::{Finished, fude};
use crate::trained::draw_into;

/// A folder with drawings of four characters.
fn drawings() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    draw_into(&folder.path().join("drawings"), 12, 5);
    folder
}

/// Trains a small network in `folder/run` with `options`.
fn train(folder: &Path, run: &str, options: &[&str]) -> Finished {
    let data = format!("folder:{}", folder.join("drawings").display());
    let run = folder.join(run).display().to_string();
    let shared =
        ["train", "--data", &data, "--out", &run, "--preset", "nano", "--batch", "8", "--device", "cpu", "--json"];
    fude(shared.iter().chain(options))
}

fn weights(folder: &Path, run: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("float.safetensors")).unwrap()
}

#[test]
fn every_option_changes_what_is_learned() {
    let folder = drawings();
    let folder = folder.path();
    let plain: &[&str] = &["--epochs", "3"];
    train(folder, "plain", plain).document();
    train(folder, "again", plain).document();
    assert_eq!(weights(folder, "plain"), weights(folder, "again"), "training is not repeatable");
    let teacher = folder.join("plain").display().to_string();
    let options: &[&[&str]] = &[
        &["--schedule", "constant"],
        &["--schedule", "warm-restarts"],
        &["--schedule", "one-cycle"],
        &["--schedule", "linear-warm-up"],
        &["--schedule", "step"],
        &["--optimizer", "sgd"],
        &["--weight-decay", "0.5"],
        &["--label-smoothing", "0.3"],
        &["--clip-norm", "0.01"],
        &["--clip-value", "0.0001"],
        &["--ema", "0.9"],
        &["--precision", "bf16"],
        &["--accumulate", "2"],
        &["--distill-from", &teacher],
        &["--sampling", "power=0.5"],
        &["--mild"],
        &["--seed", "2"],
        &["--learning-rate", "1e-3"],
        &["--validation", "8"],
    ];
    for option in options {
        train(folder, "other", &[plain, option].concat()).document();
        assert!(weights(folder, "plain") != weights(folder, "other"), "{option:?} does nothing");
    }
}

#[test]
fn a_plateau_lowers_the_rate_and_early_stopping_stops() {
    let folder = drawings();
    let folder = folder.path();
    let config = folder.join("recipe.toml");
    // At a rate of nearly nothing no epoch is much better than the first.
    let text = "[data]\nvalidation = 8\n[float]\nepochs = 40\nlearning-rate = 1e-9\nearly-stopping = { patience = 4, \
                min-delta = 0.5 }\nschedule.plateau = { patience = 1, threshold = 0.5 }\n";
    fs::write(&config, text).unwrap();
    let outcome = train(folder, "run", &["--config", &config.display().to_string()]).document();
    assert_eq!(outcome["last_epoch"]["epoch"], 5, "{outcome}");
    let history = fs::read_to_string(folder.join("run/history.jsonl")).unwrap();
    let reports: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rates: Vec<f64> = reports.iter().map(|report| report["learning_rate"].as_f64().unwrap()).collect();
    assert!(rates[0] > 5.0 * rates[4], "{rates:?}");
    // The run counts as finished: nothing is left to do.
    let resumed = train(folder, "run", &["--config", &config.display().to_string(), "--resume"]).document();
    assert_eq!(resumed["last_epoch"], outcome["last_epoch"]);
}

/// The configuration that a run keeps holds all of its options.
#[test]
fn a_run_can_be_trained_again_from_its_own_configuration() {
    let folder = drawings();
    let folder = folder.path();
    let options = ["--epochs", "2", "--ema", "--accumulate", "2", "--clip-norm", "1", "--schedule", "one-cycle"];
    train(folder, "run", &options).document();
    let config = folder.join("run/config.toml").display().to_string();
    let again = folder.join("again").display().to_string();
    fude(["train", "--config", &config, "--out", &again, "--device", "cpu", "--json"]).document();
    assert_eq!(weights(folder, "run"), weights(folder, "again"));
    let unknown = folder.join("unknown.toml");
    fs::write(&unknown, "[float]\nepoch = 3\n").unwrap();
    let refused = train(folder, "other", &["--config", &unknown.display().to_string()]);
    refused.assert_fails_naming(&["unknown.toml", "`float.epoch`", "`float.epochs`"]);
}
