//! EMNIST: IDX files whose images are stored transposed, beside a mapping of labels to characters.
//!
//! Source: G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017,
//! and the files that come with it.

use std::fs;
use std::path::{Path, PathBuf};

use super::idx::{self, set_name};
use super::{ClassList, Dataset, DatasetError, Glyph, LoadOptions};

/// Loads an image file with its labels, as IDX, and turns the images upright.
///
/// `emnist-SPLIT-mapping.txt` beside `emnist-SPLIT-train-images-idx3-ubyte.gz` says which character a label is, and
/// that names the classes. Where it gives a label two characters, as the letters' upper and lower case, the first
/// stands for both. Without it labels are those of the class file or numbers, as in any IDX file.
pub(super) fn load(images: &Path, labels: Option<&Path>, options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    let mut set = match mapping_beside(images) {
        None => idx::load(images, labels, options)?,
        Some(path) => {
            let mapping = read_mapping(&path)?;
            let set = idx::load(images, labels, &LoadOptions { classes: None, ..options.clone() })?;
            named(set, &mapping, &path, options)?
        }
    };
    for sample in &mut set.samples {
        sample.glyph = transposed(&sample.glyph);
    }
    Ok(set)
}

/// The files of [`load`].
pub(super) fn files(images: &Path, labels: Option<&Path>) -> Vec<PathBuf> {
    let mut files = idx::files(images, labels);
    files.extend(mapping_beside(images));
    files
}

fn mapping_beside(images: &Path) -> Option<PathBuf> {
    let name = set_name(images);
    let split = name.strip_suffix("-train").or_else(|| name.strip_suffix("-test")).unwrap_or(&name);
    Some(images.with_file_name(format!("{split}-mapping.txt"))).filter(|path| path.is_file())
}

/// The labels of a mapping file with the character each stands for, in the order of the file: lines of a label and one
/// or more code points, in decimal digits.
fn read_mapping(path: &Path) -> Result<Vec<(u32, String)>, DatasetError> {
    let text = fs::read_to_string(path).map_err(DatasetError::io(path, "read"))?;
    let mut mapping: Vec<(u32, String)> = Vec::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
        let label = numbers.next().flatten();
        let character = numbers.next().flatten().and_then(char::from_u32);
        let fresh = label.filter(|label| mapping.iter().all(|(known, _)| known != label));
        let (Some(label), Some(character)) = (fresh, character) else {
            return Err(DatasetError::Record {
                path: path.to_owned(),
                place: format!("line {number}"),
                problem: format!("{line:?} is no mapping"),
                remedy: "each line is a label, once, and its code points in decimal digits".to_owned(),
            });
        };
        mapping.push((label, character.to_string()));
    }
    Ok(mapping)
}

/// The set with the characters of `mapping` for classes, or those of the class file.
fn named(
    mut set: Dataset,
    mapping: &[(u32, String)],
    path: &Path,
    options: &LoadOptions<'_>,
) -> Result<Dataset, DatasetError> {
    let classes = match options.class_list()? {
        Some(classes) => classes,
        None => ClassList::named(mapping.iter().map(|(_, character)| character.clone()), path)?,
    };
    for (record, sample) in set.samples.iter_mut().enumerate() {
        let Some(label) = &mut sample.label else { continue };
        let character = mapping.iter().find(|(known, _)| known == label).map(|(_, character)| character);
        let character = character.ok_or_else(|| DatasetError::Record {
            path: path.to_owned(),
            place: format!("label {label} of record {record}"),
            problem: "the mapping has no such label".to_owned(),
            remedy: "take the mapping that came with the images".to_owned(),
        })?;
        let unknown = || DatasetError::UnknownClass { path: path.to_owned(), label: character.clone() };
        *label = classes.index_of(character).ok_or_else(unknown)?;
    }
    set.classes = classes;
    Ok(set)
}

/// The picture mirrored at its falling diagonal: rows become columns.
fn transposed(glyph: &Glyph) -> Glyph {
    let (width, height) = (usize::from(glyph.width), usize::from(glyph.height));
    let pixels = (0..width).flat_map(|row| (0..height).map(move |column| glyph.pixels[column * width + row])).collect();
    Glyph { width: glyph.height, height: glyph.width, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An upright L, 3 wide and 4 high.
    const L: [[u8; 3]; 4] = [[9, 0, 0], [9, 0, 0], [9, 0, 0], [9, 9, 8]];

    /// Two Ls as EMNIST stores them, column by column, with labels.
    fn write(dir: &Path, labels: [u8; 2]) -> PathBuf {
        let images = dir.join("emnist-tiny-test-images-idx3-ubyte");
        let stored: Vec<u8> = (0..3).flat_map(|column| L.map(|row| row[column])).collect();
        // Rows and columns of the header are those of what is stored: 3 and 4.
        let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4];
        fs::write(&images, [&header[..], &stored, &stored].concat()).unwrap();
        let header = [0, 0, 8, 1, 0, 0, 0, 2];
        fs::write(dir.join("emnist-tiny-test-labels-idx1-ubyte"), [&header[..], &labels].concat()).unwrap();
        images
    }

    #[test]
    fn images_come_out_upright() {
        let dir = tempfile::tempdir().unwrap();
        let images = write(dir.path(), [0, 1]);
        let upright = Glyph { width: 3, height: 4, pixels: L.concat() };
        let set = load(&images, None, &LoadOptions::default()).unwrap();
        assert!(set.samples.iter().all(|sample| sample.glyph == upright));
        assert_eq!(set.classes, ClassList::numbered(2));
        // As plain IDX they lie on their side.
        let plain = idx::load(&images, None, &LoadOptions::default()).unwrap();
        assert_eq!((plain.samples[0].glyph.width, plain.samples[0].glyph.height), (4, 3));
    }

    #[test]
    fn a_mapping_names_the_classes() {
        let dir = tempfile::tempdir().unwrap();
        let images = write(dir.path(), [2, 1]);
        let mapping = dir.path().join("emnist-tiny-mapping.txt");
        // As that of the letters: labels from 1, upper and lower case of one class.
        fs::write(&mapping, "1 65 97\n2 66 98\n3 67 99\n").unwrap();
        assert_eq!(files(&images, None).last(), Some(&mapping));
        let set = load(&images, None, &LoadOptions::default()).unwrap();
        assert_eq!(
            (set.classes.labels(), set.classes.is_named()),
            (&["A".to_owned(), "B".into(), "C".into()][..], true)
        );
        assert_eq!([set.samples[0].label, set.samples[1].label], [Some(1), Some(0)]);

        let classes = dir.path().join("classes.tsv");
        fs::write(&classes, "0\t42\tB\tx\n1\t41\tA\tx\n").unwrap();
        let options = LoadOptions { classes: Some(classes.clone()), ..LoadOptions::default() };
        let set = load(&images, None, &options).unwrap();
        assert_eq!([set.samples[0].label, set.samples[1].label], [Some(0), Some(1)]);
        fs::write(&classes, "0\t42\tB\tx\n").unwrap();
        assert!(matches!(load(&images, None, &options), Err(DatasetError::UnknownClass { label, .. }) if label == "A"));
    }

    #[test]
    fn a_broken_mapping_names_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let images = write(dir.path(), [0, 1]);
        let mapping = dir.path().join("emnist-tiny-mapping.txt");
        for (text, place) in [
            ("0 48\nx 49", "line 2"),
            ("0", "line 1"),
            ("0 48\n0 49", "line 2"),
            ("0 55296", "line 1"),
            ("0 48\n", "label 1 of record 1"),
        ] {
            fs::write(&mapping, text).unwrap();
            let message = load(&images, None, &LoadOptions::default()).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{}: {place}: ", mapping.display())), "{message}");
        }
    }
}
