//! What the labels of a data set mean.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::DatasetError;

/// An ordered list of classes; a sample's label is an index into it.
///
/// A class is named by a text, normally one character (`学`, `7`). A data set that says nothing of
/// what its classes are (a bare IDX file) has a *numbered* list: class i is called `i`, and these
/// names carry no meaning of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassList {
    labels: Vec<String>,
    by_label: HashMap<String, u32>,
    named: bool,
}

impl ClassList {
    /// `count` classes that have numbers for names.
    pub fn numbered(count: u32) -> Self {
        let labels: Vec<String> = (0..count).map(|index| index.to_string()).collect();
        let by_label = labels.iter().cloned().zip(0..).collect();
        Self { labels, by_label, named: false }
    }

    /// Classes named by `labels`, in that order.
    ///
    /// # Errors
    /// [`DatasetError::DuplicateClass`] when a label appears twice; `origin` is the file or folder
    /// that the message names.
    pub fn named(labels: impl IntoIterator<Item = String>, origin: &Path) -> Result<Self, DatasetError> {
        let labels: Vec<String> = labels.into_iter().collect();
        let mut by_label = HashMap::with_capacity(labels.len());
        for (label, index) in labels.iter().zip(0..) {
            if by_label.insert(label.clone(), index).is_some() {
                return Err(DatasetError::DuplicateClass { path: origin.to_owned(), label: label.clone() });
            }
        }
        Ok(Self { labels, by_label, named: true })
    }

    /// Reads a class file: UTF-8 lines of `index`, `codepoint` (hex), `char`, `group`, separated by
    /// tabs. Lines that start with `#` and empty lines are skipped; the group is for people and is
    /// not read. Indices must run 0, 1, 2, … in the order of the lines, since labels are positions.
    ///
    /// # Errors
    /// [`DatasetError::ClassFile`] names the line that has a field missing, an index out of
    /// sequence, or a code point other than its character's; [`DatasetError::DuplicateClass`] a
    /// character that is listed twice.
    pub fn read_tsv(path: &Path) -> Result<Self, DatasetError> {
        let text = fs::read_to_string(path).map_err(DatasetError::io(path, "read"))?;
        let mut labels = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let label = parse_line(line, labels.len()).map_err(|problem| DatasetError::ClassFile {
                path: path.to_owned(),
                line: number,
                problem,
            })?;
            labels.push(label);
        }
        if labels.is_empty() {
            return Err(DatasetError::ClassFile {
                path: path.to_owned(),
                line: 1,
                problem: "no class is listed".to_owned(),
            });
        }
        Self::named(labels, path)
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no classes at all, as in a set without labels.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Whether the labels are names with a meaning, rather than numbers given for want of any.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// The labels in class order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The index of the class called `label`.
    pub fn index_of(&self, label: &str) -> Option<u32> {
        self.by_label.get(label).copied()
    }

    /// For each class of this list, the class of `other` that is the same; `None` where `other`
    /// has no such class.
    ///
    /// Two named lists are matched by text. When either list is only numbered, its names say
    /// nothing, and class i is taken to be class i.
    pub fn map_to(&self, other: &ClassList) -> Vec<Option<u32>> {
        if self.named && other.named {
            return self.labels.iter().map(|label| other.index_of(label)).collect();
        }
        (0..).take(self.len()).map(|index: u32| ((index as usize) < other.len()).then_some(index)).collect()
    }
}

/// The character of one line of a class file, which must be line `expected_index` of the classes.
fn parse_line(line: &str, expected_index: usize) -> Result<String, String> {
    let mut fields = line.split('\t');
    let mut field = |name: &str| fields.next().ok_or_else(|| format!("no {name}"));
    let (index, code_point, label) = (field("index")?, field("code point")?, field("character")?);

    let index: usize = index.parse().map_err(|_| format!("{index:?} is not an index"))?;
    if index < expected_index {
        return Err(format!("index {index} is used twice or out of order, expected {expected_index}"));
    }
    if index > expected_index {
        return Err(format!("index {index} leaves a gap, expected {expected_index}"));
    }

    let character = u32::from_str_radix(code_point, 16)
        .ok()
        .and_then(char::from_u32)
        .ok_or_else(|| format!("{code_point:?} is not a code point"))?;
    let mut characters = label.chars();
    if (characters.next(), characters.next()) != (Some(character), None) {
        return Err(format!("code point {code_point} is {character:?}, but the character is {label:?}"));
    }
    Ok(label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClassList, DatasetError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("classes.tsv");
        fs::write(&path, text).unwrap();
        ClassList::read_tsv(&path)
    }

    fn problem_at(text: &str) -> (usize, String) {
        match read(text) {
            Err(DatasetError::ClassFile { line, problem, .. }) => (line, problem),
            other => panic!("expected a class file error, got {other:?}"),
        }
    }

    fn named(labels: &[&str]) -> ClassList {
        ClassList::named(labels.iter().map(ToString::to_string), Path::new("test")).unwrap()
    }

    #[test]
    fn reads_a_class_file() {
        let classes =
            read("#index\tcodepoint\tchar\tgroup\n0\t3042\tあ\thiragana\n\n1\t5B66\t学\tkanji\n2\t37\t7").unwrap();
        assert_eq!(classes.labels(), ["あ", "学", "7"]);
        assert_eq!(classes.index_of("学"), Some(1));
        assert_eq!(classes.index_of("字"), None);
        assert!(classes.is_named());
    }

    #[test]
    fn a_broken_line_is_named() {
        let first = "0\t3042\tあ\tx\n";
        assert_eq!(problem_at(&format!("{first}0\t3044\tい\tx\n")).0, 2);
        assert!(problem_at(&format!("{first}0\t3044\tい\tx\n")).1.contains("used twice"));
        assert!(problem_at(&format!("#\n{first}2\t3044\tい\tx\n")).1.contains("gap"));
        assert_eq!(problem_at(&format!("#\n{first}2\t3044\tい\tx\n")).0, 3);
        assert!(problem_at("0\t3044\tあ\tx\n").1.contains("is 'い'"));
        assert!(problem_at("0\t3042\tああ\tx\n").1.contains("is 'あ'"));
        assert!(problem_at("0\tD800\tあ\tx\n").1.contains("not a code point"));
        assert!(problem_at("0\t3042\n").1.contains("no character"));
        assert!(problem_at("zero\t3042\tあ\tx\n").1.contains("not an index"));
    }

    #[test]
    fn a_repeated_character_or_an_empty_file_is_refused() {
        let repeated = read("0\t3042\tあ\tx\n1\t3042\tあ\tx\n");
        assert!(matches!(repeated, Err(DatasetError::DuplicateClass { label, .. }) if label == "あ"));
        assert_eq!(problem_at("#index\n"), (1, "no class is listed".to_owned()));
    }

    #[test]
    fn named_lists_are_matched_by_text() {
        let set = named(&["い", "う", "あ"]);
        assert_eq!(set.map_to(&named(&["あ", "い"])), [Some(1), None, Some(0)]);
    }

    #[test]
    fn numbered_lists_are_matched_by_index() {
        let digits = named(&["0", "1"]);
        assert_eq!(ClassList::numbered(3).map_to(&digits), [Some(0), Some(1), None]);
        assert_eq!(named(&["b", "a"]).map_to(&ClassList::numbered(9)), [Some(0), Some(1)]);
    }
}
