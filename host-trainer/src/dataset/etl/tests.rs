use std::cell::{Cell, RefCell};

use super::records::Record;
use std::collections::BTreeSet;

use super::*;

/// A record as the database lays it out, written by offsets of its own: `ink(x, y)` is a grey of 0 to 15, or a bit.
fn record(kind: Kind, sheet: u16, code: u16, ink: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    let (length, image, width, height, bits) = match kind {
        Kind::Etl8G => (8199, 60, 128, 127, 4),
        Kind::Etl9G => (8199, 64, 128, 127, 4),
        Kind::Etl8B => (512, 8, 64, 63, 1),
        Kind::Etl9B => (576, 8, 64, 63, 1),
    };
    // Bytes that mean nothing are not zero, so that reading them by mistake shows.
    let mut bytes = vec![0xA5; length];
    bytes[0..2].copy_from_slice(&sheet.to_be_bytes());
    bytes[2..4].copy_from_slice(&code.to_be_bytes());
    if bits == 4 {
        bytes[4..12].copy_from_slice(b"AI.MEDER");
        bytes[12..16].copy_from_slice(&(70_000 + u32::from(sheet)).to_be_bytes());
    } else {
        bytes[4..8].copy_from_slice(b"AI.M");
    }
    bytes[image..image + width * height * bits / 8].fill(0);
    for (place, (x, y)) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).enumerate() {
        let bit = place * bits;
        bytes[image + bit / 8] |= ink(x, y) << (8 - bits - bit % 8);
    }
    bytes
}

/// A record whose picture tells its sheet and code.
fn plain(kind: Kind, sheet: u16, code: u16) -> Vec<u8> {
    record(kind, sheet, code, |x, y| u8::from((x + y * 64 + usize::from(sheet) * 3 + usize::from(code)) % 7 == 0))
}

/// A file of records, after a dummy where the kind has one.
fn file(dir: &Path, name: &str, records: &[Vec<u8>]) -> PathBuf {
    let path = dir.join(name);
    let kind = Kind::of_file_name(&path).unwrap();
    let mut bytes = Vec::new();
    if kind.dummy_records() == 1 {
        bytes.extend(vec![0x5A; kind.record_bytes()]);
    }
    bytes.extend(records.concat());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn load_all(paths: &[PathBuf]) -> Dataset {
    load(paths, &LoadOptions::default()).unwrap()
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Etl8G, "ETL8G_01"), (Kind::Etl8B, "ETL8B2C1"), (Kind::Etl9G, "ETL9G_50"), (Kind::Etl9B, "ETL9B_5")];

#[test]
fn a_record_is_read_at_its_offsets() {
    for (kind, name) in KINDS {
        let (width, height) = kind.size();
        let is_grey = width == 128;
        let ink = |x: usize, y: usize| ((x * 5 + y * 3) % if is_grey { 16 } else { 2 }) as u8;
        let bytes = record(kind, 0x0102, 0x3021, ink);
        assert_eq!(bytes.len(), kind.record_bytes());
        let pixels = (0..usize::from(height)).flat_map(|y| (0..usize::from(width)).map(move |x| (x, y)));
        let pixels = pixels.map(|(x, y)| ink(x, y) * if is_grey { 17 } else { 255 }).collect();
        let expected = Record {
            sheet: 258,
            code: 0x3021,
            reading: if is_grey { "AI.MEDER" } else { "AI.M" }.to_owned(),
            serial: is_grey.then_some(70_258),
            glyph: Glyph { width, height, pixels },
        };
        let record = kind.decode(&bytes);
        assert!(record == expected, "{name}");
        assert_eq!((record.character(), Kind::of_file_name(name.as_ref())), (Some('亜'), Some(kind)));
    }
}

#[test]
fn names_tell_kinds() {
    for name in ["ETL9INFO", "ETL9G.zip", "ETL1C_01", "ETL9G_01.txt", "readme", "ETL8", "亜亜亜"] {
        assert_eq!(Kind::of_file_name(name.as_ref()), None, "{name}");
    }
    assert_eq!(Kind::of_file_name("a/etl8b2c3".as_ref()), Some(Kind::Etl8B));
}

#[test]
fn a_folder_of_both_corpora_merges_by_character_and_sheet() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "ETL9G/ETL9G_01", &[plain(Kind::Etl9G, 1, 0x3021), plain(Kind::Etl9G, 2, 0x2422)]);
    file(dir.path(), "ETL8B/ETL8B2C1", &[plain(Kind::Etl8B, 1, 0x2422)]);
    file(dir.path(), "ETL9B/ETL9B_1", &[plain(Kind::Etl9B, 1, 0x306C)]);
    file(dir.path(), "ETL8G/ETL8G_33", &[plain(Kind::Etl8G, 1, 0x3021)]);
    fs::write(dir.path().join("ETL9G/ETL9INFO"), "not data").unwrap();
    let progress = Cell::new((0, 0));
    let tick = |done, total| progress.set((done, total));
    let options = LoadOptions { progress: Some(&tick), labels_required: true, ..LoadOptions::default() };
    let set = load(&[dir.path().to_owned()], &options).unwrap();

    assert_eq!(progress.get(), (5, 5));
    assert_eq!(set.classes.labels(), ["あ", "一", "亜"]);
    let samples = set.samples.iter().map(|sample| {
        let label = sample.label.map(|label| set.classes.labels()[label as usize].as_str());
        (label.unwrap(), set.sources[sample.source as usize].as_str(), sample.glyph.height)
    });
    // By name of the file. Sheet 1 of ETL9B is sheet 1 of ETL9G.
    let expected = [
        ("あ", "ETL8 sheet 1", 63),
        ("亜", "ETL8 sheet 1", 64),
        ("一", "ETL9 sheet 1", 63),
        ("亜", "ETL9 sheet 1", 64),
        ("あ", "ETL9 sheet 2", 64),
    ];
    assert_eq!(samples.collect::<Vec<_>>(), expected);
    assert_eq!(set.sources.len(), 3);
}

#[test]
fn grey_images_are_halved() {
    let dir = tempfile::tempdir().unwrap();
    // One block of four greys, one pixel in the odd last row.
    let ink = |x, y| match (x, y) {
        (0, 0) => 15,
        (1, 0) => 3,
        (0, 1) => 2,
        (127, 126) => 10,
        _ => 0,
    };
    let path = file(dir.path(), "ETL9G_01", &[record(Kind::Etl9G, 1, 0x3021, ink)]);
    let glyph = &load_all(&[path]).samples[0].glyph;
    assert_eq!((glyph.width, glyph.height, glyph.pixels.len()), (64, 64, 4096));
    assert_eq!((glyph.pixels[0], glyph.pixels[4095]), (85, 85));
    assert_eq!(glyph.pixels.iter().filter(|&&pixel| pixel > 0).count(), 2);
}

/// The same records, cut into files of any length and named in any order, are the same data set.
#[test]
fn chunks_and_order_change_nothing() {
    let codes = (0x3021..=0x307E).chain([0x2422, 0x2424, 0x4F53]);
    let records: Vec<Vec<u8>> = codes.zip(0..).map(|(code, i)| plain(Kind::Etl9B, i / 20 + 1, code)).collect();
    let whole = {
        let dir = tempfile::tempdir().unwrap();
        load_all(&[file(dir.path(), "ETL9B_1", &records)])
    };
    assert_eq!((whole.samples.len(), whole.classes.len(), whole.sources.len()), (97, 97, 5));
    for chunk in [1, 13, 40, 96, 97] {
        let dir = tempfile::tempdir().unwrap();
        let write = |(chunk, number): (&[Vec<u8>], usize)| file(dir.path(), &format!("ETL9B_{number:02}"), chunk);
        let mut paths: Vec<PathBuf> = records.chunks(chunk).zip(1..).map(write).collect();
        assert!(load_all(&[dir.path().to_owned()]) == whole, "{chunk} records a file");
        paths.reverse();
        paths.rotate_left(chunk % 3);
        paths.push(paths[0].clone());
        assert!(load_all(&paths) == whole, "{chunk} records a file, in another order");
    }
    // Files that change places carry their samples with them; classes stay.
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "ETL9B_1", &records[40..]);
    file(dir.path(), "ETL9B_2", &records[..40]);
    let swapped = load_all(&[dir.path().to_owned()]);
    assert!(swapped.classes == whole.classes);
    let named = |set: &Dataset| -> BTreeSet<(Option<u32>, String, Vec<u8>)> {
        let sample = |sample: &crate::dataset::Sample| {
            (sample.label, set.sources[sample.source as usize].clone(), sample.glyph.pixels.clone())
        };
        set.samples.iter().map(sample).collect()
    };
    assert!(named(&swapped) == named(&whole));
}

/// A reader that gives a few bytes at a time and counts what was asked of it at most.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
    most: &'a Cell<usize>,
}

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.most.set(self.most.get().max(buffer.len()));
        let (now, later) = self.bytes.split_at(self.step.min(buffer.len()).min(self.bytes.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.bytes = later;
        Ok(now.len())
    }
}

#[test]
fn records_are_read_one_at_a_time_however_the_bytes_come() {
    let kind = Kind::Etl8G;
    let bytes: Vec<u8> = (1..=30).flat_map(|sheet| plain(kind, sheet, 0x3021)).collect();
    for step in [1000, 8198, 8199, 8200, 1 << 20] {
        let most = Cell::new(0);
        let trickle = Trickle { bytes: &bytes, step, most: &most };
        let records = Records::new(trickle, "trickle".as_ref(), kind, 30);
        let sheets: Vec<u16> = records.map(|record| record.unwrap().1.sheet).collect();
        assert!(sheets.into_iter().eq(1..=30));
        assert_eq!(most.get(), 8199, "no read is longer than a record");
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused_before_it_is_read() {
    for (kind, name) in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), name, &[plain(kind, 1, 0x3021), plain(kind, 2, 0x3022)]);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        fs::write(&path, &bytes).unwrap();
        let whole = (1 + kind.dummy_records()) * kind.record_bytes() as u64;
        let message = load(std::slice::from_ref(&path), &LoadOptions::default()).unwrap_err().to_string();
        let left_over = kind.record_bytes() - 5;
        assert!(message.starts_with(&format!("{}: byte {whole}: {left_over} bytes", path.display())), "{message}");
        assert!(message.contains("fetch the file again"), "{message}");
        // Where faults are listed, the whole records are still read.
        let (set, faults) = tolerant(&path);
        assert_eq!((set.samples.len(), faults), (1, vec![message]));
    }
    // The length of another kind.
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "ETL8B2C1", &[plain(Kind::Etl9B, 1, 0x3021)]);
    assert!(matches!(load(&[path], &LoadOptions::default()), Err(DatasetError::Record { .. })));
}

/// Loads, and lists the faults of records.
fn tolerant(path: &Path) -> (Dataset, Vec<String>) {
    let faults = RefCell::new(Vec::new());
    let take = |fault: DatasetError| faults.borrow_mut().push(fault.to_string());
    let options = LoadOptions { bad_record: Some(&take), ..LoadOptions::default() };
    let set = load(&[path.to_owned()], &options).unwrap();
    (set, faults.take())
}

#[test]
fn a_code_outside_the_table_names_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let records = [0x3021, 0x2F21, 0x3022].map(|code| plain(Kind::Etl9B, 1, code));
    let path = file(dir.path(), "ETL9B_1", &records);
    let message = load(std::slice::from_ref(&path), &LoadOptions::default()).unwrap_err().to_string();
    let expected = format!("{}: byte 1152 (record 2): code 0x2f21 (reading \"AI.M\")", path.display());
    assert!(message.starts_with(&expected), "{message}");
    let (set, faults) = tolerant(&path);
    assert_eq!((set.classes.labels(), faults), (&["亜".to_owned(), "唖".into()][..], vec![message]));
}

#[test]
fn a_class_file_decides_the_classes() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "ETL9B_1", &[0x3021, 0x2422].map(|code| plain(Kind::Etl9B, 1, code)));
    let classes = dir.path().join("classes.tsv");
    fs::write(&classes, "0\t4E9C\t亜\tx\n1\t3042\tあ\tx\n2\t3044\tい\tx\n").unwrap();
    let options = LoadOptions { classes: Some(classes.clone()), ..LoadOptions::default() };
    let set = load(std::slice::from_ref(&path), &options).unwrap();
    assert_eq!((set.samples[0].label, set.samples[1].label, set.classes.len()), (Some(0), Some(1), 3));
    fs::write(&classes, "0\t4E9C\t亜\tx\n").unwrap();
    assert!(matches!(load(&[path], &options), Err(DatasetError::UnknownClass { label, .. }) if label == "あ"));
}

#[test]
fn paths_without_data_are_told_the_names() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ETL9INFO"), "text").unwrap();
    let refused = |path: PathBuf| load(&[path], &LoadOptions::default()).unwrap_err().to_string();
    for path in [dir.path().to_owned(), dir.path().join("ETL9INFO")] {
        let message = refused(path.clone());
        assert!(message.starts_with(&path.display().to_string()) && message.contains("ETL9G_01"), "{message}");
    }
    let message = refused(dir.path().join("ETL9G_01"));
    assert!(message.contains("cannot read"), "{message}");
    let empty = dir.path().join("ETL9G_02");
    fs::write(&empty, "").unwrap();
    assert!(refused(empty).contains("no whole number"));
    // Nothing but the dummy.
    let dummy = file(dir.path(), "ETL9B_1", &[]);
    assert!(refused(dummy).contains("no samples"));
}
