use super::*;
use flate2::{Compression, write::GzEncoder};
use std::cell::Cell;
use std::fs;
use std::io::Write;

/// An IDX file's bytes: magic, dimensions, body.
fn idx_bytes(element: u8, dimensions: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder holding `t-images-idx3-ubyte` and, unless empty, `t-labels-idx1-ubyte`.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new(images: &[u8], labels: &[u8]) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(files.path("t-images-idx3-ubyte"), images).unwrap();
        if !labels.is_empty() {
            fs::write(files.path("t-labels-idx1-ubyte"), labels).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self, options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
        load(&self.path("t-images-idx3-ubyte"), None, options)
    }
}

/// Two images of 3 columns by 2 rows.
fn two_images() -> Vec<u8> {
    idx_bytes(0x08, &[2, 2, 3], &[0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 255])
}

#[test]
fn images_and_byte_labels_are_read_in_order() {
    let files = Files::new(&two_images(), &idx_bytes(0x08, &[2], &[3, 1]));
    let reports = Cell::new(0);
    let progress = |done, total| {
        assert_eq!(total, 2);
        reports.set(reports.get() + done);
    };
    let options = LoadOptions { progress: Some(&progress), ..LoadOptions::default() };
    let set = files.load(&options).unwrap();

    assert_eq!(reports.get(), 1 + 2);
    assert_eq!(set.sources, ["t"]);
    assert_eq!(set.classes, ClassList::numbered(4));
    assert_eq!(set.samples.iter().map(|s| s.label).collect::<Vec<_>>(), [Some(3), Some(1)]);
    let expected = Glyph { width: 3, height: 2, pixels: vec![10, 11, 12, 13, 14, 255] };
    assert_eq!(set.samples[1].glyph, expected);
}

#[test]
fn gzipped_images_are_paired_with_short_labels() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("t-images-idx3-ubyte.gz");
    fs::write(&images, gzip(&two_images())).unwrap();
    let labels = gzip(&idx_bytes(0x0B, &[2], &[0x0B, 0xB8, 0, 7]));
    fs::write(dir.path().join("t-labels-idx1-short.gz"), labels).unwrap();
    let set = load(&images, None, &LoadOptions::default()).unwrap();
    assert_eq!(set.samples.iter().map(|s| s.label).collect::<Vec<_>>(), [Some(3000), Some(7)]);
    assert_eq!(set.samples[0].glyph.pixels, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_set_without_labels_loads_unless_they_are_required() {
    let files = Files::new(&two_images(), &[]);
    let set = files.load(&LoadOptions::default()).unwrap();
    assert!(set.classes.is_empty() && set.samples.iter().all(|s| s.label.is_none()));

    let options = LoadOptions { labels_required: true, ..LoadOptions::default() };
    assert!(matches!(files.load(&options), Err(DatasetError::NoLabels { .. })));
}

#[test]
fn dimensions_that_promise_terabytes_are_refused_before_allocating() {
    for dimensions in [[u32::MAX; 3], [u32::MAX, 65535, 65535], [1 << 30, 64, 64]] {
        let files = Files::new(&idx_bytes(0x08, &dimensions, &[0; 100]), &[]);
        let error = files.load(&LoadOptions::default()).unwrap_err();
        let expected: u128 = dimensions.iter().map(|&d| u128::from(d)).product();
        assert!(
            matches!(&error, DatasetError::IdxLength { promised, held, .. }
                if *promised == expected && held == "100"),
            "{error}"
        );
    }
}

#[test]
fn a_small_file_of_very_many_images_is_refused() {
    let count = 40_000_000;
    let file = gzip(&idx_bytes(0x08, &[count, 1, 1], &vec![0; count as usize]));
    assert!(file.len() < 500_000, "{} bytes", file.len());
    let error = Files::new(&file, &[]).load(&LoadOptions::default()).unwrap_err();
    assert!(matches!(error, DatasetError::IdxMemory { count: 40_000_000, width: 1, height: 1, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("t-images-idx3-ubyte: ") && message.contains("4 GiB") && message.contains("split"));
}

#[test]
fn truncated_and_trailing_bytes_are_refused() {
    let whole = two_images();
    let trailing = [&whole[..], &[0]].concat();
    for (bytes, expected) in [(&whole[..whole.len() - 1], "11"), (&trailing, "more"), (&whole[..9], "9")] {
        for bytes in [bytes.to_vec(), gzip(bytes)] {
            let error = Files::new(&bytes, &[]).load(&LoadOptions::default()).unwrap_err();
            assert!(matches!(&error, DatasetError::IdxLength { held, .. } if held == expected), "{error}");
        }
    }
}

#[test]
fn a_cut_gzip_stream_is_a_read_error() {
    let whole = gzip(&two_images());
    let error = Files::new(&whole[..whole.len() - 10], &[]).load(&LoadOptions::default());
    assert!(matches!(error, Err(DatasetError::Io { action: "read", .. })), "{error:?}");
}

#[test]
fn a_file_of_another_type_is_refused() {
    let labels_as_images = idx_bytes(0x08, &[2], &[3, 1]);
    let floats = idx_bytes(0x0D, &[1, 1, 1], &[0; 4]);
    for bytes in [&labels_as_images[..], &floats, b"\x89PNG\r\n", b""] {
        let error = Files::new(bytes, &[]).load(&LoadOptions::default()).unwrap_err();
        assert!(matches!(error, DatasetError::IdxMagic { .. }), "{error}");
    }
}

#[test]
fn empty_sets_and_empty_images_are_refused() {
    let none = Files::new(&idx_bytes(0x08, &[0, 2, 3], &[]), &[]).load(&LoadOptions::default());
    assert!(matches!(none, Err(DatasetError::NoSamples { .. })));
    for dimensions in [[5, 0, 3], [5, 3, 0]] {
        let flat = Files::new(&idx_bytes(0x08, &dimensions, &[]), &[]).load(&LoadOptions::default());
        assert!(matches!(flat, Err(DatasetError::IdxImageSize { .. })));
    }
}

#[test]
fn counts_must_agree() {
    let files = Files::new(&two_images(), &idx_bytes(0x08, &[3], &[0, 0, 0]));
    let error = files.load(&LoadOptions::default()).unwrap_err();
    assert!(matches!(error, DatasetError::CountMismatch { image_count: 2, label_count: 3, .. }), "{error}");
}

#[test]
fn a_label_outside_the_class_list_names_its_record() {
    let files = Files::new(&two_images(), &idx_bytes(0x08, &[2], &[0, 2]));
    let classes = files.path("classes.tsv");
    fs::write(&classes, "0\t3042\tあ\tx\n1\t3044\tい\tx\n").unwrap();
    let options = LoadOptions { classes: Some(classes), ..LoadOptions::default() };
    let error = files.load(&options).unwrap_err();
    assert!(matches!(error, DatasetError::LabelOutOfRange { record: 1, label: 2, class_count: 2, .. }), "{error}");

    let negative = Files::new(&two_images(), &idx_bytes(0x0B, &[2], &[0xFF, 0xFF, 0, 0]));
    let error = negative.load(&LoadOptions::default()).unwrap_err();
    assert!(matches!(error, DatasetError::LabelOutOfRange { record: 0, label: -1, .. }), "{error}");
}
