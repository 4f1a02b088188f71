//! What a run came to, as a page for people, and as tables and figures for programs.
//!
//! ```text
//!  RunFolder ─┐                        ┌► page ──► index.html, which needs nothing else
//!  TestSet ───┼► Subject::measure ► Report ► chart, picture, tables ──► *.svg, *.png, *.csv
//!  package ───┘    three forms of      └► Metrics ──► metrics.json ──► Comparison (several runs)
//!                  one model
//! ```
//!
//! Float, fake-quantised and INT8 are evaluated on the same samples, the last by the device's own kernels. Nothing in
//! a report says when it was made: the same run and samples give the same files.

mod chart;
pub mod cluster;
pub mod compare;
pub mod confusion;
mod history;
pub mod interval;
mod measure;
mod metrics;
mod page;
mod page_matrix;
mod picture;
mod tables;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::dataset::Glyph;
use crate::files::{FileError, write_atomically};
use crate::label_font::LabelFont;
use crate::package::PackingError;
use crate::plot::PlotError;
use crate::train::RunFolderError;
use confusion::ConfusionMatrix;
pub use history::{History, HistoryEpoch};
pub use measure::Subject;
pub use metrics::{
    Agreement, Form, FormMetrics, LabelledCluster, METRICS_FILE, METRICS_VERSION, Metrics, MetricsError,
    PackageMetrics, Pair, Samples, Training,
};
use picture::{MatrixPicture, Scale};

/// The folder of a run's report within the run's.
pub const FOLDER: &str = "report";

/// Why a report cannot be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The run cannot be read.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// The package cannot be read or made.
    #[error(transparent)]
    Package(#[from] PackingError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The package is of another model.
    #[error("{0}: its classes are not the run's; give the package that was exported from this run")]
    OtherClasses(PathBuf),
    /// Nothing to hold answers against.
    #[error("{0}: no sample has a label; a report needs labelled data")]
    NoLabels(String),
    /// A chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] PlotError),
    /// A picture cannot be encoded.
    #[error("a picture cannot be encoded: {0}")]
    Picture(String),
    /// The figures have no JSON form.
    #[error("the figures cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// All figures.
    pub metrics: Metrics,
    /// Which class was taken for which.
    pub matrix: ConfusionMatrix,
    /// Examples of the first of `metrics.pairs`.
    pub examples: Vec<PairExamples>,
}

/// Samples of a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairExamples {
    /// Glyphs that were taken for another class.
    pub mistaken: Vec<Glyph>,
    /// Glyphs of that class that were recognised.
    pub answer: Vec<Glyph>,
}

/// The charts of a report, as SVG documents.
struct Charts {
    loss: String,
    accuracy: String,
    learning_rate: String,
}

impl Report {
    /// Writes the page and its parts into `folder`, with `font` for the labels in the pictures of the matrix.
    /// Returns the page.
    ///
    /// # Errors
    /// Where a part cannot be made or written.
    pub fn write(&self, folder: &Path, font: Option<&LabelFont>) -> Result<PathBuf, ReportError> {
        let Self { metrics, matrix, .. } = self;
        let history = &metrics.training.history;
        let charts = Charts {
            loss: chart::loss(history)?,
            accuracy: chart::accuracy(metrics)?,
            learning_rate: chart::learning_rate(history)?,
        };
        let labels: Vec<String> = metrics.per_class.iter().map(|score| score.label.clone()).collect();
        let picture = MatrixPicture::of(matrix);
        let page = page::page(self, &charts, &picture)?;
        let json = serde_json::to_vec_pretty(metrics)?;
        let parts: [(&str, Vec<u8>); 10] = [
            ("loss.svg", charts.loss.into_bytes()),
            ("accuracy.svg", charts.accuracy.into_bytes()),
            ("learning-rate.svg", charts.learning_rate.into_bytes()),
            ("confusion.png", picture.lettered_png(Scale::Count, &labels, font)?),
            ("confusion-normalized.png", picture.lettered_png(Scale::Share, &labels, font)?),
            ("confusion.csv", tables::confusion(self).into_bytes()),
            ("classes.csv", tables::classes(metrics).into_bytes()),
            ("pairs.csv", tables::pairs(metrics).into_bytes()),
            (METRICS_FILE, json),
            ("index.html", page.into_bytes()),
        ];
        for (name, bytes) in parts {
            write_atomically(&folder.join(name), &bytes)?;
        }
        Ok(folder.join("index.html"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::clusters;
    use confusion::MacroAverage;
    use interval::Interval;

    /// A report of two classes with three samples each, of which one は was taken for ほ twice.
    pub(super) fn hand_made() -> Report {
        let labels: Vec<String> = ["は", "ほ"].map(str::to_owned).into();
        let matrix = ConfusionMatrix::of(2, [(0, 0), (0, 1), (0, 1), (1, 1), (1, 1), (1, 1)]);
        let per_class = matrix.scores(&labels);
        let glyph = Glyph { width: 2, height: 2, pixels: vec![0, 255, 9, 0] };
        let form = |form, correct| FormMetrics {
            form,
            correct,
            top1: correct as f64 / 6.0,
            top1_interval: Interval { low: 0.25, high: 0.75 },
            top5: 1.0,
            top10: 1.0,
        };
        let epoch = |stage: &str, loss| HistoryEpoch {
            stage: stage.to_owned(),
            epoch: 1,
            loss: Some(loss),
            learning_rate: Some(1e-3),
            validation_loss: None,
            validation_top1: Some(0.5),
            images_per_second: Some(100.0),
        };
        let found = clusters(&matrix);
        let metrics = Metrics {
            version: METRICS_VERSION,
            name: "kana".to_owned(),
            preset: "nano".to_owned(),
            classes: 2,
            samples: Samples { count: 6, skipped: 1, sha256: "ab".repeat(32), data: vec!["folder:test".to_owned()] },
            training: Training {
                samples: 60,
                data: vec!["folder:train".to_owned()],
                images_per_second: Some(100.0),
                history: History { epochs: vec![epoch("float", 0.9), epoch("qat", 0.7)], unreadable_lines: 0 },
            },
            forms: vec![form(Form::Float, 5), form(Form::FakeQuantized, 4), form(Form::Int8, 4)],
            agreement: vec![Agreement { first: Form::Int8, second: Form::FakeQuantized, same: 6, share: 1.0 }],
            package: Some(PackageMetrics {
                file: None,
                package_bytes: 7_000,
                arena_bytes: 3_000,
                parameters: 2_000,
                multiply_accumulates: 90_000,
            }),
            detail_form: Form::Int8,
            macro_average: MacroAverage::of(&per_class),
            per_class,
            pairs: vec![Pair { truth: "は".into(), answer: "ほ".into(), count: 2, share: 2.0 / 3.0 }],
            clusters: vec![LabelledCluster { labels, mistakes: found[0].mistakes }],
            confusion: matrix.cells().collect(),
        };
        let examples = vec![PairExamples { mistaken: vec![glyph.clone(); 2], answer: vec![glyph] }];
        Report { metrics, matrix, examples }
    }

    impl Report {
        /// The page as it would be written.
        pub(super) fn page_for_tests(&self) -> String {
            let folder = tempfile::tempdir().unwrap();
            std::fs::read_to_string(self.write(folder.path(), None).unwrap()).unwrap()
        }
    }

    const PARTS: [&str; 10] = [
        "accuracy.svg",
        "classes.csv",
        "confusion-normalized.png",
        "confusion.csv",
        "confusion.png",
        "index.html",
        "learning-rate.svg",
        "loss.svg",
        "metrics.json",
        "pairs.csv",
    ];

    #[test]
    fn a_report_is_ten_files_and_reads_back() {
        let (report, folder) = (hand_made(), tempfile::tempdir().unwrap());
        report.write(&folder.path().join(FOLDER), None).unwrap();
        let mut names: Vec<String> = std::fs::read_dir(folder.path().join(FOLDER))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, PARTS);
        // By the run's folder and by the report's own.
        for path in [folder.path().to_owned(), folder.path().join(FOLDER)] {
            assert_eq!(Metrics::read(&path).unwrap(), report.metrics);
        }
        let table = |name| std::fs::read_to_string(folder.path().join(FOLDER).join(name)).unwrap();
        assert_eq!(table("pairs.csv"), "truth,answer,count,share\nは,ほ,2,0.6666666666666666\n");
        assert_eq!(table("confusion.csv").lines().nth(2), Some("は,ほ,2,0.6666666666666666"));
        assert_eq!(table("classes.csv").lines().nth(1), Some("は,3,1,1,1,0.3333333333333333,0.5,0.6666666666666666"));
    }

    #[test]
    fn a_table_quotes_what_would_break_it() {
        let mut report = hand_made();
        report.metrics.pairs[0].truth = "a,\"b\"\n".to_owned();
        let text = tables::pairs(&report.metrics);
        assert!(text.contains("\"a,\"\"b\"\"\n\",ほ,2,"), "{text}");
    }

    /// `docs/report.md` explains every key of `metrics.json`.
    #[test]
    fn every_key_is_documented() {
        let documentation = include_str!("../../../docs/report.md");
        let mut open = vec![serde_json::to_value(hand_made().metrics).unwrap()];
        let mut keys = 0;
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Array(values) => open.extend(values),
                serde_json::Value::Object(object) => {
                    for (key, value) in object {
                        assert!(documentation.contains(&format!("`{key}`")), "{key} is not in docs/report.md");
                        keys += 1;
                        open.push(value);
                    }
                }
                _ => {}
            }
        }
        assert!(keys > 60, "{keys}");
    }
}
