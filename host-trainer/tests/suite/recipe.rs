//! Learning from a teacher, and finding a learning rate, from files as users have them.

use std::fs;
use std::path::PathBuf;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use fude_runtime::package::Preprocessing;
use fude_trainer::model::{Mode, Network, Preset};
use fude_trainer::tensors::{floats, glyph_tensor};
use fude_trainer::train::{Distillation, OptimizerSettings, RunFolder, Stage, TeacherError, TrainConfig, WeightDecay};
use tempfile::TempDir;

use crate::fude::fude;
use crate::networks::{CLASSES, random_glyphs, random_network, run_info};
use crate::trained::draw_into;

const PRESET: Preset = Preset::Nano;
const SIDE: usize = PRESET.side();

/// A run of the preset whose network is random, and learning from nothing but it.
fn teacher() -> (TempDir, Distillation) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path());
    let network = random_network(PRESET.architecture(CLASSES), 4);
    run.write(&run_info(PRESET, Stage::Float), Stage::Float, &network).unwrap();
    let distillation = Distillation { weight: 1.0, ..Distillation::from(folder.path().to_owned()) };
    (folder, distillation)
}

fn input(preset: Preset) -> (usize, Preprocessing) {
    (preset.side(), Preprocessing::ink_box(preset.longer_side()))
}

#[test]
fn a_student_comes_to_answer_as_its_teacher() {
    let (folder, distillation) = teacher();
    let classes = run_info(PRESET, Stage::Float).classes;
    let taught = distillation.teacher(&classes, input(PRESET), &Device::flex()).unwrap();
    let device = Device::flex().autodiff();
    device.seed(2);
    let mut student = Network::new(PRESET.architecture(CLASSES), &device).train();
    let mut optimizer = OptimizerSettings::default().build(WeightDecay::default());
    let pixels = random_glyphs(SIDE, 16, 3);
    let labels = || Tensor::<1, Int>::zeros([16], &device);
    let mut losses = Vec::new();
    for _ in 0..40 {
        let glyphs = glyph_tensor(&pixels, SIDE, &device);
        let loss = taught.loss(glyphs.clone(), student.forward(glyphs, Mode::Float), labels(), 0.0);
        let gradients = GradientsParams::from_grads(loss.backward(), &student);
        student = optimizer.step(0.01, student, gradients);
        losses.push(loss.into_scalar::<f32>());
    }
    assert!(losses[39] < 0.3 * losses[0], "{losses:?}");
    // What taught is the network of the run, computed as it is evaluated.
    let network = RunFolder::new(folder.path()).read_latest(&Device::flex()).unwrap().network;
    let answers = network.forward(glyph_tensor(&pixels, SIDE, &Device::flex()), Mode::Float);
    let glyphs = || glyph_tensor(&pixels, SIDE, &device);
    let none = floats(taught.loss(glyphs(), Tensor::from_inner(answers), labels(), 0.0))[0];
    assert!(none.abs() < 1e-5, "{none}");
}

#[test]
fn a_teacher_of_other_classes_or_another_input_is_refused() {
    let (_folder, distillation) = teacher();
    let classes = run_info(PRESET, Stage::Float).classes;
    let refusal =
        |classes: &[String], preset| distillation.teacher(classes, input(preset), &Device::flex()).unwrap_err();
    let mut others = classes.clone();
    others[3] = "x".to_owned();
    let error = refusal(&others, PRESET);
    assert!(matches!(error, TeacherError::Classes { .. }) && error.to_string().contains("class 3 is \"3\""), "{error}");
    assert!(refusal(&classes[1..], PRESET).to_string().contains("it has 5, the data 4"));
    assert!(matches!(refusal(&classes, Preset::Micro), TeacherError::Input { teacher: 24, student: 32, .. }));
    let missing = Distillation::from(PathBuf::from("no/run")).teacher(&classes, input(PRESET), &Device::flex());
    assert!(matches!(missing, Err(TeacherError::Run(_))));
}

#[test]
fn lr_find_suggests_plots_and_writes_into_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    draw_into(&folder.path().join("glyphs"), 16, 0);
    let config = format!(
        "[data]\nsources = [{:?}] # mine\n[model]\npreset = \"nano\"\n[float]\nbatch = 16\n",
        format!("folder:{}", path("glyphs"))
    );
    fs::write(path("run.toml"), &config).unwrap();
    let find = |more: &[&str]| {
        let (config, plot) = (path("run.toml"), path("plot.svg"));
        let arguments = ["--json", "lr-find", "--config", &config, "--plot", &plot, "--device", "cpu", "--steps", "80"];
        fude(arguments.iter().chain(more))
    };
    let found = find(&[]).document();
    let rate = found["suggestion"].as_f64().unwrap();
    assert!((1e-6..1.0).contains(&rate), "{rate}");
    assert_eq!(found["accepted"], false);
    assert_eq!(fs::read_to_string(path("run.toml")).unwrap(), config);
    assert!(fs::read_to_string(path("plot.svg")).unwrap().contains("<svg"));

    let accepted = find(&["--accept"]).document();
    assert_eq!((accepted["accepted"].as_bool(), accepted["suggestion"].as_f64()), (Some(true), Some(rate)));
    let written = TrainConfig::read(&folder.path().join("run.toml")).unwrap();
    assert_eq!((written.float.learning_rate, written.float.batch), (rate, 16));
    assert!(fs::read_to_string(path("run.toml")).unwrap().contains("# mine"));

    fs::write(path("run.toml"), "[float]\nepoch = 3").unwrap();
    find(&[]).assert_fails_naming(&["run.toml", "`float.epoch`", "`float.epochs`"]);
}
