//! The report's tables as CSV (RFC 4180), for spreadsheets.

use serde::Serialize;

use super::metrics::Metrics;
use super::{Report, ReportError};

/// A cell of the confusion matrix.
#[derive(Serialize)]
struct Cell<'a> {
    truth: &'a str,
    answer: &'a str,
    count: usize,
    share_of_truth: f64,
}

/// Every cell of the confusion matrix that is not 0, one a line: whole, a matrix of thousands of classes has millions.
///
/// # Errors
/// [`ReportError::Table`] where a row cannot be written.
pub fn confusion(report: &Report) -> Result<Vec<u8>, ReportError> {
    let label = |class: u32| report.metrics.per_class[class as usize].label.as_str();
    csv(report.matrix.cells().map(|(truth, answer, count)| Cell {
        truth: label(truth),
        answer: label(answer),
        count,
        share_of_truth: report.matrix.share(truth, answer),
    }))
}

/// The scores of every class.
///
/// # Errors
/// [`ReportError::Table`] where a row cannot be written.
pub fn classes(metrics: &Metrics) -> Result<Vec<u8>, ReportError> {
    csv(&metrics.per_class)
}

/// The most frequent mistakes.
///
/// # Errors
/// [`ReportError::Table`] where a row cannot be written.
pub fn pairs(metrics: &Metrics) -> Result<Vec<u8>, ReportError> {
    csv(&metrics.pairs)
}

/// Rows under the names of their fields.
///
/// # Errors
/// [`ReportError::Table`] where a row cannot be written.
pub fn csv(rows: impl IntoIterator<Item = impl Serialize>) -> Result<Vec<u8>, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| ReportError::Table(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| ReportError::Table(error.to_string()))
}
