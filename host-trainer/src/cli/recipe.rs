//! Options that make a configuration: a file, and what the command line says on top of it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::data::{DataArguments, DataOptions, at_least_one};
use crate::dataset::Sampling;
use crate::model::Preset;
use crate::train::{
    ConfigError, DataConfig, Distillation, DistortionStrength, EarlyStopping, OptimizerSettings, Precision, Schedule,
    StageConfig, TrainConfig, by_name,
};

/// Epochs without improvement that `--early-stopping` tolerates where it is given alone.
const PATIENCE: &str = "10";
/// Share of the old average that `--ema` keeps where it is given alone.
const EMA: &str = "0.999";

/// What is trained, and on what.
#[derive(Debug, Clone, Default, Args)]
pub struct RecipeArguments {
    /// Configuration file; options given beside it go before what it says.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataArguments,
    /// How often an epoch sees each class: `uniform` (every sample once), `balanced` (every class equally often),
    /// `power=P` (as often as its number of samples to the power P) or `weights=FILE` (lines of label, tab, weight)
    /// [default: uniform].
    #[arg(long, value_name = "HOW")]
    pub sampling: Option<Sampling>,
    /// Distort less: for samples that are handwriting already.
    #[arg(long)]
    pub mild: bool,
    /// Architecture [default: small].
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// Seed of weights, order, distortions and dropout [default: 1].
    #[arg(long)]
    pub seed: Option<u64>,
}

/// How a stage is trained.
#[derive(Debug, Clone, Default, Args)]
pub struct StageArguments {
    /// Passes over the data, every pass with other distortions [default: 60, in `qat` 12].
    #[arg(long, value_parser = at_least_one())]
    pub epochs: Option<usize>,
    /// Glyphs a batch [default: 64].
    #[arg(long, value_parser = at_least_one())]
    pub batch: Option<usize>,
    /// Batches whose gradients are added up before the weights change [default: 1].
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub accumulate: Option<usize>,
    /// Highest learning rate [default: 4e-3, in `qat` 5e-4].
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// How the learning rate changes: constant, cosine, warm-restarts, one-cycle, linear-warm-up, step or plateau, with
    /// their default numbers [default: cosine].
    #[arg(long, value_name = "NAME", value_parser = by_name::<Schedule>)]
    pub schedule: Option<Schedule>,
    /// How gradients change weights: adamw or sgd, with their default numbers [default: adamw].
    #[arg(long, value_name = "NAME", value_parser = by_name::<OptimizerSettings>)]
    pub optimizer: Option<OptimizerSettings>,
    /// Share of a weight that a step of rate 1 takes away [default: 0.02, in `qat` 0].
    #[arg(long, value_name = "SHARE")]
    pub weight_decay: Option<f32>,
    /// Share of the target that is spread over all classes [default: 0.05].
    #[arg(long, value_name = "SHARE")]
    pub label_smoothing: Option<f32>,
    /// Largest norm of all gradients together.
    #[arg(long, value_name = "NORM")]
    pub clip_norm: Option<f32>,
    /// Largest magnitude of an element of a gradient.
    #[arg(long, value_name = "VALUE")]
    pub clip_value: Option<f32>,
    /// Keep a moving average of the weights; this share of it stays at a step.
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = EMA)]
    pub ema: Option<f64>,
    /// What the operands of convolutions are in; `bf16` is for GPUs, and for the float stage alone [default: f32].
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Stop after this many epochs without improvement, with the weights of the best.
    #[arg(long, value_name = "EPOCHS", num_args = 0..=1, default_missing_value = PATIENCE)]
    pub early_stopping: Option<usize>,
    /// Learn from the answers of this run too.
    #[arg(long, value_name = "RUN")]
    pub distill_from: Option<PathBuf>,
}

impl RecipeArguments {
    /// The configuration file, or the defaults, with these options on top and `options` on the stage that `stage` picks.
    ///
    /// # Errors
    /// Where the file cannot be read, or a value has no meaning.
    pub fn resolve(
        &self,
        options: &StageArguments,
        stage: fn(&mut TrainConfig) -> &mut StageConfig,
    ) -> Result<TrainConfig, ConfigError> {
        let mut config = match &self.config {
            Some(path) => TrainConfig::read(path)?,
            None => TrainConfig::default(),
        };
        self.apply(&mut config);
        options.apply(stage(&mut config));
        config.check(Path::new("command line"))?;
        Ok(config)
    }

    fn apply(&self, config: &mut TrainConfig) {
        let data = &mut config.data;
        if !self.data.data.is_empty() {
            data.sources.clone_from(&self.data.data);
        }
        let given = &self.data.options;
        set_some(&mut data.classes, &given.classes);
        set_some(&mut data.characters, &given.characters);
        set_some(&mut data.hold_back, &given.hold_back);
        set_some(&mut data.validation, &given.validation);
        set_some(&mut data.split, &given.split);
        set(&mut data.sampling, &self.sampling);
        if self.mild {
            data.distortion = DistortionStrength::Mild;
        }
        set(&mut config.model.preset, &self.preset);
        set(&mut config.run.seed, &self.seed);
    }
}

impl StageArguments {
    /// Lays these options over a stage.
    pub fn apply(&self, stage: &mut StageConfig) {
        set(&mut stage.epochs, &self.epochs);
        set(&mut stage.batch, &self.batch);
        set(&mut stage.accumulate, &self.accumulate);
        set(&mut stage.learning_rate, &self.learning_rate);
        set(&mut stage.schedule, &self.schedule);
        set(&mut stage.optimizer, &self.optimizer);
        set(&mut stage.weight_decay, &self.weight_decay);
        set(&mut stage.label_smoothing, &self.label_smoothing);
        set(&mut stage.precision, &self.precision);
        set_some(&mut stage.clip_norm, &self.clip_norm);
        set_some(&mut stage.clip_value, &self.clip_value);
        set_some(&mut stage.ema, &self.ema);
        if let Some(patience) = self.early_stopping {
            let min_delta = stage.early_stopping.map_or(0.0, |stopping| stopping.min_delta);
            stage.early_stopping = Some(EarlyStopping { patience, min_delta });
        }
        if let Some(teacher) = self.distill_from.clone() {
            stage.distillation = Some(match stage.distillation.take() {
                Some(distillation) => Distillation { teacher, ..distillation },
                None => Distillation::from(teacher),
            });
        }
    }
}

impl From<&DataConfig> for DataArguments {
    fn from(config: &DataConfig) -> Self {
        Self {
            data: config.sources.clone(),
            options: DataOptions {
                classes: config.classes.clone(),
                characters: config.characters.clone(),
                hold_back: config.hold_back,
                validation: config.validation,
                split: config.split,
            },
        }
    }
}

fn set<T: Clone>(value: &mut T, option: &Option<T>) {
    if let Some(option) = option {
        value.clone_from(option);
    }
}

fn set_some<T: Clone>(value: &mut Option<T>, option: &Option<T>) {
    if option.is_some() {
        value.clone_from(option);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        recipe: RecipeArguments,
        #[command(flatten)]
        stage: StageArguments,
    }

    fn resolve(arguments: &[&str]) -> Result<TrainConfig, String> {
        let options = Options::try_parse_from([&["fude"], arguments].concat()).map_err(|error| error.to_string())?;
        options.recipe.resolve(&options.stage, |config| &mut config.float).map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_all_is_default() {
        assert_eq!(resolve(&[]).unwrap(), TrainConfig::default());
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let text = "[run]\nseed = 9\n[data]\nsources = [\"folder:a\"]\n[float]\nepochs = 5\nbatch = 8\nclip-norm = 2.0\n\
                    [float.distillation]\nteacher = \"runs/a\"\nweight = 0.4\n[qat]\nepochs = 4\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let plain = resolve(&["--config", path]).unwrap();
        assert_eq!((plain.run.seed, plain.float.epochs, plain.float.batch, plain.qat.epochs), (9, 5, 8, 4));
        let options = [
            "--config",
            path,
            "--data",
            "folder:b",
            "--data",
            "folder:c",
            "--preset",
            "nano",
            "--seed",
            "3",
            "--mild",
            "--epochs",
            "7",
            "--accumulate",
            "2",
            "--learning-rate",
            "0.1",
            "--schedule",
            "one-cycle",
            "--optimizer",
            "sgd",
            "--weight-decay",
            "0.3",
            "--label-smoothing",
            "0",
            "--clip-value",
            "0.5",
            "--ema",
            "--early-stopping",
            "--distill-from",
            "runs/b",
            "--hold-back",
            "4",
            "--characters",
            "grade1",
            "--classes",
            "c.tsv",
        ];
        let config = resolve(&options).unwrap();
        let data: Vec<String> = config.data.sources.iter().map(ToString::to_string).collect();
        assert_eq!(data, ["folder:b", "folder:c"]);
        assert_eq!((config.model.preset, config.run.seed), (Preset::Nano, 3));
        assert_eq!((config.data.distortion, config.data.hold_back), (DistortionStrength::Mild, Some(4)));
        assert_eq!(config.data.characters.as_deref(), Some("grade1"));
        assert_eq!(config.data.classes.as_deref(), Some(Path::new("c.tsv")));
        let expected = StageConfig {
            epochs: 7,
            batch: 8,
            accumulate: 2,
            learning_rate: 0.1,
            schedule: by_name("one-cycle").unwrap(),
            optimizer: by_name("sgd").unwrap(),
            weight_decay: 0.3,
            label_smoothing: 0.0,
            clip_norm: Some(2.0),
            clip_value: Some(0.5),
            ema: Some(0.999),
            early_stopping: Some(EarlyStopping { patience: 10, min_delta: 0.0 }),
            distillation: Some(Distillation { weight: 0.4, ..Distillation::from(PathBuf::from("runs/b")) }),
            ..StageConfig::default()
        };
        assert_eq!(config.float, expected);
        assert_eq!(config.qat, plain.qat);
    }

    #[test]
    fn a_value_without_meaning_is_refused_with_its_key() {
        let message = resolve(&["--ema", "1.5"]).unwrap_err();
        assert!(message.contains("command line: `float.ema`: 1.5"), "{message}");
        let message = resolve(&["--schedule", "cosin"]).unwrap_err();
        assert!(message.contains("the nearest is \"cosine\""), "{message}");
    }
}
