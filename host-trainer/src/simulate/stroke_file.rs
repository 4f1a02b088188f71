//! Files of strokes, the pen's counterpart of a picture.
//!
//! A character is a JSON object, and a file holds one or more of them, one a line or laid out as one likes:
//!
//! ```json
//! {"strokes": [[[10, 50], [90, 50]], [[50, 10], [50, 48], [50, 90]]]}
//! ```
//!
//! A stroke is the list of the points that the pen passed between touching the paper and leaving it; a point is `[x, y]`
//! in whole numbers of any unit (-32768 to 32767), x to the right and y downwards. A stroke of one point is a dot. Other
//! keys, a label for one, are ignored.

use std::path::{Path, PathBuf};

use fude_runtime::ink::strokes::Point;
use serde::Deserialize;
use thiserror::Error;

use crate::files::{self, FileError};

/// The strokes of a character in the order of writing, each with one point or more.
pub type Strokes = Vec<Vec<Point>>;

/// Why a file of strokes cannot be read.
#[derive(Debug, Error)]
pub enum StrokeFileError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not JSON, or not of strokes.
    #[error(
        "{}:{}:{}: {}; a character is {{\"strokes\": [[[x, y], …], …]}} in whole numbers of -32768 to 32767",
        path.display(), source.line(), source.column(), without_place(source)
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// There is no character in it.
    #[error("{}: holds no character; write one as {{\"strokes\": [[[x, y], …], …]}}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// What was wrong, without the line and the column that the message has at its front.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// A character as it is written in the file.
#[derive(Deserialize)]
struct Character {
    strokes: Written,
}

/// Strokes with nothing missing.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Vec<[i16; 2]>>")]
struct Written(Strokes);

impl TryFrom<Vec<Vec<[i16; 2]>>> for Written {
    type Error = String;

    fn try_from(strokes: Vec<Vec<[i16; 2]>>) -> Result<Self, String> {
        if strokes.is_empty() {
            return Err("a character without strokes".to_owned());
        }
        match strokes.iter().position(Vec::is_empty) {
            Some(index) => Err(format!("stroke {} has no points", index + 1)),
            None => {
                let points = |stroke: Vec<[i16; 2]>| stroke.into_iter().map(|[x, y]| Point::new(x, y)).collect();
                Ok(Self(strokes.into_iter().map(points).collect()))
            }
        }
    }
}

/// Whether a file is one of strokes rather than a picture, by its name: it ends in `.json` or `.jsonl`.
pub fn is_stroke_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["json", "jsonl"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Reads the characters of a file, one or more.
///
/// # Errors
/// Where the file cannot be read, is not of this form, or is empty; the message says in which line.
pub fn read_strokes(path: &Path) -> Result<Vec<Strokes>, StrokeFileError> {
    let bytes = files::read(path)?;
    let characters = serde_json::Deserializer::from_slice(&bytes).into_iter::<Character>();
    let characters: Result<Vec<Strokes>, _> = characters.map(|character| Ok(character?.strokes.0)).collect();
    let characters = characters.map_err(|source| StrokeFileError::Json { path: path.to_owned(), source })?;
    if characters.is_empty() {
        return Err(StrokeFileError::Empty { path: path.to_owned() });
    }
    Ok(characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Strokes>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strokes.json");
        std::fs::write(&path, text).unwrap();
        read_strokes(&path).map_err(|error| error.to_string().replace(&folder.path().display().to_string(), ""))
    }

    #[test]
    fn one_character_or_several() {
        let cross = vec![vec![Point::new(10, 50), Point::new(90, 50)], vec![Point::new(50, -10)]];
        let line = r#"{"label": "十", "strokes": [[[10, 50], [90, 50]], [[50, -10]]]}"#;
        assert_eq!(read(line), Ok(vec![cross.clone()]));
        assert_eq!(read(&format!("\n{line}\n{line}\n")), Ok(vec![cross.clone(), cross.clone()]));
        assert_eq!(read(&line.replace(' ', "\n")), Ok(vec![cross]));
    }

    #[test]
    fn an_error_names_line_and_place() {
        let good = r#"{"strokes": [[[1, 2]]]}"#;
        let cases = [
            (r#"{"strokes": [[[1, 2], [40000, 2]]]}"#, "/strokes.json:2:28: ", "40000"),
            (r#"{"strokes": [[[1, 2], [3.5, 2]]]}"#, "/strokes.json:2:26: ", "3.5"),
            (r#"{"strokes": [[[1, 2, 3]]]}"#, "/strokes.json:2:22: ", "trailing"),
            (r#"{"strokes": [[[1]]]}"#, "/strokes.json:2:17: ", "length 1"),
            (r#"{"strokes": [[[1, 2]], []]}"#, "/strokes.json:2:27: ", "stroke 2 has no points"),
            (r#"{"strokes": []}"#, "/strokes.json:2:15: ", "without strokes"),
            (r#"{"stroke": [[[1, 2]]]}"#, "/strokes.json:2:22: ", "missing field `strokes`"),
            (r#"{"strokes": [[[1, 2]"#, "/strokes.json:2:20: ", "EOF"),
            ("and so on", "/strokes.json:2:1: ", "expected value"),
        ];
        for (line, place, what) in cases {
            let error = read(&format!("{good}\n{line}")).unwrap_err();
            assert!(error.starts_with(place) && error.contains(what), "{error}");
            assert!(error.contains("whole numbers") && !error.contains(" at line "), "{error}");
        }
        let empty = read(" \n ").unwrap_err();
        assert!(empty.contains("holds no character"), "{empty}");
    }
}
