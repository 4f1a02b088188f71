//! `fude data preview`: the sheet it draws, and what it says of faults.

use std::fs;
use std::path::PathBuf;

use fude_trainer::dataset::load_glyph;

use crate::fude::fude;

const STROKES: &str = r#"{"ch":"一","s":[[100,500,400,500,700,500,1000,500]]}
{"ch":"十","s":[[100,500,400,500,700,500,1000,500],[550,100,550,400,550,700,550,1000]]}
{"ch":"二","s":[[200,300,400,300,600,300,800,300],[100,800,400,800,700,800,1000,800]]}
"#;

/// A folder with strokes and settings in it.
fn folder() -> (tempfile::TempDir, impl Fn(&str) -> String) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().to_owned();
    fs::write(path.join("strokes"), STROKES).unwrap();
    fs::write(path.join("real"), STROKES.lines().take(2).collect::<Vec<_>>().join("\n")).unwrap();
    fs::write(path.join("wrong.toml"), "noise = 1.0\n[handwriting]\nslants = 1.0\n").unwrap();
    fs::write(path.join("off.toml"), OFF).unwrap();
    (dir, move |name: &str| path.join(name).display().to_string())
}

/// Nothing but specks.
const OFF: &str = "rotation = 0
shear = 0
scale = 0
aspect = 0
shift = 0
elastic = 0
thinning = 0
thickening = 0
blur = 0
fading = 0
gamma = 0
noise = 0
[handwriting]
slant = 0
rise = 0
aspect = 0
size = 0
pen_width = 0
pressure = 0
shift = 0
rotation = 0
length = 0
curvature = 0
shortening = 0
joining = 0
";

#[test]
fn a_sheet_shows_classes_in_rows() {
    let (_dir, path) = folder();
    let (strokes, real) = (format!("strokes:{}", path("strokes")), format!("strokes:{}", path("real")));
    let arguments = ["data", "preview", &strokes, "--real", &real, "--writers", "3", "--json"];
    let preview = |more: &[&str]| fude(arguments.iter().chain(more));
    let document = preview(&["--out", &path("a.png")]).document();
    assert_eq!(document["classes"], serde_json::json!(["一", "十"]));
    let counts = ["as_read", "simulated", "real"].map(|key| document[key].as_u64());
    assert_eq!(counts, [Some(1), Some(3), Some(1)]);

    preview(&["--out", &path("same.png")]).document();
    preview(&["--out", &path("other.png"), "--seed", "2"]).document();
    preview(&["--out", &path("off.png"), "--settings", &path("off.toml")]).document();
    let [sheet, same, other, off] = ["a.png", "same.png", "other.png", "off.png"].map(|name| {
        let glyph = load_glyph(path(name).as_ref()).unwrap();
        // 14 rows for the headings, then 64 + 2 a row.
        let row = |row: usize| glyph.pixels[usize::from(glyph.width) * (14 + 66 * row)..].to_vec();
        (row(0), usize::from(glyph.width))
    });
    assert_eq!(sheet, same);
    assert_ne!(sheet, other);
    // With every effect off each column shows what was read.
    let (pixels, width) = off;
    let cell = |left: usize| -> Vec<u8> {
        pixels.chunks_exact(width).take(64).flat_map(|line| line[left..left + 64].to_vec()).collect()
    };
    assert!(cell(2).iter().any(|&pixel| pixel > 200));
    for left in [80, 80 + 66, 80 + 2 * 66, 80 + 2 * 66 + 78] {
        assert_eq!(cell(left), cell(2), "{left}");
    }
}

#[test]
fn faults_are_named() {
    let (_dir, path) = folder();
    let strokes = format!("strokes:{}", path("strokes"));
    let out = path("sheet.png");
    let preview = |arguments: &[&str]| fude(["data", "preview", &strokes, "--out", &out].iter().chain(arguments));
    let settings = preview(&["--settings", &path("wrong.toml")]);
    settings.assert_fails_naming(&["wrong.toml:3:", "unknown field `slants`"]);
    fs::write(path("kana"), STROKES.replace('一', "あ").replace('十', "い").replace('二', "う")).unwrap();
    let nothing = preview(&["--real", &format!("strokes:{}", path("kana"))]);
    nothing.assert_fails_naming(&["no class in common", "--classes"]);
    assert_eq!(preview(&["--rows", "0"]).code, Some(2));
    assert!(!PathBuf::from(out).exists());
}
