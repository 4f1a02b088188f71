//! A folder of PNG and JPEG files, one sub-folder per class.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ClassList, Dataset, DatasetError, LoadOptions, Sample, load_glyph};

const IMAGE_EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Loads `DIR/<class>/*.{png,jpg,jpeg}`, folders and files in order of their names.
///
/// A class folder is named by its label (`学`), or by the label's code point where a file system or
/// an archive does not take such names (`U+5B66`, `u5b66`). Without a class file the classes are the
/// folders in sorted order. Names that start with a dot and files of other kinds are passed over.
///
/// A folder that holds images but no sub-folder is a set without labels.
pub(super) fn load(dir: &Path, options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    let folders = entries(dir)?.into_iter().filter(|path| path.is_dir()).collect::<Vec<_>>();
    let (classes, files) = if folders.is_empty() {
        if options.labels_required {
            return Err(DatasetError::NoLabels {
                path: dir.to_owned(),
                remedy: "sort the images into one sub-folder per class",
            });
        }
        let images = images_in(dir)?.into_iter().map(|path| (path, None)).collect();
        (options.class_list()?.unwrap_or_else(|| ClassList::numbered(0)), images)
    } else {
        labelled_images(dir, &folders, options)?
    };
    if files.is_empty() {
        return Err(DatasetError::NoSamples {
            path: dir.to_owned(),
            remedy: "put images into it, one sub-folder per class",
        });
    }
    let total = files.len();
    let mut samples = Vec::with_capacity(total);
    for (path, label) in files {
        match load_glyph(&path) {
            Ok(glyph) => samples.push(Sample { glyph, strokes: None, label, source: 0 }),
            Err(fault) => options.tolerate(fault)?,
        }
        options.report(samples.len(), total);
    }
    let source = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned();
    Ok(Dataset { samples, classes, sources: vec![source], missing: Vec::new() })
}

/// The image files of a folder, in the order of [`load`].
pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let folders = entries(dir)?.into_iter().filter(|path| path.is_dir()).collect::<Vec<_>>();
    if folders.is_empty() {
        return images_in(dir);
    }
    let images = folders.iter().map(|folder| images_in(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(images.concat())
}

/// Image files with their labels.
type LabelledImages = Vec<(PathBuf, Option<u32>)>;

fn labelled_images(
    dir: &Path,
    folders: &[PathBuf],
    options: &LoadOptions<'_>,
) -> Result<(ClassList, LabelledImages), DatasetError> {
    let labels = folders.iter().map(|folder| class_label(folder));
    // Also checks that no two folders mean the same class.
    let by_folder = ClassList::named(labels, dir)?;
    let classes = options.class_list()?.unwrap_or_else(|| by_folder.clone());
    let mut files = Vec::new();
    for (folder, label) in folders.iter().zip(by_folder.labels()) {
        let index = classes
            .index_of(label)
            .ok_or_else(|| DatasetError::UnknownClass { path: folder.clone(), label: label.clone() })?;
        let images = images_in(folder)?;
        if images.is_empty() {
            return Err(DatasetError::EmptyClass { path: folder.clone() });
        }
        files.extend(images.into_iter().map(|path| (path, Some(index))));
    }
    Ok((classes, files))
}

/// The label a class folder's name stands for: `U+5B66` and `u5b66` (4 to 6 hex digits) the
/// character of that code point, any other name itself.
fn class_label(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
    let code_point = name
        .strip_prefix(['U', 'u'])
        .map(|rest| rest.strip_prefix('+').unwrap_or(rest))
        .filter(|digits| (4..=6).contains(&digits.len()))
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .and_then(char::from_u32);
    code_point.map_or_else(|| name.to_string(), String::from)
}

fn images_in(dir: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut files = entries(dir)?;
    files.retain(|path| has_extension(path, &IMAGE_EXTENSIONS) && path.is_file());
    Ok(files)
}

/// Whether the file's name ends in one of `extensions`, in either case.
pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().unwrap_or_default();
    extensions.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// What a folder holds, sorted by name, without hidden entries.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut paths = fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(DatasetError::io(dir, "list"))?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    paths.sort();
    Ok(paths)
}

/// Appends every file below `dir` that `is_wanted`, folder by folder in the order of [`entries`].
pub(super) fn search(
    dir: &Path,
    is_wanted: &impl Fn(&Path) -> bool,
    found: &mut Vec<PathBuf>,
) -> Result<(), DatasetError> {
    for path in entries(dir)? {
        // A linked folder is passed over: it might lead back here.
        if path.is_dir() && !path.is_symlink() {
            search(&path, is_wanted, found)?;
        } else if is_wanted(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// The `paths` without those that lead to a file which an earlier one led to.
pub(super) fn distinct(paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, DatasetError> {
    let mut seen = BTreeSet::new();
    let mut distinct = Vec::new();
    for path in paths {
        if seen.insert(fs::canonicalize(&path).map_err(DatasetError::io(&path, "read"))?) {
            distinct.push(path);
        }
    }
    Ok(distinct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Glyph, write_png};

    /// Writes `names` as 4x4 images whose first ink pixel tells them apart.
    fn images(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, ink) in names.iter().zip(100..) {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut glyph = Glyph { width: 4, height: 4, pixels: vec![0; 16] };
            glyph.pixels[5] = ink;
            write_png(&path, &glyph).unwrap();
        }
        dir
    }

    fn labels_and_ink(set: &Dataset) -> Vec<(Option<u32>, u8)> {
        set.samples.iter().map(|sample| (sample.label, sample.glyph.pixels[5])).collect()
    }

    #[test]
    fn folders_are_classes_in_sorted_order() {
        let dir = images(&["b/2.png", "b/1.png", "a/1.PNG", "U+5B66/1.png", ".hidden/1.png"]);
        fs::write(dir.path().join("b/notes.txt"), "not an image").unwrap();
        let set = load(dir.path(), &LoadOptions::default()).unwrap();
        assert_eq!(set.classes.labels(), ["学", "a", "b"]);
        assert_eq!(labels_and_ink(&set), [(Some(0), 103), (Some(1), 102), (Some(2), 101), (Some(2), 100)]);
    }

    #[test]
    fn a_class_file_orders_the_classes_and_must_know_each_folder() {
        let dir = images(&["い/1.png", "あ/1.png"]);
        let classes = dir.path().join("classes.tsv");
        fs::write(&classes, "0\t3042\tあ\tx\n1\t3046\tう\tx\n2\t3044\tい\tx\n").unwrap();
        let options = LoadOptions { classes: Some(classes.clone()), ..LoadOptions::default() };
        let set = load(dir.path(), &options).unwrap();
        assert_eq!(labels_and_ink(&set), [(Some(0), 101), (Some(2), 100)]);

        fs::write(&classes, "0\t3042\tあ\tx\n").unwrap();
        let error = load(dir.path(), &options).unwrap_err();
        assert!(matches!(error, DatasetError::UnknownClass { label, .. } if label == "い"));
    }

    #[test]
    fn code_points_name_characters() {
        for (name, label) in [("u5b66", "学"), ("U+20BB7", "𠮷"), ("u7", "u7"), ("uvwxy", "uvwxy"), ("uD800", "uD800")]
        {
            assert_eq!(class_label(Path::new(name)), label);
        }
        let dir = images(&["u5b66/1.png", "学/1.png"]);
        let error = load(dir.path(), &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, DatasetError::DuplicateClass { label, .. } if label == "学"));
    }

    #[test]
    fn an_empty_class_folder_is_named() {
        let dir = images(&["a/1.png"]);
        fs::create_dir(dir.path().join("b")).unwrap();
        let error = load(dir.path(), &LoadOptions::default()).unwrap_err();
        assert!(matches!(&error, DatasetError::EmptyClass { path } if path.ends_with("b")), "{error}");
    }

    #[test]
    fn an_unreadable_image_is_named() {
        let dir = images(&["a/1.png"]);
        fs::write(dir.path().join("a/2.jpg"), "not a JPEG").unwrap();
        let error = load(dir.path(), &LoadOptions::default()).unwrap_err();
        assert!(matches!(&error, DatasetError::Image { path, .. } if path.ends_with("a/2.jpg")), "{error}");
    }

    #[test]
    fn loose_images_are_a_set_without_labels() {
        let dir = images(&["2.png", "1.png"]);
        let set = load(dir.path(), &LoadOptions::default()).unwrap();
        assert_eq!(labels_and_ink(&set), [(None, 101), (None, 100)]);
        let options = LoadOptions { labels_required: true, ..LoadOptions::default() };
        assert!(matches!(load(dir.path(), &options), Err(DatasetError::NoLabels { .. })));
    }

    #[test]
    fn an_empty_or_absent_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let empty = load(dir.path(), &LoadOptions::default());
        assert!(matches!(empty, Err(DatasetError::NoSamples { .. })));
        let absent = load(&dir.path().join("absent"), &LoadOptions::default());
        assert!(matches!(absent, Err(DatasetError::Io { action: "list", .. })));
    }
}
