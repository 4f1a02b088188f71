//! The configuration of a run: a TOML file, with the command line on top.
//!
//! ```toml
//! [data]
//! sources = ["fonts:/usr/share/fonts"]
//! characters = "grade1"
//!
//! [float]
//! epochs = 90
//! schedule = "one-cycle"                      # a name alone takes its default numbers
//! optimizer.sgd = { momentum = 0.9 }
//! early-stopping = { patience = 10 }
//! ```
//!
//! Keys are spelt as the options of the command line. A key that is left out has its default, which trains as `fude
//! train` does without a file. Paths are relative to the folder in which `fude` is run. A run keeps the file that came
//! of it all, [`TrainConfig::to_toml`].

mod edit;
mod named;

use std::path::{Path, PathBuf};

use burn::optim::GradientsParams;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use super::{Distillation, EarlyStopping, OptimizerSettings, Schedule, WeightDecay, clip_by_norm, clip_by_value};
use crate::dataset::{DataSpec, Distortion, Sampling, SplitRule};
use crate::files::{self, FileError};
use crate::model::{Network, Preset};

pub use edit::set_learning_rate;
pub use named::by_name;
use named::{Fault, from_table};

/// Everything that decides what a run trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// The run as a whole.
    pub run: RunConfig,
    /// What is trained.
    pub model: ModelConfig,
    /// What it is trained on.
    pub data: DataConfig,
    /// The float stage: `fude train`.
    pub float: StageConfig,
    /// The quantisation-aware stage: `fude qat`.
    pub qat: StageConfig,
    /// What only the quantisation-aware stage has.
    pub quantization: QuantizationConfig,
}

/// The run as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RunConfig {
    /// Name of the model; the run folder's otherwise.
    pub name: Option<String>,
    /// Seed of weights, order, distortions and dropout.
    pub seed: u64,
}

/// What is trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelConfig {
    /// The architecture.
    pub preset: Preset,
}

/// What a network is trained on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataConfig {
    /// The data, each `KIND:PATH`.
    #[serde(with = "data_specs")]
    pub sources: Vec<DataSpec>,
    /// Table of classes that maps label indices to characters.
    pub classes: Option<PathBuf>,
    /// Characters to render from fonts; `grade1` for the 80 of the first school year.
    pub characters: Option<String>,
    /// Samples held back for `fude eval` and `fude verify`, evenly over the classes.
    pub hold_back: Option<usize>,
    /// Samples held back from training, evenly over the classes, on which every epoch is measured.
    pub validation: Option<usize>,
    /// What is kept together when samples are held back.
    pub split: Option<SplitRule>,
    /// How often an epoch sees each class.
    pub sampling: Sampling,
    /// How much samples are distorted.
    pub distortion: DistortionStrength,
}

/// How much samples are distorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistortionStrength {
    /// For fonts, where every variation has to come from the distortion.
    #[default]
    Full,
    /// For samples that are handwriting already.
    Mild,
}

/// One stage of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StageConfig {
    /// Passes over the data, every pass with other distortions.
    pub epochs: usize,
    /// Glyphs that pass the network at a time.
    pub batch: usize,
    /// Batches whose gradients are added up before the weights change.
    pub accumulate: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Share of a weight that a step of rate 1 takes away.
    pub weight_decay: f32,
    /// Whether biases, batch normalisation and learned ranges are spared by the decay.
    pub decay_weights_only: bool,
    /// Share of the target that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Largest norm of all gradients together.
    pub clip_norm: Option<f32>,
    /// Largest magnitude of an element of a gradient, applied before the norm.
    pub clip_value: Option<f32>,
    /// Share of the old average that the moving average of the weights keeps at a step; without it there is none.
    pub ema: Option<f64>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// How gradients change weights.
    pub optimizer: OptimizerSettings,
    /// In what the operands of convolutions are, in the float stage. Runs of before there was a choice leave it out.
    #[serde(default)]
    pub precision: Precision,
    /// When to stop before the last epoch.
    pub early_stopping: Option<EarlyStopping>,
    /// A network to learn from.
    pub distillation: Option<Distillation>,
}

/// The number format of a convolution's operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16: eight bits of mantissa, for GPUs with units for it.
    Bf16,
}

/// What only the quantisation-aware stage has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct QuantizationConfig {
    /// Learn the activation ranges after they have been observed, instead of freezing them.
    pub learn_ranges: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            run: RunConfig::default(),
            model: ModelConfig::default(),
            data: DataConfig::default(),
            float: StageConfig::default(),
            qat: StageConfig::qat(),
            quantization: QuantizationConfig::default(),
        }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { name: None, seed: 1 }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { preset: Preset::Small }
    }
}

/// The float stage's.
impl Default for StageConfig {
    fn default() -> Self {
        Self {
            epochs: 60,
            batch: 64,
            accumulate: 1,
            learning_rate: 4e-3,
            weight_decay: 0.02,
            decay_weights_only: false,
            label_smoothing: 0.05,
            clip_norm: None,
            clip_value: None,
            ema: None,
            schedule: Schedule::default(),
            optimizer: OptimizerSettings::default(),
            precision: Precision::default(),
            early_stopping: None,
            distillation: None,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not TOML.
    #[error("{path}: {reason}; the file is no TOML")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, and what the parser said.
        reason: String,
    },
    /// No section, or not this one, has such a key.
    #[error("{path}: unknown key `{key}`; the nearest known key is `{nearest}`")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key with its section.
        key: String,
        /// The known key that is spelt most alike.
        nearest: String,
    },
    /// The value of a key has another type, or no meaning.
    #[error("{path}: `{key}`: {problem}")]
    Value {
        /// The file, or the command line.
        path: PathBuf,
        /// The key with its section.
        key: String,
        /// What is wrong, and what it must be.
        problem: String,
    },
}

impl StageConfig {
    /// The quantisation-aware stage's defaults.
    pub fn qat() -> Self {
        Self { epochs: 12, learning_rate: 5e-4, weight_decay: 0.0, ..Self::default() }
    }

    /// How much, and which, weights decay.
    pub const fn decay(&self) -> WeightDecay {
        WeightDecay { rate: self.weight_decay, weights_only: self.decay_weights_only }
    }

    /// The gradients of `network` clipped, by value and then by norm, where the stage says so.
    pub fn clip(&self, gradients: GradientsParams, network: &Network) -> GradientsParams {
        let gradients = match self.clip_value {
            Some(limit) => clip_by_value(gradients, network, limit),
            None => gradients,
        };
        match self.clip_norm {
            Some(limit) => clip_by_norm(gradients, network, limit),
            None => gradients,
        }
    }

    /// The first value without a meaning, as (key, problem).
    fn fault(&self) -> Option<(String, String)> {
        let at_least_one = |key: &str, value: usize| (value == 0).then(|| problem(key, "it must be at least 1"));
        let above_zero = |key: &str, value: Option<f64>| {
            let fault = |value: f64| problem(key, &format!("{value} must be a number above 0"));
            value.filter(|value| !(*value > 0.0 && value.is_finite())).map(fault)
        };
        let below_one = |key: &str, value: f64| {
            let fault = || problem(key, &format!("{value} must be at least 0 and below 1"));
            (!(0.0..1.0).contains(&value)).then(fault)
        };
        let inner = |section: &str, check: Result<(), String>| {
            check.err().map(|error| match error.split_once(": ") {
                Some((key, reason)) => problem(&format!("{section}.{key}"), reason),
                None => problem(section, &error),
            })
        };
        let not_negative = |key: &str, value: f32| {
            let fault = || problem(key, &format!("{value} must be a number of at least 0"));
            (!(value >= 0.0 && value.is_finite())).then(fault)
        };
        at_least_one("epochs", self.epochs)
            .or_else(|| at_least_one("batch", self.batch))
            .or_else(|| at_least_one("accumulate", self.accumulate))
            .or_else(|| above_zero("learning-rate", Some(self.learning_rate)))
            .or_else(|| not_negative("weight-decay", self.weight_decay))
            .or_else(|| below_one("label-smoothing", f64::from(self.label_smoothing)))
            .or_else(|| above_zero("clip-norm", self.clip_norm.map(f64::from)))
            .or_else(|| above_zero("clip-value", self.clip_value.map(f64::from)))
            .or_else(|| below_one("ema", self.ema.unwrap_or(0.0)))
            .or_else(|| inner("schedule", self.schedule.check()))
            .or_else(|| inner("optimizer", self.optimizer.check()))
            .or_else(|| inner("early-stopping", self.early_stopping.as_ref().map_or(Ok(()), EarlyStopping::check)))
            .or_else(|| inner("distillation", self.distillation.as_ref().map_or(Ok(()), Distillation::check)))
    }
}

fn problem(key: &str, problem: &str) -> (String, String) {
    (key.to_owned(), problem.to_owned())
}

impl DistortionStrength {
    /// The distortion of this strength, at its default side.
    pub fn distortion(self) -> Distortion {
        match self {
            Self::Full => Distortion::default(),
            Self::Mild => Distortion::mild(),
        }
    }
}

impl TrainConfig {
    /// Reads a file; what it leaves out has its default.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file and the key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = files::read(path)?;
        let syntax = |reason: String| ConfigError::Syntax { path: path.to_owned(), reason };
        let text = std::str::from_utf8(&bytes).map_err(|error| syntax(error.to_string()))?;
        let table: Table = text.parse().map_err(|error| {
            let (line, message) = toml_fault(text, &error);
            syntax(format!("line {line}: {message}"))
        })?;
        let config = Self::from_table(table).map_err(|fault| fault.at(path))?;
        config.check(path)?;
        Ok(config)
    }

    /// The file that says all of it.
    ///
    /// # Panics
    /// Never: every value has a form in TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value has a form in TOML")
    }

    /// Refuses values without a meaning. `path` is where they were given; what the command line adds is checked again.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let stages = [("float", &self.float), ("qat", &self.qat)];
        let mut faults = stages.into_iter().filter_map(|(name, stage)| stage.fault().map(|fault| (name, fault)));
        let coarse = (self.qat.precision != Precision::F32)
            .then(|| ("qat", problem("precision", "what is rounded to 8 bits needs more digits first; leave it out")));
        match faults.next().or(coarse) {
            None => Ok(()),
            Some((stage, (key, problem))) => {
                Err(ConfigError::Value { path: path.to_owned(), key: format!("{stage}.{key}"), problem })
            }
        }
    }

    /// The defaults with the sections of `given` laid over them, key by key.
    fn from_table(given: Table) -> Result<Self, Fault> {
        let mut table = Table::try_from(Self::default()).expect("every value has a form in TOML");
        for (name, section) in given {
            match (table.get_mut(&name), section) {
                (Some(Value::Table(known)), Value::Table(given)) => known.extend(given),
                (_, section) => drop(table.insert(name, section)),
            }
        }
        from_table(table)
    }
}

/// The line of a TOML `text` at which its parser stopped, and what it said.
pub fn toml_fault(text: &str, error: &toml::de::Error) -> (usize, String) {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    (1 + before.matches('\n').count(), error.message().replace('\n', ", "))
}

/// Data specifications as the text of the command line.
mod data_specs {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::DataSpec;

    pub fn serialize<S: Serializer>(specs: &[DataSpec], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(specs.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DataSpec>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests;
