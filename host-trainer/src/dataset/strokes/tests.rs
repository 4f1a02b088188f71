use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use rand::RngExt;
use rawzip::CompressionMethod;

use super::*;
use crate::dataset::{DataSpec, rng_for};

/// 一, 二 and 十 in every format; the shapes are the same but for rounding.
const JSONL: &str = r#"{"u":"4e00","ch":"一","s":[[100,500,400,500,700,500,1000,500]],"tree":{}}
{"ch":"二","s":[[200,300,400,300,600,300,800,300],[100,800,400,800,700,800,1000,800]]}
{"u":"5341","ch":"十","s":[[100,500,400,500,700,500,1000,500],[550,100,550,400,550,700,550,1000]]}
"#;
const TSV: &str = "#source\tcodepoint\tchar\twidth\theight\tnstrokes\tstrokes
japanese-anna-train-s1\t4E00\t一\t1000\t1000\t1\t10,50;100,50
japanese-anna-eval-s2\t4E8C\t二\t1000\t1000\t2\t20,30;80,30 10,80;100,80
berta\t5341\t十\t1000\t1000\t2\t10,50;100,50 55,10;55,100
";
const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- a licence -->
<kanjivg xmlns:kvg='http://kanjivg.tagaini.net'>
<kanji id="kvg:kanji_04e00">
<g id="kvg:04e00" kvg:element="一">
	<path id="kvg:04e00-s1" kvg:type="㇐" d="M10,50c30,0,60,0,90,0"/>
</g>
</kanji>
<kanji id="kvg:kanji_04e8c">
<g id="kvg:04e8c" kvg:element="二"><g kvg:position="top"><path d="M20,30h60"/></g><path d="M 10 80 L 100 80"/></g>
</kanji>
<kanji id="kvg:kanji_05341">
<g id="kvg:05341" kvg:element="十"><path d="M10,50H100"/><path d="M55,10c0,30,0,60,0,90"/></g>
</kanji>
</kanjivg>
"#;

/// An SVG file as KanjiVG has them: the prefix `kvg` is declared in the document type alone.
fn svg(id: &str, path: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.0//EN" "http://www.w3.org/TR/2001/REC-SVG-20010904/DTD/svg10.dtd" [
<!ATTLIST g
xmlns:kvg CDATA #FIXED "http://kanjivg.tagaini.net"
kvg:element CDATA #IMPLIED >
]>
<svg xmlns="http://www.w3.org/2000/svg" width="109" height="109" viewBox="0 0 109 109">
<g id="kvg:StrokePaths_{id}" style="fill:none">
<g id="kvg:{id}" kvg:element="一">
	{path}
</g>
</g>
<g id="kvg:StrokeNumbers_{id}"><text transform="matrix(1 0 0 1 4.25 54.13)">1</text></g>
</svg>
"#
    )
}

fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, text) in files {
        let file = archive.new_file(name).compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = file.start().unwrap();
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        writer.write_all(text.as_bytes()).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Loads one file whose name says nothing.
fn load_bytes(bytes: &[u8], options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    fs::write(&path, bytes).unwrap();
    DataSpec::Strokes(vec![path]).load(options)
}

fn load_text(text: &str) -> Result<Dataset, DatasetError> {
    load_bytes(text.as_bytes(), &LoadOptions::default())
}

/// Where a record is broken, and how the message puts it.
fn broken(bytes: &[u8]) -> (String, String) {
    match load_bytes(bytes, &LoadOptions::default()).unwrap_err() {
        DatasetError::StrokesRecord { place, problem, .. } => (place, problem),
        other => panic!("expected a broken record, got {other}"),
    }
}

/// The characters of [`JSONL`] as KanjiVG's zip has them, among other files.
fn archive() -> Vec<u8> {
    zip(&[
        ("kanji/04e00.svg", svg("04e00", r#"<path d="M10,50c30,0,60,0,90,0"/>"#)),
        ("kanji/04e00-Kaisho.svg", svg("04e00-Kaisho", r#"<path d="M10,50c30,0,60,0,90,10"/>"#)),
        ("kanji/04e8c.svg", svg("04e8c", r#"<path d="M20,30h60"/><path d="M10,80H100"/>"#)),
        ("kanji/05341.svg", svg("05341", r#"<path d="M10,50H100"/><path d="M55,10v90"/>"#)),
        ("README.md", "not a character".to_owned()),
    ])
}

#[test]
fn every_format_gives_the_same_characters() {
    let archive = archive();
    let expected = load_text(JSONL).unwrap();
    assert_eq!(expected.classes.labels(), ["一", "二", "十"]);
    assert_eq!(expected.sources, ["kanjivg"]);
    for bytes in [TSV.as_bytes(), XML.as_bytes(), &archive, &gzipped(JSONL.as_bytes()), &gzipped(XML.as_bytes())] {
        let set = load_bytes(bytes, &LoadOptions::default()).unwrap();
        assert_eq!(set.classes, expected.classes);
        assert_eq!(set.samples.len(), 3);
        for (sample, expected) in set.samples.iter().zip(&expected.samples) {
            assert_eq!(sample.label, expected.label);
            let pixels = sample.glyph.pixels.iter().zip(&expected.glyph.pixels);
            let furthest = pixels.map(|(a, b)| a.abs_diff(*b)).max();
            assert!(furthest < Some(4), "{furthest:?}");
        }
    }
}

#[test]
fn sessions_of_one_writer_are_one_source() {
    let set = load_text(TSV).unwrap();
    assert_eq!(set.sources, ["japanese-anna", "berta"]);
    assert_eq!(set.samples.iter().map(|sample| sample.source).collect::<Vec<_>>(), [0, 0, 1]);
    let named = JSONL.replacen("{", r#"{"source":"clara","#, 1);
    assert_eq!(load_text(&named).unwrap().sources, ["clara", "kanjivg"]);
}

#[test]
fn characters_and_class_files_choose() {
    let asked = |characters: &str| LoadOptions { characters: Some(characters.chars().collect()), ..Default::default() };
    let set = load_bytes(JSONL.as_bytes(), &asked("十三一")).unwrap();
    assert_eq!(set.classes.labels(), ["十", "三", "一"]);
    assert_eq!(set.samples.iter().map(|sample| sample.label).collect::<Vec<_>>(), [Some(2), Some(0)]);
    assert_eq!(set.missing, [("data".to_owned(), '三')]);
    let none = load_bytes(JSONL.as_bytes(), &asked("三"));
    assert!(matches!(none, Err(DatasetError::NoSamples { .. })));

    let dir = tempfile::tempdir().unwrap();
    let classes = dir.path().join("classes.tsv");
    fs::write(&classes, "0\t4E09\t三\tx\n1\t4E00\t一\tx\n").unwrap();
    let with_file = LoadOptions { classes: Some(classes), ..Default::default() };
    let set = load_bytes(JSONL.as_bytes(), &with_file).unwrap();
    assert_eq!(set.samples.iter().map(|sample| sample.label).collect::<Vec<_>>(), [Some(1)]);
    assert!(set.missing.is_empty());
    let beyond = load_bytes(JSONL.as_bytes(), &LoadOptions { characters: Some(vec!['十']), ..with_file });
    assert!(matches!(beyond, Err(DatasetError::UnknownClass { label, .. }) if label == "十"));
}

#[test]
fn a_broken_record_is_named_with_its_place() {
    let with = |line: &str| broken(format!("{}\n{line}\n", JSONL.trim_end()).as_bytes());
    assert_eq!(with(r#"{"ch":"一","s":[[1,2,3,4]]}"#).0, "4");
    assert!(with(r#"{"ch":"一","s":[[1,2,3,4]]}"#).1.contains("stroke 1 has 4 numbers"));
    assert!(with(r#"{"ch":"一二","s":[]}"#).1.contains("not one character"));
    assert!(with(r#"{"ch":"一","u":"4e8c","s":[]}"#).1.contains("code point \"4e8c\""));
    assert!(with(r#"{"ch":"一","s":[]}"#).1.contains("without strokes"));
    assert!(with(r#"{"ch":"一"}"#).1.contains("missing field `s`"));

    let with = |line: &str| broken(format!("{TSV}{line}\n").as_bytes());
    assert_eq!(with("a\t4E00\t一\t9\t9\t1").0, "5");
    assert!(with("a\t4E00\t一\t9\t9\t1").1.contains("6 fields"));
    assert!(with("a\t4E00\t一\t9\t9\t2\t1,1;2,2").1.contains("1 strokes, but"));
    assert!(with("a\t4E00\t一\t9\t9\t1\t1,1;2").1.contains("\"2\" is not a point"));
    assert!(with("a\t4E00\t一\t9\t9\t1\t1,1;inf,2").1.contains("\"inf,2\""));
    assert!(with("a\t4E01\t一\t9\t9\t1\t1,1").1.contains("4E01"));

    let (place, problem) = broken(XML.replace("H100", "Hx").as_bytes());
    assert!(place == "13" && problem.starts_with("d: "), "{place} {problem}");
    assert_eq!(broken(XML.replace("M10,50H100", "M10,50H1e999").as_bytes()).0, "12");
    assert_eq!(broken(XML.replace("kanji_05341", "kanji_ten").as_bytes()).0, "12");
    assert_eq!(broken(XML.replace(" d=\"M20,30h60\"", "").as_bytes()).1, "a path without d");
    assert_eq!(broken(XML.replace("</kanjivg>", "</kanjivh>").as_bytes()).0, "15");

    let archive = zip(&[("kanji/04e00.svg", svg("04e00", r#"<path d="M"/>"#))]);
    assert_eq!(broken(&archive).0, "kanji/04e00.svg:10");
    assert_eq!(broken(&archive[..archive.len() / 2]).0, "archive");
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b"and so on"[..], b"", &[0xFF; 100], b"a,b,c\n1,2,3\n"] {
        let error = load_bytes(bytes, &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, DatasetError::StrokesFormat { .. }), "{error}");
        assert!(error.to_string().contains("KanjiVG"));
    }
    for empty in [&b"<kanjivg/>"[..], &zip(&[("a.txt", String::new())])] {
        let error = load_bytes(empty, &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, DatasetError::NoSamples { .. }), "{error}");
    }
}

#[test]
fn an_archive_that_unpacks_to_too_much_is_refused() {
    let error = load_bytes(&gzipped(&vec![b' '; MAX_BYTES as usize + 1]), &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, DatasetError::StrokesMemory { .. }), "{error}");
}

#[test]
fn strokes_are_centred_and_their_points_close() {
    let strokes = Strokes::from_lines(&[vec![[10.0, 50.0], [110.0, 50.0]], vec![], vec![[60.0, 30.0]]]).unwrap();
    let [long, dot] = strokes.lines() else { panic!("an empty line is no stroke") };
    assert_eq!((long[0].x, long[0].y), (-8192, 1638));
    assert_eq!((long[32].x, long[32].y, long.len()), (8192, 1638, 33));
    assert_eq!((dot[0].x, dot[0].y, dot.len()), (0, -1638, 1));
    // A single place, numbers at the ends of their range, and what is no place at all.
    let only = Strokes::from_lines(&[vec![[7.0, 7.0]]]).unwrap();
    assert_eq!((only.lines()[0][0].x, only.lines()[0][0].y), (0, 0));
    let wide = Strokes::from_lines(&[vec![[f64::MAX, 0.0], [f64::MIN, 0.0]]]).unwrap();
    assert_eq!(wide.lines()[0][0].x, 8192);
    assert_eq!(Strokes::from_lines(&[vec![[f64::NAN, 0.0]]]), None);
    assert_eq!(Strokes::from_lines(&[vec![]]), None);
}

/// Whatever a file holds, it is read or refused.
#[test]
fn damaged_files_never_panic() {
    for (format, bytes) in [JSONL.as_bytes().to_vec(), TSV.into(), XML.into(), archive()].into_iter().enumerate() {
        let (mut read, mut refused) = (0, 0);
        for round in 0..2000 {
            let mut rng = rng_for(1, format as u64, round);
            let mut damaged = bytes.clone();
            for _ in 0..rng.random_range(1..=4) {
                let at = rng.random_range(0..damaged.len());
                match rng.random_range(0..3) {
                    0 => damaged[at] = rng.random(),
                    1 => damaged[at] ^= 1 << rng.random_range(0..8),
                    _ => drop(damaged.remove(at)),
                }
            }
            match parse(&damaged, Path::new("damaged")) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(read > 0 && refused > 500, "format {format}: {read} read, {refused} refused");
    }
}
