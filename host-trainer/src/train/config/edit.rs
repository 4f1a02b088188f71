//! Changing one value of a configuration file and nothing else of it.

use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::{ConfigError, TrainConfig};
use crate::files::{self, write_atomically};

const SECTION: &str = "[float]";

/// What of the file is looked at: where its rate is.
#[derive(Deserialize)]
struct Located {
    float: Option<LocatedStage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LocatedStage {
    learning_rate: Option<Spanned<Value>>,
}

/// Writes `rate` as the float stage's `learning-rate` into the file at `path`, whose comments and order stay.
///
/// # Errors
/// Where the file cannot be read or written, or is written in a way that leaves no place for the key.
pub fn set_learning_rate(path: &Path, rate: f64) -> Result<(), ConfigError> {
    TrainConfig::read(path)?;
    let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
    let edited = with_rate(&text, rate).ok_or_else(|| ConfigError::Value {
        path: path.to_owned(),
        key: "float.learning-rate".to_owned(),
        problem: format!("there is no place for it; write `learning-rate = {rate:e}` into the section by hand"),
    })?;
    write_atomically(path, edited.as_bytes())?;
    Ok(())
}

/// The text with the rate in it; `None` where what comes out would say something else.
fn with_rate(text: &str, rate: f64) -> Option<String> {
    let located: Located = toml::from_str(text).ok()?;
    let entry = format!("learning-rate = {rate:e}");
    let edited = match located.float.and_then(|stage| stage.learning_rate) {
        Some(old) => format!("{}{rate:e}{}", &text[..old.span().start], &text[old.span().end..]),
        None => match section_end(text) {
            Some(end) => format!("{}\n{entry}{}", &text[..end], &text[end..]),
            None => format!("{}{SECTION}\n{entry}\n", separated(text)),
        },
    };
    let table = |text: &str| text.parse::<Table>().ok();
    let mut expected = table(text)?;
    let stage = expected.entry("float").or_insert_with(|| Table::new().into()).as_table_mut()?;
    stage.insert("learning-rate".to_owned(), rate.into());
    (table(&edited)? == expected).then_some(edited)
}

/// Where the line of the section's header ends.
fn section_end(text: &str) -> Option<usize> {
    let mut start = 0;
    text.split('\n').find_map(|line| {
        let end = start + line.trim_end_matches('\r').len();
        start += line.len() + 1;
        (line.split('#').next()?.trim() == SECTION).then_some(end)
    })
}

/// The text, ending in an empty line.
fn separated(text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!("{}\n\n", text.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rate_changes() {
        let cases = [
            (
                "# mine\n[float] # fast\nepochs = 3\nlearning-rate = 0.1 # too much\n\n[qat]\nepochs = 1\n",
                "# mine\n[float] # fast\nepochs = 3\nlearning-rate = 2.5e-3 # too much\n\n[qat]\nepochs = 1\n",
            ),
            (
                "[qat]\nlearning-rate = 1.0\n[float]\nepochs = 3",
                "[qat]\nlearning-rate = 1.0\n[float]\nlearning-rate = 2.5e-3\nepochs = 3",
            ),
            ("[qat]\nepochs = 3\n", "[qat]\nepochs = 3\n\n[float]\nlearning-rate = 2.5e-3\n"),
            ("", "[float]\nlearning-rate = 2.5e-3\n"),
            ("float = { learning-rate = 1, epochs = 2 }", "float = { learning-rate = 2.5e-3, epochs = 2 }"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_rate(text, 2.5e-3).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_file_without_a_place_for_it_is_left_alone() {
        assert_eq!(with_rate("float = { epochs = 2 }", 1e-3), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "float.epochs = 2").unwrap();
        let message = set_learning_rate(&path, 1e-3).unwrap_err().to_string();
        assert!(message.contains("by hand"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "float.epochs = 2");
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "[float.schedule.cosine]\nwarm-up = 0.2\n").unwrap();
        set_learning_rate(&path, 3.2e-4).unwrap();
        assert_eq!(TrainConfig::read(&path).unwrap().float.learning_rate, 3.2e-4);
    }
}
