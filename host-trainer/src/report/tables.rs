//! The report's tables as CSV (RFC 4180), for spreadsheets.

use super::Report;
use super::metrics::Metrics;

/// Every cell of the confusion matrix that is not 0, one a line: whole, a matrix of thousands of classes has millions.
pub fn confusion(report: &Report) -> String {
    let label = |class: u32| report.metrics.per_class[class as usize].label.clone();
    let rows = report.matrix.cells().map(|(truth, answer, count)| {
        [label(truth), label(answer), count.to_string(), report.matrix.share(truth, answer).to_string()]
    });
    csv(["truth", "answer", "count", "share_of_truth"], rows)
}

/// The scores of every class.
pub fn classes(metrics: &Metrics) -> String {
    let titles = ["label", "support", "answered", "correct", "precision", "recall", "f1", "accuracy"];
    let rows = metrics.per_class.iter().map(|score| {
        let [support, answered, correct] =
            [score.support, score.answered, score.correct].map(|count| count.to_string());
        let [precision, recall, f1] = [score.precision, score.recall, score.f1].map(optional);
        [score.label.clone(), support, answered, correct, precision, recall, f1, score.accuracy.to_string()]
    });
    csv(titles, rows)
}

/// The most frequent mistakes.
pub fn pairs(metrics: &Metrics) -> String {
    let rows = metrics
        .pairs
        .iter()
        .map(|pair| [pair.truth.clone(), pair.answer.clone(), pair.count.to_string(), pair.share.to_string()]);
    csv(["truth", "answer", "count", "share"], rows)
}

/// A value as text; nothing where there is none.
pub fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// `rows` under `titles`. A cell that holds a comma, a quotation mark or the end of a line is quoted.
pub fn csv<const N: usize>(titles: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let quoted = |cell: String| {
        let needs_quotes = cell.contains(['"', ',', '\n', '\r']);
        if needs_quotes { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let line = |row: [String; N]| format!("{}\n", row.map(quoted).join(","));
    let titles = line(titles.map(str::to_owned));
    std::iter::once(titles).chain(rows.map(line)).collect()
}
