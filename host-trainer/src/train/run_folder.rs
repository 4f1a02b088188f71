//! The folder of a run: what was trained, how, and the weights.
//!
//! ```text
//! RUN/run.json            architecture, classes, preprocessing, settings of every stage
//! RUN/config.toml         what `fude train --config` takes to train it again
//! RUN/float.safetensors   weights after float training
//! RUN/qat.safetensors     weights and ranges after quantisation-aware training
//! RUN/history.jsonl       one line an epoch
//! RUN/checkpoints/        training between two steps
//! RUN/run.lock            held by the process that trains
//! RUN/data.json           files, split and fingerprints of the data ([`DataManifest`](crate::dataset::DataManifest))
//! ```
//!
//! Every file is written beside its place and renamed, so a run that is killed keeps what it had.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::Device;
use fude_runtime::package::Preprocessing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{DistortionStrength, EpochReport, FitSettings, Stage, TrainConfig};
use crate::dataset::Sampling;
use crate::dataset::hexadecimal;
use crate::files::{self, FileError, write_atomically};
use crate::model::{Architecture, Network, Preset};

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Name of the model.
    pub name: String,
    /// The preset that the architecture was made from.
    pub preset: Preset,
    /// Labels of the classes, in order.
    pub classes: Vec<String>,
    /// How an image becomes the input.
    pub preprocessing: Preprocessing,
    /// Seed of weights, order and distortions.
    pub seed: u64,
    /// The data it was trained on, as on the command line.
    pub data: Vec<String>,
    /// Samples before distortion.
    pub samples: usize,
    /// How much samples were distorted.
    pub distortion: DistortionStrength,
    /// Samples held back to measure every epoch on; the others are trained on.
    #[serde(default)]
    pub validation: usize,
    /// How often an epoch saw each class.
    #[serde(default)]
    pub sampling: Sampling,
    /// Settings of the float stage.
    pub float: FitSettings,
    /// Settings of the quantisation-aware stage, once there was one.
    pub qat: Option<FitSettings>,
}

impl RunInfo {
    /// The network's nodes.
    pub fn architecture(&self) -> Architecture {
        self.preset.architecture(self.classes.len())
    }
}

/// Why a run cannot be read or written.
#[derive(Debug, Error)]
pub enum RunFolderError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no run.
    #[error("{0}: no run here (no run.json); name a folder that `fude train` wrote")]
    NoRun(PathBuf),
    /// `run.json` is damaged.
    #[error("{path}: {reason}; the run's description is damaged, train again or restore it")]
    Info {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// Weights are missing or damaged.
    #[error("{path}: {reason}; train this stage again")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A run on disk.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// A network with what is needed to use it.
#[derive(Debug)]
pub struct Checkpoint {
    /// What the run is.
    pub info: RunInfo,
    /// The stage whose weights these are.
    pub stage: Stage,
    /// The network.
    pub network: Network,
}

impl RunFolder {
    /// The run in `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the run is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the configuration.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Writes the configuration that the run is trained by.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_config(&self, config: &TrainConfig) -> Result<(), RunFolderError> {
        Ok(write_atomically(&self.config(), config.to_toml().as_bytes())?)
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// Where there is none, or it is damaged.
    pub fn read_info(&self) -> Result<RunInfo, RunFolderError> {
        let path = self.path.join("run.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunFolderError::NoRun(self.path.clone()));
            }
            Err(error) => return Err(FileError::read(&path, error).into()),
        };
        let info: RunInfo = match serde_json::from_slice(&bytes) {
            Ok(info) => info,
            Err(error) => return Err(RunFolderError::Info { path, reason: error.to_string() }),
        };
        if info.classes.is_empty() {
            return Err(RunFolderError::Info { path, reason: "it lists no class".to_owned() });
        }
        Ok(info)
    }

    /// Writes weights of a stage, then the description that names them.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, info: &RunInfo, stage: Stage, network: &Network) -> Result<(), RunFolderError> {
        let path = self.weights(stage);
        // A single entry, as several come in no fixed order: the same weights are the same file.
        let mut store = SafetensorsStore::from_bytes(None).clear_metadata().metadata("producer", "fude");
        let weights_error = |reason: String| RunFolderError::Weights { path: path.clone(), reason };
        network.save_into(&mut store).map_err(|error| weights_error(error.to_string()))?;
        let bytes = store.get_bytes().map_err(|error| weights_error(error.to_string()))?;
        write_atomically(&path, &bytes)?;
        let text = serde_json::to_string_pretty(info)
            .map_err(|error| RunFolderError::Info { path: self.path.join("run.json"), reason: error.to_string() })?;
        write_atomically(&self.path.join("run.json"), text.as_bytes())?;
        Ok(())
    }

    /// Reads the weights of the latest stage there is.
    ///
    /// # Errors
    /// Where the run or its weights are missing or damaged.
    pub fn read_latest(&self, device: &Device) -> Result<Checkpoint, RunFolderError> {
        let info = self.read_info()?;
        let stage = info.qat.as_ref().unwrap_or(&info.float).stage;
        self.read(info, stage, device)
    }

    /// Reads the weights of the float stage.
    ///
    /// # Errors
    /// Where the run or its weights are missing or damaged.
    pub fn read_float(&self, device: &Device) -> Result<Checkpoint, RunFolderError> {
        self.read(self.read_info()?, Stage::Float, device)
    }

    fn read(&self, info: RunInfo, stage: Stage, device: &Device) -> Result<Checkpoint, RunFolderError> {
        let path = self.weights(stage);
        let bytes = files::read(&path)?;
        let weights_error = |reason: String| RunFolderError::Weights { path: path.clone(), reason };
        let mut network = Network::new(info.architecture(), device).valid();
        // Burn's own account of what does not fit fills a screen: the first of it will do.
        let mut store = SafetensorsStore::from_bytes(Some(bytes)).validate(false).allow_partial(true);
        let result = network.load_from(&mut store).map_err(|error| weights_error(error.to_string()))?;
        if let Some(error) = result.errors.first() {
            return Err(weights_error(error.to_string()));
        }
        if let Some((missing, _)) = result.missing.first() {
            return Err(weights_error(format!("tensor {missing:?} is missing")));
        }
        Ok(Checkpoint { info, stage, network })
    }

    /// The SHA-256, in hexadecimal digits, of the file that holds the weights of `stage`.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn weights_sha256(&self, stage: Stage) -> Result<String, RunFolderError> {
        Ok(hexadecimal(&Sha256::digest(files::read(&self.weights(stage))?)))
    }

    /// Writes what the epochs of a stage reported, in the place of what was there of this stage. That of float training
    /// stands before that of quantisation-aware training.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn write_history(&self, stage: Stage, epochs: &[EpochReport]) -> Result<(), RunFolderError> {
        let path = self.path.join("history.jsonl");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|source| FileError::read(&path, source))?,
        };
        let is_before = |line: &&str| {
            let report: Result<EpochReport, _> = serde_json::from_str(line);
            report.is_ok_and(|report| stage != Stage::Float && report.stage == Stage::Float)
        };
        let mut lines: Vec<String> = text.lines().filter(is_before).map(str::to_owned).collect();
        for epoch in epochs {
            let line = serde_json::to_string(epoch).map_err(|error| FileError::write(&path, io::Error::from(error)))?;
            lines.push(line);
        }
        lines.push(String::new());
        Ok(write_atomically(&path, lines.join("\n").as_bytes())?)
    }

    fn weights(&self, stage: Stage) -> PathBuf {
        self.path.join(match stage {
            Stage::Float => "float.safetensors",
            Stage::Qat { .. } => "qat.safetensors",
        })
    }
}
