//! Training that is killed, stopped or damaged, and gone on with: it ends to the bit where it would have ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fude_trainer::train::{Checkpoints, Stage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

use crate::fude::{Finished, command, fude};
use crate::trained::draw_into;

/// Times that training is killed, of which half in each stage.
const KILLS: usize = 24;

/// A folder with drawings, and a run beside them.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        draw_into(&folder.path().join("drawings"), 12, 5);
        Self(folder)
    }

    fn run(&self) -> PathBuf {
        self.0.path().join("run")
    }

    fn checkpoints(&self, stage: &str) -> Checkpoints {
        let stage = if stage == "train" { Stage::Float } else { Stage::Qat { learn_ranges: true } };
        Checkpoints::new(&self.run(), stage)
    }

    /// The command line of a stage that saves after every step.
    fn arguments(&self, stage: &str, more: &[&str]) -> Vec<String> {
        let run = self.run().display().to_string();
        let own: &[&str] = match stage {
            "train" => &["train", "--out", &run, "--preset", "nano", "--validation", "8"],
            _ => &["qat", &run, "--learn-ranges"],
        };
        let data = format!("folder:{}", self.0.path().join("drawings").display());
        // A moving average, accumulation and clipping have states of their own.
        let recipe = ["--batch", "4", "--accumulate", "2", "--ema", "0.9", "--clip-norm", "1"];
        let shared = ["--data", &data, "--device", "cpu", "--checkpoint-seconds", "0"];
        let epochs: &[&str] = if more.contains(&"--epochs") { &[] } else { &["--epochs", "24"] };
        [own, epochs, &recipe, &shared, more].concat().into_iter().map(str::to_owned).collect()
    }

    fn fude(&self, stage: &str, more: &[&str]) -> Finished {
        fude(self.arguments(stage, more))
    }

    fn spawn(&self, stage: &str, more: &[&str]) -> Child {
        let mut command = command(self.arguments(stage, more));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cargo has built fude")
    }

    /// The latest checkpoint's file.
    fn latest(&self, stage: &str) -> Option<PathBuf> {
        self.checkpoints(stage).latest_first().unwrap().into_iter().next()
    }

    /// Waits until there is a checkpoint other than `before`, or `child` has ended.
    fn wait_for_another(&self, stage: &str, before: Option<&Path>, child: &mut Child) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.latest(stage).as_deref() == before && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "no step in a minute");
            sleep(Duration::from_millis(1));
        }
    }

    /// Starts a stage, has it do some steps, and kills it.
    fn killed(&self, stage: &str, more: &[&str]) {
        let mut child = self.spawn(stage, more);
        self.wait_for_another(stage, None, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn float_weights(&self) -> Vec<u8> {
        fs::read(self.run().join("float.safetensors")).unwrap()
    }

    /// The weights of both stages.
    fn weights(&self) -> [Vec<u8>; 2] {
        [self.float_weights(), fs::read(self.run().join("qat.safetensors")).unwrap()]
    }

    /// The history without what depends on the machine's speed.
    fn history(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.run().join("history.jsonl")).unwrap();
        let line = |line: &str| {
            let mut report: Value = serde_json::from_str(line).unwrap();
            for key in ["seconds", "images_per_second", "waiting"] {
                report[key].take();
            }
            report
        };
        text.lines().map(line).collect()
    }
}

/// Both stages, never interrupted.
fn reference() -> &'static Workshop {
    static REFERENCE: OnceLock<Workshop> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let workshop = Workshop::new();
        for stage in ["train", "qat"] {
            let finished = workshop.fude(stage, &[]);
            assert_eq!(finished.code, Some(0), "{finished:?}");
        }
        workshop
    })
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_weights() {
    let workshop = Workshop::new();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut resumed_from = Vec::new();
    for stage in ["train", "qat"] {
        for kill in 0..KILLS / 2 {
            let before = workshop.latest(stage);
            resumed_from.extend(before.clone());
            let resume: &[&str] = if before.is_some() { &["--resume"] } else { &[] };
            let mut child = workshop.spawn(stage, resume);
            // Every third at any moment from the start on, the others once a step was saved: else none might get on.
            if kill % 3 != 2 {
                workshop.wait_for_another(stage, before.as_deref(), &mut child);
            }
            sleep(Duration::from_micros(rng.random_range(0..20_000)));
            assert!(child.try_wait().unwrap().is_none(), "{stage} ended before it was killed {kill} times");
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let finished = workshop.fude(stage, &["--resume"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
    resumed_from.dedup();
    assert!(resumed_from.len() >= KILLS / 3, "it hardly got on: {resumed_from:?}");
    assert_eq!(workshop.history(), reference().history());
    assert!(workshop.weights() == reference().weights(), "the weights differ");
}

#[test]
fn stopped_by_ctrl_c_it_says_how_to_go_on_and_does() {
    let workshop = Workshop::new();
    let mut child = workshop.spawn("train", &[]);
    workshop.wait_for_another("train", None, &mut child);
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let stopped = Finished::of(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    assert!(stopped.stderr.contains("--resume"), "{stopped:?}");

    let refused = workshop.fude("train", &[]);
    refused.assert_fails_naming(&["training was stopped after step", "--resume", "--restart"]);
    let finished = workshop.fude("train", &["--resume"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(workshop.fude("qat", &[]).code == Some(0));
    assert!(workshop.weights() == reference().weights(), "the weights differ");
    // Finished training is gone on with as well: nothing is left to do.
    assert_eq!(workshop.fude("train", &["--resume"]).code, Some(0));
    assert!(workshop.weights() == reference().weights(), "the weights differ");
}

#[test]
fn a_damaged_checkpoint_is_refused_and_the_one_before_goes_on() {
    let workshop = Workshop::new();
    let mut child = workshop.spawn("train", &[]);
    while workshop.checkpoints("train").latest_first().unwrap().len() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before three steps were saved");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let files = workshop.checkpoints("train").latest_first().unwrap();
    let mut bytes = fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    let before = format!("--resume={}", files[1].display());
    for more in [["--resume"].as_slice(), &[]] {
        workshop.fude("train", more).assert_fails_naming(&[&files[0].display().to_string(), "SHA-256", &before]);
    }
    assert_eq!(workshop.fude("train", &[&before]).code, Some(0));
    assert!(workshop.float_weights() == reference().float_weights(), "the weights differ");
}

#[test]
fn other_training_and_missing_checkpoints_are_refused() {
    let workshop = Workshop::new();
    workshop.fude("train", &["--resume"]).assert_fails_naming(&["no checkpoint of float training", "--resume"]);
    workshop.killed("train", &[]);
    let differing = workshop.fude("train", &["--resume", "--seed", "2"]);
    differing.assert_fails_naming(&["seed was 1 and is now 2", "--restart"]);
    draw_into(&workshop.0.path().join("drawings"), 12, 6);
    workshop.fude("train", &["--resume"]).assert_fails_naming(&["data was", "--restart"]);
    assert_eq!(workshop.fude("train", &["--restart", "--epochs", "1"]).code, Some(0));
}

#[test]
fn one_process_at_a_time_trains_in_a_folder() {
    let workshop = Workshop::new();
    let mut child = workshop.spawn("train", &["--epochs", "100000"]);
    workshop.wait_for_another("train", None, &mut child);
    let refused = workshop.fude("train", &["--restart"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let holder = format!("process {}", child.id());
    refused.assert_fails_naming(&[&workshop.run().display().to_string(), &holder, "another --out"]);
}

#[test]
fn a_teacher_whose_weights_have_changed_is_refused() {
    let workshop = Workshop::new();
    let teacher = workshop.0.path().join("teacher").display().to_string();
    let data = format!("folder:{}", workshop.0.path().join("drawings").display());
    let train_teacher = |seed: &str| {
        let arguments = ["train", "--out", &teacher, "--preset", "nano", "--data", &data, "--device", "cpu"];
        let finished = fude([&arguments[..], &["--batch", "8", "--epochs", "1", "--seed", seed, "--restart"]].concat());
        assert_eq!(finished.code, Some(0), "{finished:?}");
    };
    train_teacher("1");
    let learning = ["--distill-from", &teacher];
    workshop.killed("train", &learning);
    train_teacher("2");
    let resume = [&learning[..], &["--resume"]].concat();
    workshop.fude("train", &resume).assert_fails_naming(&["teacher was", "--restart"]);
    train_teacher("1");
    assert_eq!(workshop.fude("train", &resume).code, Some(0));
}
