use std::fs;

use super::*;

/// Reads `text` as a file called `run.toml`.
fn read(text: &str) -> Result<TrainConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    fs::write(&path, text).unwrap();
    TrainConfig::read(&path)
}

#[track_caller]
fn refusal(text: &str) -> String {
    let message = read(text).unwrap_err().to_string();
    assert!(message.contains("run.toml: "), "{message}");
    message
}

#[test]
fn an_empty_file_is_what_was_trained_without_one() {
    let config = read("").unwrap();
    assert_eq!(config, TrainConfig::default());
    let float = &config.float;
    assert_eq!((float.epochs, float.batch, float.learning_rate), (60, 64, 4e-3));
    assert_eq!((float.weight_decay, float.label_smoothing, float.accumulate), (0.02, 0.05, 1));
    assert_eq!(float.schedule, Schedule::Cosine { warm_up: 0.05 });
    assert_eq!(float.optimizer, OptimizerSettings::AdamW { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-5 });
    assert!(float.clip_norm.is_none() && float.clip_value.is_none() && float.ema.is_none());
    assert!(float.early_stopping.is_none() && float.distillation.is_none() && !float.decay_weights_only);
    assert_eq!((config.qat.epochs, config.qat.learning_rate, config.qat.weight_decay), (12, 5e-4, 0.0));
    assert_eq!((config.qat.batch, config.qat.label_smoothing), (64, 0.05));
    assert_eq!((config.run.seed, config.model.preset), (1, Preset::Small));
    assert_eq!((config.data.distortion, config.data.validation), (DistortionStrength::Full, None));
    assert!(!config.quantization.learn_ranges);
}

const FULL: &str = r#"
[run]
name = "digits"
seed = 7
[model]
preset = "micro"
[data]
sources = ["idx:train-images.gz", "fonts:/usr/share/fonts"]
classes = "classes.tsv"
characters = "一二三"
hold-back = 10000
validation = 500
split = "stratified"
sampling = "balanced"
distortion = "mild"
[float]
epochs = 3
batch = 32
accumulate = 4
learning-rate = 1e-2
weight-decay = 0.1
decay-weights-only = true
label-smoothing = 0
clip-norm = 1
clip-value = 0.5
ema = 0.99
precision = "bf16"
optimizer.sgd = { nesterov = true }
early-stopping = { patience = 4 }
distillation = { teacher = "runs/teacher", temperature = 2 }
[float.schedule.warm-restarts]
cycles = 2
[qat]
epochs = 2
schedule = "constant"
[quantization]
learn-ranges = true
"#;

#[test]
fn every_key_is_read() {
    let config = read(FULL).unwrap();
    let expected = TrainConfig {
        run: RunConfig { name: Some("digits".to_owned()), seed: 7 },
        model: ModelConfig { preset: Preset::Micro },
        data: DataConfig {
            sources: ["idx:train-images.gz", "fonts:/usr/share/fonts"].map(|spec| spec.parse().unwrap()).into(),
            classes: Some("classes.tsv".into()),
            characters: Some("一二三".to_owned()),
            hold_back: Some(10000),
            validation: Some(500),
            split: Some(SplitRule::Stratified),
            sampling: Sampling::Balanced,
            distortion: DistortionStrength::Mild,
        },
        float: StageConfig {
            epochs: 3,
            batch: 32,
            accumulate: 4,
            learning_rate: 1e-2,
            weight_decay: 0.1,
            decay_weights_only: true,
            label_smoothing: 0.0,
            clip_norm: Some(1.0),
            clip_value: Some(0.5),
            ema: Some(0.99),
            schedule: Schedule::WarmRestarts { cycles: 2, growth: 2.0 },
            optimizer: OptimizerSettings::Sgd { momentum: 0.9, nesterov: true },
            precision: Precision::Bf16,
            early_stopping: Some(EarlyStopping { patience: 4, min_delta: 0.0 }),
            distillation: Some(Distillation { teacher: "runs/teacher".into(), temperature: 2.0, weight: 0.7 }),
        },
        qat: StageConfig { epochs: 2, schedule: Schedule::Constant {}, ..StageConfig::qat() },
        quantization: QuantizationConfig { learn_ranges: true },
    };
    assert_eq!(config, expected);
}

#[test]
fn what_is_written_reads_as_the_same() {
    for text in ["", FULL] {
        let config = read(text).unwrap();
        let written = config.to_toml();
        assert_eq!(read(&written).unwrap(), config, "{written}");
    }
    let written = read("").unwrap().to_toml();
    for line in ["epochs = 60", "weight-decay = 0.02", "label-smoothing = 0.05", "beta-1 = 0.9"] {
        assert!(written.contains(line), "no {line:?} in\n{written}");
    }
}

#[test]
fn an_unknown_key_is_told_the_nearest() {
    let cases = [
        ("[float]\nlearning_rate = 1.0", "`float.learning_rate`", "`float.learning-rate`"),
        ("[float]\nepoch = 1", "`float.epoch`", "`float.epochs`"),
        ("[flaot]\nepochs = 1", "`flaot`", "`float`"),
        ("[qat.schedule.cosine]\nwarmup = 0.1", "`qat.schedule.cosine.warmup`", "`qat.schedule.cosine.warm-up`"),
        ("[qat.early-stopping]\npatiense = 1", "`qat.early-stopping.patiense`", "`qat.early-stopping.patience`"),
    ];
    for (text, key, nearest) in cases {
        let message = refusal(text);
        assert!(message.contains(&format!("unknown key {key}; ")), "{message}");
        assert!(message.ends_with(&format!("the nearest known key is {nearest}")), "{message}");
    }
    let message = refusal("[float.schedule.constant]\nrate = 1");
    assert!(message.contains("`float.schedule.constant.rate`: nothing can be given here"), "{message}");
}

#[test]
fn a_wrong_type_names_the_key_and_what_belongs_there() {
    let cases = [
        ("[float]\nepochs = \"many\"", "`float.epochs`: string \"many\" is of the wrong type; give usize"),
        ("[data]\nsources = 3", "`data.sources`: integer `3` is of the wrong type; give a sequence"),
        ("[float]\nepochs = -1", "`float.epochs`: invalid value: integer `-1`"),
        ("[float.schedule.cosine]\nwarm-up = true", "`float.schedule.cosine.warm-up`: boolean `true`"),
        ("[qat.distillation]\ntemperature = 2", "`qat.distillation`: missing field `teacher`"),
        ("float = 1", "`float`: integer `1` is of the wrong type"),
        ("[data]\nsources = [\"mnist:x\"]", "`data.sources`: "),
    ];
    for (text, expected) in cases {
        let message = refusal(text);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn an_unknown_name_is_told_the_nearest() {
    let message = refusal("[float]\nschedule = \"cosin\"");
    assert!(message.contains("`float.schedule`: unknown name \"cosin\"; the nearest is \"cosine\""), "{message}");
    let message = refusal("[model]\npreset = \"smal\"");
    assert!(message.contains("the nearest is \"small\""), "{message}");
    assert!(refusal("[float.optimizer]\nadamw = {}\nsgd = {}").contains("exactly one"));
    assert_eq!(by_name::<Schedule>("cosine"), Ok(Schedule::default()));
    assert!(by_name::<OptimizerSettings>("sdg").unwrap_err().contains("the nearest is \"sgd\""));
}

#[test]
fn a_value_without_meaning_names_its_key() {
    let cases = [
        ("[float]\nepochs = 0", "`float.epochs`: it must be at least 1"),
        ("[qat]\nlearning-rate = nan", "`qat.learning-rate`: NaN"),
        ("[float]\nlabel-smoothing = 1.0", "`float.label-smoothing`: 1"),
        ("[float]\nclip-norm = 0.0", "`float.clip-norm`: 0"),
        ("[float]\nweight-decay = -0.1", "`float.weight-decay`: -0.1"),
        ("[float.schedule.step]\nfactor = 2", "`float.schedule.factor`: 2"),
        ("[float.optimizer.sgd]\nmomentum = 1", "`float.optimizer.momentum`: 1"),
        ("[float.early-stopping]\npatience = 0", "`float.early-stopping.patience`"),
        ("[float.distillation]\nteacher = \"t\"\nweight = 1.5", "`float.distillation.weight`: 1.5"),
        ("[qat]\nprecision = \"bf16\"", "`qat.precision`: what is rounded to 8 bits"),
    ];
    for (text, expected) in cases {
        let message = refusal(text);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let message = refusal("[float]\nepochs = = 3");
    assert!(message.contains("run.toml: line 2: ") && !message.contains('\n'), "{message}");
    let missing = TrainConfig::read(Path::new("/nowhere/run.toml")).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/run.toml"), "{missing}");
}
