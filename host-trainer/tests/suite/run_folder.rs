//! Runs on disk: what is written reads back to the bit, and what is damaged is named.

use std::fs;

use burn::module::Module;
use burn::tensor::Device;
use fude_trainer::files::FileError;
use fude_trainer::model::{Mode, Network, Preset};
use fude_trainer::tensors::{floats, glyph_tensor};
use fude_trainer::train::{Checkpoint, EpochReport, RunFolder, RunFolderError, RunLock, Stage};
use tempfile::TempDir;

use crate::networks::{CLASSES, observed_network, random_glyphs, run_info};

const PRESET: Preset = Preset::Micro;
const STAGES: [Stage; 3] = [Stage::Float, Stage::Qat { learn_ranges: false }, Stage::Qat { learn_ranges: true }];

fn network(seed: u64) -> Network {
    observed_network(PRESET.architecture(CLASSES), seed)
}

fn logits(network: &Network, mode: Mode) -> Vec<f32> {
    let glyphs = glyph_tensor(&random_glyphs(PRESET.side(), 3, 1), PRESET.side(), &Device::flex());
    floats(network.forward(glyphs, mode))
}

/// A run with weights of both stages, and the folder that it goes with.
fn run() -> (TempDir, RunFolder) {
    let dir = tempfile::tempdir().unwrap();
    let run = RunFolder::new(dir.path().join("run"));
    for stage in [Stage::Float, STAGES[1]] {
        run.write(&run_info(PRESET, stage), stage, &network(1)).unwrap();
    }
    (dir, run)
}

/// The error of reading the latest stage, which must be one line that names `file`.
fn refusal(run: &RunFolder, file: &str) -> RunFolderError {
    let error = run.read_latest(&Device::flex()).map(|checkpoint| checkpoint.stage).expect_err(file);
    let line = error.to_string();
    assert!(line.contains(&run.path().join(file).display().to_string()), "{line}");
    assert!(!line.contains('\n') && line.len() < 400, "not one line: {line}");
    error
}

#[test]
fn a_network_reads_back_to_the_bit() {
    for (stage, seed) in STAGES.into_iter().zip(1..) {
        let (_dir, run) = run();
        let (info, written) = (run_info(PRESET, stage), network(seed));
        run.write(&info, stage, &written).unwrap();
        let Checkpoint { info: read_info, stage: read_stage, network } = run.read_latest(&Device::flex()).unwrap();
        assert_eq!((read_info, read_stage), (info, stage));
        for mode in [Mode::Float, stage.evaluation_mode()] {
            assert_eq!(logits(&network, mode), logits(&written, mode), "{stage:?} in {mode:?}");
        }
    }
}

#[test]
fn each_stage_has_weights_of_its_own() {
    let (_dir, run) = run();
    run.write(&run_info(PRESET, STAGES[1]), STAGES[1], &network(2)).unwrap();
    let float = run.read_float(&Device::flex()).unwrap();
    assert_eq!(float.stage, Stage::Float);
    assert_eq!(logits(&float.network, Mode::Float), logits(&network(1), Mode::Float));
}

/// A network that was read can be trained on: its parameters take gradients.
#[test]
fn a_network_that_was_read_is_trainable() {
    let (_dir, run) = run();
    let network = run.read_float(&Device::flex()).unwrap().network.train();
    let glyphs = glyph_tensor(&random_glyphs(32, 2, 1), 32, &Device::flex().autodiff());
    let gradients = network.forward(glyphs, Mode::Float).sum().backward();
    assert!(network.layers.iter().all(|layer| layer.weight.val().grad(&gradients).is_some()));
}

#[test]
fn damaged_or_missing_weights_are_named() {
    let (_dir, run) = run();
    let path = run.path().join("qat.safetensors");
    let whole = fs::read(&path).unwrap();
    let mut damages: Vec<Vec<u8>> =
        [0, 4, 8, 100, whole.len() / 2, whole.len() - 1].map(|end| whole[..end].into()).into();
    damages.push(b"a text file that somebody put here".to_vec());
    // A header that claims to be longer than any file.
    damages.push([&u64::MAX.to_le_bytes(), &whole[8..]].concat());
    damages.push([&whole[..200], &[0xFF; 16], &whole[216..]].concat());
    for (index, damaged) in damages.iter().enumerate() {
        fs::write(&path, damaged).unwrap();
        let error = refusal(&run, "qat.safetensors");
        assert!(matches!(error, RunFolderError::Weights { .. }), "damage {index}: {error:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(refusal(&run, "qat.safetensors"), RunFolderError::File(FileError::Read { .. })));
    // The other stage is none the worse.
    run.read_float(&Device::flex()).unwrap();
}

#[test]
fn weights_of_another_network_are_refused() {
    let (_dir, run) = run();
    for (preset, classes) in [(PRESET, CLASSES + 1), (PRESET, CLASSES - 1), (Preset::Small, CLASSES)] {
        run.write(&run_info(PRESET, STAGES[1]), STAGES[1], &observed_network(preset.architecture(classes), 1)).unwrap();
        let error = refusal(&run, "qat.safetensors");
        assert!(matches!(error, RunFolderError::Weights { .. }), "{preset:?} {classes}: {error:?}");
    }
}

#[test]
fn a_network_too_small_for_the_run_is_refused_by_what_is_missing() {
    let (_dir, run) = run();
    let mut network = network(1);
    let last = network.layers.pop().unwrap();
    assert!(last.bias.is_some());
    run.write(&run_info(PRESET, STAGES[1]), STAGES[1], &network).unwrap();
    let line = refusal(&run, "qat.safetensors").to_string();
    assert!(line.contains("is missing") && line.contains("train this stage again"), "{line}");
}

#[test]
fn a_description_of_another_class_count_is_refused() {
    for classes in [1, CLASSES - 1, CLASSES + 1] {
        let (_dir, run) = run();
        let mut info = run_info(PRESET, STAGES[1]);
        info.classes = (0..classes).map(|class| class.to_string()).collect();
        fs::write(run.path().join("run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
        assert!(matches!(refusal(&run, "qat.safetensors"), RunFolderError::Weights { .. }));
    }
}

#[test]
fn a_damaged_description_is_named() {
    let (_dir, run) = run();
    let path = run.path().join("run.json");
    let whole = fs::read_to_string(&path).unwrap();
    let no_classes = {
        let mut info = run_info(PRESET, Stage::Float);
        info.classes.clear();
        serde_json::to_vec(&info).unwrap()
    };
    let damages: [&[u8]; 7] = [
        b"",
        b"{}",
        &whole.as_bytes()[..whole.len() / 2],
        &whole.as_bytes()[..whole.len() - 1],
        whole.replacen("micro", "gigantic", 1).leak().as_bytes(),
        b"{\"name\": \"\xFF\xFE\"}",
        &no_classes,
    ];
    for (index, damaged) in damages.iter().enumerate() {
        fs::write(&path, damaged).unwrap();
        let error = refusal(&run, "run.json");
        assert!(matches!(error, RunFolderError::Info { .. }), "damage {index}: {error:?}");
    }
}

#[test]
fn a_folder_without_a_run_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("absent")] {
        let error = RunFolder::new(&path).read_latest(&Device::flex()).err().unwrap();
        assert!(matches!(&error, RunFolderError::NoRun(named) if *named == path), "{error:?}");
    }
    // What is there and cannot be read is another matter than what is not there.
    fs::create_dir(dir.path().join("run.json")).unwrap();
    let error = refusal(&RunFolder::new(dir.path()), "run.json");
    assert!(matches!(error, RunFolderError::File(FileError::Read { .. })), "{error:?}");
}

#[test]
fn what_a_killed_run_left_behind_does_not_matter() {
    let (_dir, run) = run();
    fs::write(run.path().join(".tmpAb12Cd"), b"half of some weights").unwrap();
    run.write(&run_info(PRESET, STAGES[1]), STAGES[1], &network(3)).unwrap();
    assert_eq!(
        logits(&run.read_latest(&Device::flex()).unwrap().network, Mode::Folded),
        logits(&network(3), Mode::Folded)
    );
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let run = RunFolder::new(file.join("run"));
    let is_named = |line: String| {
        assert!(line.contains(&run.path().display().to_string()), "{line}");
        assert!(line.contains("cannot be written") && !line.contains('\n'), "{line}");
    };
    is_named(RunLock::take(run.path()).unwrap_err().to_string());
    let info = run_info(PRESET, Stage::Float);
    is_named(run.write(&info, Stage::Float, &network(1)).unwrap_err().to_string());
}

/// The history of a stage takes the place of what was there of it, and float training stands first.
#[test]
fn each_stage_has_its_part_of_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let run = RunFolder::new(dir.path());
    let report = |stage, epoch, loss| EpochReport {
        stage,
        epoch,
        loss,
        learning_rate: 1e-3,
        seconds: 1.0,
        images_per_second: 2.0,
        waiting: 0.0,
        validation_loss: Some(0.5),
        validation_top1: None,
    };
    let written = || {
        let text = fs::read_to_string(dir.path().join("history.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<EpochReport>(line).unwrap());
        lines.map(|report| (report.stage, report.loss)).collect::<Vec<_>>()
    };
    let [float, qat, _] = STAGES;
    run.write_history(float, &[report(float, 1, 3.0), report(float, 2, 2.0)]).unwrap();
    run.write_history(qat, &[report(qat, 1, 1.0)]).unwrap();
    run.write_history(qat, &[report(qat, 1, 0.9)]).unwrap();
    assert_eq!(written(), [(float, 3.0), (float, 2.0), (qat, 0.9)]);
    run.write_history(float, &[report(float, 1, 4.0)]).unwrap();
    assert_eq!(written(), [(float, 4.0)]);
}
