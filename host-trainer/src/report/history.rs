//! What a run's `history.jsonl` says of its epochs.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::FileError;

/// One epoch; what its line does not say is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEpoch {
    /// `float` or `qat`.
    pub stage: String,
    /// Number within the stage, from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: Option<f64>,
    /// Learning rate of its last step.
    pub learning_rate: Option<f64>,
    /// Loss on samples that were not trained on.
    pub validation_loss: Option<f64>,
    /// Share of samples not trained on that were recognised.
    pub validation_top1: Option<f64>,
    /// Images trained on per second.
    pub images_per_second: Option<f64>,
}

/// The epochs of a run, float ones first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The epochs that led to the weights there are.
    pub epochs: Vec<HistoryEpoch>,
    /// Lines that were no epoch.
    pub unreadable_lines: usize,
}

/// A line as it may be: only the stage and the number of the epoch must be there.
#[derive(Deserialize)]
struct Line {
    stage: Value,
    epoch: usize,
    loss: Option<f64>,
    learning_rate: Option<f64>,
    validation_loss: Option<f64>,
    validation_top1: Option<f64>,
    images_per_second: Option<f64>,
}

impl History {
    /// Reads the history of the run in `folder`; empty where there is none.
    ///
    /// # Errors
    /// [`FileError::Read`] where there is one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join("history.jsonl");
        match fs::read(&path) {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(FileError::read(&path, source)),
        }
    }

    /// Reads lines. A run that was resumed or trained anew appends to its history: an epoch replaces what stood there
    /// for it and for all that came after it.
    fn parse(text: &str) -> Self {
        let mut history = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let Some(epoch) = parse_line(line) else {
                history.unreadable_lines += 1;
                continue;
            };
            let is_before = |other: &HistoryEpoch| position(other) < position(&epoch);
            history.epochs.retain(is_before);
            history.epochs.push(epoch);
        }
        history
    }

    /// Epochs of the float stage.
    pub fn float_epochs(&self) -> usize {
        self.epochs.iter().filter(|epoch| epoch.stage == "float").count()
    }

    /// Images trained on per second in the float stage, as its last epoch says.
    pub fn images_per_second(&self) -> Option<f64> {
        self.epochs.iter().rfind(|epoch| epoch.stage == "float")?.images_per_second
    }
}

/// Float epochs come before all others.
fn position(epoch: &HistoryEpoch) -> (bool, usize) {
    (epoch.stage != "float", epoch.epoch)
}

fn parse_line(line: &str) -> Option<HistoryEpoch> {
    let line: Line = serde_json::from_str(line).ok()?;
    // `"float"`, or `{"qat": settings}`.
    let stage = match &line.stage {
        Value::String(name) => name,
        Value::Object(object) => object.keys().next()?,
        _ => return None,
    };
    Some(HistoryEpoch {
        stage: stage.clone(),
        epoch: line.epoch,
        loss: line.loss,
        learning_rate: line.learning_rate,
        validation_loss: line.validation_loss,
        validation_top1: line.validation_top1,
        images_per_second: line.images_per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Stage;

    fn losses(text: &str) -> Vec<(String, usize, f64)> {
        History::parse(text).epochs.into_iter().map(|line| (line.stage, line.epoch, line.loss.unwrap())).collect()
    }

    fn line(stage: &str, epoch: usize, loss: f64) -> String {
        format!("{{\"stage\": {stage}, \"epoch\": {epoch}, \"loss\": {loss}}}\n")
    }

    const FLOAT: &str = "\"float\"";
    const QAT: &str = "{\"qat\": {\"learn_ranges\": false}}";

    #[test]
    fn reads_what_training_writes() {
        let stages = [Stage::Float, Stage::Qat { learn_ranges: true }];
        let text: String = stages
            .map(|stage| format!("{{\"stage\":{},\"epoch\":1}}\n", serde_json::to_string(&stage).unwrap()))
            .concat();
        let stages: Vec<String> = History::parse(&text).epochs.into_iter().map(|epoch| epoch.stage).collect();
        assert_eq!(stages, ["float", "qat"]);
    }

    #[test]
    fn lines_with_more_less_or_nothing_are_read() {
        let text =
            "{\"stage\":\"float\",\"epoch\":1,\"loss\":null,\"validation_top1\":0.5,\"colour\":\"red\"}\n\n{half a li";
        let history = History::parse(text);
        assert_eq!(history.unreadable_lines, 1);
        assert_eq!((history.epochs[0].loss, history.epochs[0].validation_top1), (None, Some(0.5)));
    }

    #[test]
    fn an_epoch_trained_again_replaces_it_and_its_successors() {
        let text =
            [line(FLOAT, 1, 0.9), line(FLOAT, 2, 0.8), line(FLOAT, 2, 0.7), line(QAT, 1, 0.6), line(QAT, 1, 0.5)];
        let expected = [("float", 1, 0.9), ("float", 2, 0.7), ("qat", 1, 0.5)];
        assert_eq!(losses(&text.concat()), expected.map(|(stage, epoch, loss)| (stage.to_owned(), epoch, loss)));
        // A float stage that begins again leaves nothing of the earlier ones.
        assert_eq!(losses(&[text.concat(), line(FLOAT, 1, 0.4)].concat()), [("float".to_owned(), 1, 0.4)]);
    }

    #[test]
    fn a_run_without_history_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(History::read(folder.path()).unwrap(), History::default());
        fs::create_dir(folder.path().join("history.jsonl")).unwrap();
        assert!(History::read(folder.path()).is_err());
    }
}
