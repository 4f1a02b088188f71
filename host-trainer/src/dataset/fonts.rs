//! Characters rendered from font files.

use std::fs;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontVec, GlyphId, Outline, OutlineCurve, OutlinedGlyph, Point, PxScaleFactor, Rect};

use super::folder::{distinct, has_extension, search};
use super::{ClassList, Dataset, DatasetError, GRADE1, Glyph, LoadOptions, Sample};

/// Side of a rendered glyph in pixels.
pub const RENDER_SIDE: u16 = 64;
/// Longer side of the box around a rendered character's ink, in pixels; the box stands in the
/// centre of the glyph.
pub const RENDER_BOX: u16 = 54;

const FONT_EXTENSIONS: [&str; 3] = ["ttf", "otf", "ttc"];
/// Points taken on each curve to find the box around it. The box errs by at most 1/32² of the
/// curve's bulge: far below a pixel.
const CURVE_SAMPLES: u8 = 16;

/// Renders each character with each face, face by face, in the order of files and characters.
///
/// Which characters: those of `options.characters`, else the one-character classes of its class
/// file, else [`GRADE1`]. Without a class file the characters are the classes. A character that a
/// face lacks is left out and listed in [`Dataset::missing`]. Of a font collection (`.ttc`) the
/// first face is used.
pub(super) fn load(paths: &[PathBuf], options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    let origin = paths.first().cloned().unwrap_or_default();
    let (classes, characters) = requested(&origin, options)?;
    let files = font_files(paths)?;
    let total = files.len() * characters.len();

    let mut set = Dataset { samples: Vec::new(), classes, sources: Vec::new(), missing: Vec::new() };
    let mut done = 0;
    for (path, source) in files.iter().zip(0..) {
        let data = fs::read(path).map_err(DatasetError::io(path, "read"))?;
        let font = FontVec::try_from_vec_and_index(data, 0).map_err(|_| DatasetError::Font { path: path.clone() })?;
        let face = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for &(character, label) in &characters {
            match render(&font, character) {
                Some(glyph) => set.samples.push(Sample { glyph, strokes: None, label: Some(label), source }),
                None => set.missing.push((face.clone(), character)),
            }
            done += 1;
            options.report(done, total);
        }
        set.sources.push(face);
    }
    if set.samples.is_empty() {
        return Err(DatasetError::NoSamples {
            path: origin,
            remedy: "no font there has any of the characters; name a font of their script",
        });
    }
    Ok(set)
}

/// The class list, and each character to render with its label.
pub(super) fn requested(
    origin: &Path,
    options: &LoadOptions<'_>,
) -> Result<(ClassList, Vec<(char, u32)>), DatasetError> {
    let class_file = options.class_list()?;
    let characters: Vec<char> = match (&options.characters, &class_file) {
        (Some(characters), _) => characters.clone(),
        (None, Some(classes)) => {
            let single = |label: &String| {
                let mut characters = label.chars();
                characters.next().filter(|_| characters.next().is_none())
            };
            classes.labels().iter().filter_map(single).collect()
        }
        (None, None) => GRADE1.chars().collect(),
    };
    let classes = match class_file {
        Some(classes) => classes,
        None => ClassList::named(characters.iter().map(char::to_string), origin)?,
    };
    let labelled = characters.into_iter().map(|character| {
        let label = character.to_string();
        let index = classes.index_of(&label);
        let unknown = || DatasetError::UnknownClass { path: origin.to_owned(), label };
        Ok((character, index.ok_or_else(unknown)?))
    });
    let labelled = labelled.collect::<Result<_, DatasetError>>()?;
    Ok((classes, labelled))
}

/// Every font file that `paths` name or hold, each once: fonts are often linked under a second name.
pub(super) fn font_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            search(path, &|path| has_extension(path, &FONT_EXTENSIONS), &mut found)?;
            if found.len() == before {
                return Err(DatasetError::NoSamples {
                    path: path.clone(),
                    remedy: "no .ttf, .otf or .ttc in it; name the folder the fonts are in",
                });
            }
        } else {
            found.push(path.clone());
        }
    }
    distinct(found)
}

/// One character, or `None` where the face has no shape for it.
fn render(font: &FontVec, character: char) -> Option<Glyph> {
    let id = font.glyph_id(character);
    // Glyph 0 is the box that stands for whatever a face lacks.
    let outline = (id != GlyphId(0)).then(|| font.outline(id)).flatten()?;
    let ink = ink_box(&outline)?;
    let longer = ink.width().max(ink.height());
    if longer.is_nan() || longer <= 0.0 {
        return None;
    }
    let scale = f32::from(RENDER_BOX) / longer;
    // Font units grow upwards, pixels downwards.
    let centre = f32::from(RENDER_SIDE) / 2.0;
    let position =
        Point { x: centre - scale * (ink.min.x + ink.max.x) / 2.0, y: centre + scale * (ink.min.y + ink.max.y) / 2.0 };
    let placed = id.with_scale_and_position(longer, position);
    let factor = PxScaleFactor { horizontal: scale, vertical: scale };
    let outlined = OutlinedGlyph::new(placed, outline, factor);
    let origin = outlined.px_bounds().min;

    let side = usize::from(RENDER_SIDE);
    let mut pixels = vec![0; side * side];
    outlined.draw(|x, y, coverage| {
        // The drawn box is that of the curves' control points, which may lie outside the picture.
        let (x, y) = (origin.x + x as f32, origin.y + y as f32);
        let inside = 0.0..f32::from(RENDER_SIDE);
        if inside.contains(&x) && inside.contains(&y) {
            pixels[y as usize * side + x as usize] = (coverage.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    });
    Some(Glyph { width: RENDER_SIDE, height: RENDER_SIDE, pixels })
}

/// The box around the curves themselves, in font units; the outline's own box is that of the
/// control points, which is larger. `None` for an outline without curves.
fn ink_box(outline: &Outline) -> Option<Rect> {
    let mut points = outline
        .curves
        .iter()
        .flat_map(|curve| (0..=CURVE_SAMPLES).map(|i| point_on(curve, f32::from(i) / f32::from(CURVE_SAMPLES))));
    let first = points.next()?;
    Some(points.fold(Rect { min: first, max: first }, |ink, point| Rect {
        min: Point { x: ink.min.x.min(point.x), y: ink.min.y.min(point.y) },
        max: Point { x: ink.max.x.max(point.x), y: ink.max.y.max(point.y) },
    }))
}

/// The point of a curve at parameter `t` of 0 to 1 (de Casteljau).
fn point_on(curve: &OutlineCurve, t: f32) -> Point {
    let between = |a: Point, b: Point| Point { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t };
    let quad = |a, b, c| between(between(a, b), between(b, c));
    match *curve {
        OutlineCurve::Line(a, b) => between(a, b),
        OutlineCurve::Quad(a, b, c) => quad(a, b, c),
        OutlineCurve::Cubic(a, b, c, d) => between(quad(a, b, c), quad(b, c, d)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian's `fonts-yusei-magic`, which the set-up script installs.
    const YUSEI_MAGIC: &str = "/usr/share/fonts/truetype/yusei-magic/YuseiMagic-Regular.ttf";

    fn yusei_magic() -> PathBuf {
        let path = PathBuf::from(YUSEI_MAGIC);
        assert!(path.is_file(), "{YUSEI_MAGIC} is missing: install fonts-yusei-magic");
        path
    }

    fn options(characters: &str) -> LoadOptions<'static> {
        LoadOptions { characters: Some(characters.chars().collect()), ..LoadOptions::default() }
    }

    /// First and last index of the columns and rows that hold ink.
    fn inked(glyph: &Glyph) -> [usize; 4] {
        let side = usize::from(glyph.width);
        let ink: Vec<usize> = (0..glyph.pixels.len()).filter(|&i| glyph.pixels[i] > 0).collect();
        let columns = || ink.iter().map(|i| i % side);
        let rows = || ink.iter().map(|i| i / side);
        let bound = |bound: Option<usize>| bound.expect("a glyph without ink");
        [bound(columns().min()), bound(columns().max()), bound(rows().min()), bound(rows().max())]
    }

    #[test]
    fn the_ink_box_is_54_and_centred() {
        let set = load(&[yusei_magic()], &options("学一1薔")).unwrap();
        assert_eq!(set.samples.len(), 4);
        for sample in &set.samples {
            let [left, right, top, bottom] = inked(&sample.glyph);
            let longer = (right - left).max(bottom - top) + 1;
            assert!((54..=55).contains(&longer), "longer side {longer}");
            // Opposite margins differ by no more than the rounding to whole pixels.
            assert!(left.abs_diff(63 - right) <= 1 && top.abs_diff(63 - bottom) <= 1);
        }
        let [left, right, top, bottom] = inked(&set.samples[1].glyph);
        assert!(right - left > 4 * (bottom - top), "一 must lie flat");
    }

    #[test]
    fn a_character_is_not_upside_down() {
        let set = load(&[yusei_magic()], &options("下")).unwrap();
        let row_ink =
            |row: usize| -> u32 { set.samples[0].glyph.pixels[row * 64..][..64].iter().map(|&p| u32::from(p)).sum() };
        // 下 has its horizontal stroke at the top.
        assert!((5..16).map(row_ink).sum::<u32>() > 3 * (48..59).map(row_ink).sum::<u32>());
    }

    #[test]
    fn without_a_choice_the_first_grade_is_rendered() {
        let set = load(&[yusei_magic()], &LoadOptions::default()).unwrap();
        assert_eq!(set.samples.len(), 80);
        assert_eq!(set.classes.index_of("学"), set.samples[10].label);
        assert_eq!(set.sources, ["YuseiMagic-Regular"]);
        assert!(set.missing.is_empty());
    }

    #[test]
    fn a_class_file_gives_characters_and_labels() {
        let dir = tempfile::tempdir().unwrap();
        let classes = dir.path().join("classes.tsv");
        fs::write(&classes, "0\t3042\tあ\tx\n1\t5B66\t学\tx\n").unwrap();
        let mut with_file = LoadOptions { classes: Some(classes), ..LoadOptions::default() };
        let labels = |set: Dataset| set.samples.iter().map(|s| s.label).collect::<Vec<_>>();
        assert_eq!(labels(load(&[yusei_magic()], &with_file).unwrap()), [Some(0), Some(1)]);

        with_file.characters = Some(vec!['学']);
        assert_eq!(labels(load(&[yusei_magic()], &with_file).unwrap()), [Some(1)]);

        with_file.characters = Some(vec!['字']);
        let error = load(&[yusei_magic()], &with_file).unwrap_err();
        assert!(matches!(error, DatasetError::UnknownClass { label, .. } if label == "字"));
    }

    #[test]
    fn a_character_the_face_lacks_is_reported() {
        // A space has a glyph but no shape; the private-use character has none at all.
        let set = load(&[yusei_magic()], &options("学 \u{E000}")).unwrap();
        assert_eq!(set.samples.len(), 1);
        let face = || "YuseiMagic-Regular".to_owned();
        assert_eq!(set.missing, [(face(), ' '), (face(), '\u{E000}')]);

        let none = load(&[yusei_magic()], &options("\u{E000}"));
        assert!(matches!(none, Err(DatasetError::NoSamples { .. })));
    }

    #[test]
    fn a_folder_is_searched_and_links_are_not_counted_twice() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        fs::copy(yusei_magic(), dir.path().join("b/copy.TTF")).unwrap();
        fs::write(dir.path().join("readme.txt"), "not a font").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path().join("b/copy.TTF"), dir.path().join("link.ttf")).unwrap();
        let set = load(&[dir.path().to_owned(), yusei_magic()], &options("学")).unwrap();
        assert_eq!(set.sources.len(), 2);
        assert_eq!(set.sources[1], "YuseiMagic-Regular");
        assert_eq!(set.samples.iter().map(|s| s.source).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn an_unreadable_font_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(load(&[dir.path().to_owned()], &options("学")), Err(DatasetError::NoSamples { .. })));
        fs::write(dir.path().join("broken.ttf"), [0x5A; 500]).unwrap();
        let error = load(&[dir.path().to_owned()], &options("学")).unwrap_err();
        assert!(matches!(&error, DatasetError::Font { path } if path.ends_with("broken.ttf")));
        let absent = load(&[dir.path().join("absent.ttf")], &options("学"));
        assert!(matches!(absent, Err(DatasetError::Io { .. })));
    }

    #[test]
    fn a_character_asked_for_twice_is_refused() {
        let error = load(&[yusei_magic()], &options("学学")).unwrap_err();
        assert!(matches!(error, DatasetError::DuplicateClass { label, .. } if label == "学"));
    }
}
