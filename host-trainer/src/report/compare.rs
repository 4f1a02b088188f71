//! Several runs in one table, provided that they were evaluated on the same samples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use maud::{Markup, html};
use serde::Serialize;
use thiserror::Error;

use super::metrics::{Form, Metrics, MetricsError, Samples};
use super::page;
use super::tables::{csv, optional};
use crate::dataset::{DataManifest, MANIFEST_FILE};
use crate::files::FileError;
use crate::numbers::{grouped, percent};

/// Runs held against each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What all were evaluated on.
    pub samples: Samples,
    /// The runs, in the order in which they were named.
    pub runs: Vec<ComparedRun>,
}

/// One run; what it has not come to is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRun {
    /// Its folder, as it was named.
    pub run: PathBuf,
    /// Name of the model.
    pub name: String,
    /// Name of its architecture.
    pub preset: String,
    /// Weights and biases.
    pub parameters: Option<u64>,
    /// Length of its package.
    pub package_bytes: Option<usize>,
    /// Arena that it needs.
    pub arena_bytes: Option<usize>,
    /// Multiply-accumulates a glyph.
    pub multiply_accumulates: Option<u64>,
    /// Top-1 in floats.
    pub float_top1: Option<f64>,
    /// Top-1 fake-quantised.
    pub fake_quantized_top1: Option<f64>,
    /// Top-1 by the device's kernels.
    pub int8_top1: Option<f64>,
    /// Images trained on per second, in the float stage.
    pub images_per_second: Option<f64>,
    /// Whether no other run has both a package as small and an INT8 top-1 as high, one of them better.
    pub pareto: bool,
}

/// Why runs cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A report is missing or damaged.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Accuracies on different samples say nothing of each other.
    #[error(
        "{first} and {second} were evaluated on different samples: {difference}; \
         run `fude report` on both with the same --data"
    )]
    OtherSamples {
        /// One run.
        first: String,
        /// The other.
        second: String,
        /// What differs.
        difference: String,
    },
    /// One run may have trained on what the other is tested on.
    #[error(
        "{first} and {second} divided the same files otherwise ({part}); train both with the same --hold-back, \
         --validation and --split"
    )]
    OtherSplit {
        /// One run.
        first: String,
        /// The other.
        second: String,
        /// The part that differs.
        part: String,
    },
    /// The account of a run's data is damaged.
    #[error(transparent)]
    Manifest(#[from] FileError),
}

impl Comparison {
    /// Reads the reports of the runs in `folders`.
    ///
    /// # Errors
    /// [`CompareError`] where one has no report, or was evaluated on other samples than the first, or divided the files of
    /// the first in another way.
    pub fn read(folders: &[PathBuf]) -> Result<Self, CompareError> {
        let mut manifests = Vec::new();
        for folder in folders.iter().filter(|folder| folder.join(MANIFEST_FILE).is_file()) {
            manifests.push((folder, DataManifest::read(folder)?));
        }
        check_splits(&manifests)?;
        let read = |folder: &PathBuf| Ok((folder.clone(), Metrics::read(folder)?));
        Self::of(folders.iter().map(read).collect::<Result<_, MetricsError>>()?)
    }

    fn of(metrics: Vec<(PathBuf, Metrics)>) -> Result<Self, CompareError> {
        let samples = metrics.first().map(|(_, metrics)| metrics.samples.clone());
        let samples = samples.ok_or_else(|| MetricsError::NoReport(PathBuf::new()))?;
        for (folder, other) in &metrics {
            if let Some(difference) = difference(&samples, &other.samples) {
                let [first, second] = [&metrics[0].0, folder].map(|folder| folder.display().to_string());
                return Err(CompareError::OtherSamples { first, second, difference });
            }
        }
        let mut runs: Vec<ComparedRun> = metrics.into_iter().map(|(run, metrics)| row(run, &metrics)).collect();
        let points: Vec<Option<(usize, f64)>> = runs.iter().map(|run| run.package_bytes.zip(run.int8_top1)).collect();
        for (run, point) in runs.iter_mut().zip(&points) {
            run.pareto = point.is_some_and(|point| points.iter().flatten().all(|other| !dominates(*other, point)));
        }
        Ok(Self { samples, runs })
    }

    /// The table as CSV, its columns named as the keys of the JSON document.
    pub fn csv(&self) -> String {
        let titles = [
            "run",
            "name",
            "preset",
            "parameters",
            "package_bytes",
            "arena_bytes",
            "multiply_accumulates",
            "float_top1",
            "fake_quantized_top1",
            "int8_top1",
            "images_per_second",
            "pareto",
        ];
        let rows = self.runs.iter().map(|run| {
            [
                run.run.display().to_string(),
                run.name.clone(),
                run.preset.clone(),
                optional(run.parameters),
                optional(run.package_bytes),
                optional(run.arena_bytes),
                optional(run.multiply_accumulates),
                optional(run.float_top1),
                optional(run.fake_quantized_top1),
                optional(run.int8_top1),
                optional(run.images_per_second),
                run.pareto.to_string(),
            ]
        });
        csv(titles, rows)
    }

    /// The table as a page that needs nothing else.
    pub fn html(&self) -> String {
        let body = html! {
            h1 { "Runs compared" }
            p.faint { (grouped(self.samples.count as u64)) " samples of " (self.samples.data.join(", ")) }
            div.scroll { table {
                tr { @for title in TITLES { th { (title) } } }
                @for run in &self.runs {
                    tr.front[run.pareto] { @for cell in run.cells() { td { (cell) } } }
                }
            } }
            p.faint { (FRONT_NOTE) }
        };
        let page: Markup = page::document("Runs compared", &body);
        page.into_string()
    }
}

/// Titles of the table's columns.
pub const TITLES: [&str; 11] = [
    "run",
    "preset",
    "parameters",
    "package",
    "arena",
    "multiply-accumulates",
    "float",
    "fake-quantised",
    "INT8",
    "images/s",
    "front",
];
/// What the last column means.
pub const FRONT_NOTE: &str = "Sizes in bytes. On the Pareto front (*) no other run has a package as small and an INT8 top-1 as high, one of \
     them better.";

impl ComparedRun {
    /// The run's row, as people read it.
    pub fn cells(&self) -> [String; 11] {
        let dash = || "–".to_owned();
        let number = |value: Option<u64>| value.map_or_else(dash, grouped);
        let share = |value: Option<f64>| value.map_or_else(dash, percent);
        [
            self.run.display().to_string(),
            self.preset.clone(),
            number(self.parameters),
            number(self.package_bytes.map(|bytes| bytes as u64)),
            number(self.arena_bytes.map(|bytes| bytes as u64)),
            number(self.multiply_accumulates),
            share(self.float_top1),
            share(self.fake_quantized_top1),
            share(self.int8_top1),
            number(self.images_per_second.map(|speed| speed.round() as u64)),
            if self.pareto { "*" } else { "" }.to_owned(),
        ]
    }
}

/// Refuses runs of the same files in different parts. Other files are no fault: what is trained on may be what is compared.
fn check_splits(manifests: &[(&PathBuf, DataManifest)]) -> Result<(), CompareError> {
    let files =
        |manifest: &DataManifest| manifest.files.iter().map(|file| file.sha256.clone()).collect::<BTreeSet<_>>();
    for (index, (second, other)) in manifests.iter().enumerate() {
        for (first, manifest) in manifests[..index].iter().filter(|(_, manifest)| files(manifest) == files(other)) {
            if let Some(part) = manifest.first_difference(other) {
                let [first, second] = [first, second].map(|folder| folder.display().to_string());
                return Err(CompareError::OtherSplit { first, second, part: part.to_owned() });
            }
        }
    }
    Ok(())
}

fn row(run: PathBuf, metrics: &Metrics) -> ComparedRun {
    let top1 = |form| metrics.form(form).map(|form| form.top1);
    let package = metrics.package.as_ref();
    ComparedRun {
        run,
        name: metrics.name.clone(),
        preset: metrics.preset.clone(),
        parameters: package.map(|package| package.parameters),
        package_bytes: package.map(|package| package.package_bytes),
        arena_bytes: package.map(|package| package.arena_bytes),
        multiply_accumulates: package.map(|package| package.multiply_accumulates),
        float_top1: top1(Form::Float),
        fake_quantized_top1: top1(Form::FakeQuantized),
        int8_top1: top1(Form::Int8),
        images_per_second: metrics.training.images_per_second,
        pareto: false,
    }
}

/// What tells the samples of two reports apart; `None` where they are the same.
fn difference(first: &Samples, second: &Samples) -> Option<String> {
    let name = |samples: &Samples| format!("{} of {}", grouped(samples.count as u64), samples.data.join(", "));
    if first.count != second.count {
        return Some(format!("{} against {}", name(first), name(second)));
    }
    let short = |samples: &Samples| samples.sha256.chars().take(8).collect::<String>();
    (first.sha256 != second.sha256).then(|| {
        let counts = format!("{} against {}", name(first), name(second));
        format!("{counts}, with other pixels, labels or order (SHA-256 {}… and {}…)", short(first), short(second))
    })
}

/// Whether (bytes, accuracy) `a` is at least as good as `b` in both and better in one.
fn dominates(a: (usize, f64), b: (usize, f64)) -> bool {
    a.0 <= b.0 && a.1 >= b.1 && a != b
}

/// The form of file that a table is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFile {
    /// A page.
    Html,
    /// Comma-separated values.
    Csv,
}

impl TableFile {
    /// The form that the ending of `path` names.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "html" => Some(Self::Html),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_made;
    use super::*;

    /// Runs with packages of these sizes and accuracies; `None` for one that was not quantised.
    fn compare(points: &[Option<(usize, f64)>]) -> Comparison {
        let metrics = points.iter().zip(0..).map(|(point, index)| {
            let mut metrics = hand_made().metrics;
            match (point, metrics.package.as_mut()) {
                (Some((bytes, top1)), Some(package)) => {
                    package.package_bytes = *bytes;
                    metrics.forms[2].top1 = *top1;
                }
                _ => {
                    metrics.package = None;
                    metrics.forms.truncate(1);
                }
            }
            (format!("runs/{index}").into(), metrics)
        });
        Comparison::of(metrics.collect()).unwrap()
    }

    fn front(points: &[Option<(usize, f64)>]) -> Vec<bool> {
        compare(points).runs.iter().map(|run| run.pareto).collect()
    }

    #[test]
    fn the_pareto_front_is_what_nothing_beats() {
        let points = [(100, 0.9), (200, 0.95), (200, 0.94), (300, 0.95), (50, 0.5), (400, 0.99)].map(Some);
        assert_eq!(front(&points), [true, true, false, false, true, true]);
        // Equals do not beat each other; a run without a package is no candidate.
        assert_eq!(front(&[Some((100, 0.9)), None, Some((100, 0.9))]), [true, false, true]);
    }

    #[test]
    fn runs_on_other_samples_are_refused_by_name() {
        let [first, other] = [(); 2].map(|()| hand_made().metrics);
        let refusal = |change: fn(&mut Samples)| {
            let mut other = other.clone();
            change(&mut other.samples);
            Comparison::of(vec![("runs/a".into(), first.clone()), ("runs/b".into(), other)]).unwrap_err().to_string()
        };
        let of_count = refusal(|samples| samples.count = 7_000);
        for part in ["runs/a and runs/b", "6 of folder:test", "7,000 of", "fude report"] {
            assert!(of_count.contains(part), "{part}: {of_count}");
        }
        let of_pixels = refusal(|samples| samples.sha256 = "cd".repeat(32));
        assert!(of_pixels.contains("abababab… and cdcdcdcd…"), "{of_pixels}");
        // What the data was called does not matter.
        let mut renamed = other;
        renamed.samples.data = vec!["folder:elsewhere".to_owned()];
        assert!(Comparison::of(vec![("a".into(), first), ("b".into(), renamed)]).is_ok());
    }

    #[test]
    fn the_same_files_in_other_parts_are_refused() {
        let manifest = |file: &str, test: &str| {
            let part =
                |identity: &str| serde_json::json!({ "samples": 3, "identity": identity, "classes": {}, "sources": 1 });
            let file = serde_json::json!({ "path": "x", "bytes": 1, "sha256": file });
            let parts = serde_json::json!({ "training": part("t"), "test": part(test) });
            let manifest = serde_json::json!({ "files": [file], "split": null, "seed": 0, "parts": parts });
            serde_json::from_value::<DataManifest>(manifest).unwrap()
        };
        let [a, b] = [PathBuf::from("runs/a"), PathBuf::from("runs/b")];
        assert!(check_splits(&[(&a, manifest("1", "x")), (&b, manifest("1", "x"))]).is_ok());
        assert!(check_splits(&[(&a, manifest("1", "x")), (&b, manifest("2", "y"))]).is_ok());
        let refused = check_splits(&[(&a, manifest("1", "x")), (&b, manifest("1", "y"))]).unwrap_err().to_string();
        assert!(refused.contains("runs/a and runs/b") && refused.contains("(test)"), "{refused}");
    }

    #[test]
    fn tables_have_a_row_a_run() {
        let mut comparison = compare(&[Some((7_000, 0.9)), None]);
        let csv = comparison.csv();
        assert_eq!(csv.lines().count(), 3);
        assert!(csv.lines().nth(1).unwrap().starts_with("runs/0,kana,nano,2000,7000,3000,90000,"), "{csv}");
        assert!(csv.lines().nth(2).unwrap().starts_with("runs/1,kana,nano,,,,,"), "{csv}");
        comparison.runs[0].run = "<script>".into();
        let html = comparison.html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script") && html.matches("<tr").count() == 3);
    }

    #[test]
    fn the_ending_says_the_form() {
        let form = |path: &str| TableFile::of(Path::new(path));
        assert_eq!((form("a/b.html"), form("b.csv")), (Some(TableFile::Html), Some(TableFile::Csv)));
        assert_eq!((form("b.xlsx"), form("csv")), (None, None));
    }
}
