//! `metrics.json`: everything that a report says, for programs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::confusion::{ClassScore, MacroAverage};
use super::history::History;
use super::interval::Interval;
use crate::files::FileError;

/// The file's name in a report's folder.
pub const METRICS_FILE: &str = "metrics.json";
/// Number of the form of `metrics.json`; another one is refused.
pub const METRICS_VERSION: u32 = 1;

/// Everything that a report says. `docs/report.md` explains every key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// [`METRICS_VERSION`].
    pub version: u32,
    /// Name of the model.
    pub name: String,
    /// Name of its architecture.
    pub preset: String,
    /// Number of its classes.
    pub classes: usize,
    /// What it was evaluated on.
    pub samples: Samples,
    /// How it was trained.
    pub training: Training,
    /// Its accuracy in each form there is: float, fake-quantised, INT8.
    pub forms: Vec<FormMetrics>,
    /// How often two forms gave the same answer.
    pub agreement: Vec<Agreement>,
    /// Sizes of its package, once it has been quantised.
    pub package: Option<PackageMetrics>,
    /// The form that everything below is of: the one nearest the device.
    pub detail_form: Form,
    /// Means over the classes.
    pub macro_average: MacroAverage,
    /// Scores of each class.
    pub per_class: Vec<ClassScore>,
    /// The most frequent mistakes, most frequent first.
    pub pairs: Vec<Pair>,
    /// Groups of classes that are taken for one another.
    pub clusters: Vec<LabelledCluster>,
    /// The confusion matrix: (index of the right class, index of the answered one, count) of every cell that is not 0.
    pub confusion: Vec<(u32, u32, usize)>,
}

/// The evaluated samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// How many.
    pub count: usize,
    /// Samples left out: of a class that the model does not know, or without a label.
    pub skipped: usize,
    /// Identifies sizes, pixels, labels and order.
    pub sha256: String,
    /// The data, as on the command line.
    pub data: Vec<String>,
}

/// How a run was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Training samples.
    pub samples: usize,
    /// The data, as on the command line.
    pub data: Vec<String>,
    /// Images per second of the float stage.
    pub images_per_second: Option<f64>,
    /// Loss, accuracy and learning rate of every epoch.
    pub history: History,
}

/// A form of the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// After float training, computed in floats.
    Float,
    /// After quantisation-aware training, computed in floats that are rounded to the device's integers.
    FakeQuantized,
    /// Integers, by the device's kernels.
    Int8,
}

impl Form {
    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::FakeQuantized => "fake-quantised",
            Self::Int8 => "INT8",
        }
    }
}

/// Accuracy of one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormMetrics {
    /// Which.
    pub form: Form,
    /// Samples recognised.
    pub correct: usize,
    /// Share whose class came first.
    pub top1: f64,
    /// The 95 % interval of `top1` ([`super::interval::wilson`]).
    pub top1_interval: Interval,
    /// Share whose class was among the first five.
    pub top5: f64,
    /// Share whose class was among the first ten.
    pub top10: f64,
}

/// How often two forms gave the same answer, right or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// One form.
    pub first: Form,
    /// The other.
    pub second: Form,
    /// Samples for which they gave the same.
    pub same: usize,
    /// Their share.
    pub share: f64,
}

/// What a package costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageMetrics {
    /// The file; `None` where the run was lowered for the report, without self-test and bitmaps of labels.
    pub file: Option<PathBuf>,
    /// Its length.
    pub package_bytes: usize,
    /// Arena that it needs.
    pub arena_bytes: usize,
    /// Weights and biases.
    pub parameters: u64,
    /// Multiply-accumulates a glyph.
    pub multiply_accumulates: u64,
}

/// One class taken for another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Label of the right class.
    pub truth: String,
    /// Label that was answered.
    pub answer: String,
    /// How often.
    pub count: usize,
    /// Share of the right class's samples.
    pub share: f64,
}

/// Classes that are taken for one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledCluster {
    /// Their labels.
    pub labels: Vec<String>,
    /// Mistakes between any two of them.
    pub mistakes: usize,
}

/// Why a report's metrics cannot be read.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// There are none.
    #[error("{0}: no report here; run `fude report` on it first")]
    NoReport(PathBuf),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is damaged.
    #[error("{path}: {reason}; run `fude report` again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
}

impl Metrics {
    /// Reads the metrics of the report in `folder`, or of the run in `folder`.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn read(folder: &Path) -> Result<Self, MetricsError> {
        for path in [folder.join(super::FOLDER).join(METRICS_FILE), folder.join(METRICS_FILE)] {
            match fs::read(&path) {
                Ok(bytes) => return Self::parse(&bytes).map_err(|reason| MetricsError::Damaged { path, reason }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(FileError::read(&path, source).into()),
            }
        }
        Err(MetricsError::NoReport(folder.to_owned()))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let version = &document["version"];
        if *version != METRICS_VERSION {
            return Err(format!("it is of version {version}, this fude reads {METRICS_VERSION}"));
        }
        serde_json::from_value(document).map_err(|error| error.to_string())
    }

    /// The accuracy of one form, where there is it.
    pub fn form(&self, form: Form) -> Option<&FormMetrics> {
        self.forms.iter().find(|metrics| metrics.form == form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_report_a_damaged_one_and_one_of_another_version_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Metrics::read(folder.path()), Err(MetricsError::NoReport(path)) if path == folder.path()));
        for (text, reason) in [("{\"version\": 2}", "version 2"), ("{\"version\": 1}", "missing field"), ("{", "EOF")] {
            fs::write(folder.path().join(METRICS_FILE), text).unwrap();
            let error = Metrics::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(METRICS_FILE) && error.contains(reason), "{error}");
        }
    }
}
