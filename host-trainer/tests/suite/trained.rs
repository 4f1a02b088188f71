//! A recogniser of four characters, trained in seconds by `fude` itself and shared by all tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use fude_runtime::recognizer::Recognizer;
use fude_trainer::dataset::{DataSpec, Distortion, Glyph, LoadOptions, distort, rng_for, write_png};
use fude_trainer::evaluate::image_of;
use fude_trainer::package::PackageFile;
use fude_trainer::tensors::{floats, glyph_tensor};
use fude_trainer::train::{RunFolder, image_to_input};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::fude::{Finished, fude};

/// A line from one point to another, in a square of side 1: x0, y0, x1, y1.
type Stroke = [f32; 4];

/// The characters as strokes.
const CHARACTERS: [(&str, &[Stroke]); 4] = [
    ("一", &[[0.1, 0.5, 0.9, 0.5]]),
    ("十", &[[0.1, 0.4, 0.9, 0.4], [0.5, 0.1, 0.5, 0.9]]),
    ("口", &[[0.2, 0.2, 0.8, 0.2], [0.8, 0.2, 0.8, 0.8], [0.8, 0.8, 0.2, 0.8], [0.2, 0.8, 0.2, 0.2]]),
    ("人", &[[0.5, 0.1, 0.1, 0.9], [0.5, 0.1, 0.9, 0.9]]),
];
/// Drawings of each character.
const DRAWINGS: u64 = 16;
/// A side of the drawings, in pixels: the smallest board takes no larger ones.
const SIDE: u16 = 32;

/// Labels of the characters, in the order of the classes: that of the folders' names.
pub fn labels() -> Vec<&'static str> {
    let mut labels = CHARACTERS.map(|(label, _)| label).to_vec();
    labels.sort_unstable();
    labels
}

/// A drawing of strokes whose ends move with `rng`.
fn draw(strokes: &[Stroke], rng: &mut ChaCha8Rng) -> Glyph {
    let strokes: Vec<Stroke> =
        strokes.iter().map(|stroke| stroke.map(|end| end + rng.random_range(-0.04..0.04))).collect();
    let half_width = rng.random_range(0.03..0.05);
    let ink = |place: u16| {
        let [x, y] = [place % SIDE, place / SIDE].map(|pixel| (f32::from(pixel) + 0.5) / f32::from(SIDE));
        let distance = strokes.iter().map(|stroke| distance(*stroke, x, y)).fold(f32::MAX, f32::min);
        (255.0 * ((half_width - distance) * f32::from(SIDE) + 0.5).clamp(0.0, 1.0)) as u8
    };
    Glyph { width: SIDE, height: SIDE, pixels: (0..SIDE * SIDE).map(ink).collect() }
}

/// Distance of a point from a stroke.
fn distance([x0, y0, x1, y1]: Stroke, x: f32, y: f32) -> f32 {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let along = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (x0 + along * dx - x).hypot(y0 + along * dy - y)
}

/// Writes drawings of all characters as `DIR/<character>/<number>.png`.
pub fn draw_into(dir: &Path, drawings: u64, seed: u64) {
    for (label, strokes) in CHARACTERS {
        for number in 0..drawings {
            let glyph = draw(strokes, &mut ChaCha8Rng::seed_from_u64(seed + number));
            write_png(&dir.join(label).join(format!("{number}.png")), &glyph).unwrap();
        }
    }
}

/// What training left on disk and on standard output, kept in memory: every test may damage a copy of its own.
pub struct Trained {
    files: Vec<(PathBuf, Vec<u8>)>,
    pub train: Finished,
    pub qat: Finished,
    pub export: Finished,
}

/// A copy of the files on disk, gone when dropped.
pub struct OnDisk {
    folder: TempDir,
}

impl OnDisk {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of drawings, as `--data` takes it.
    pub fn data(&self) -> String {
        format!("folder:{}", self.path("glyphs").display())
    }

    /// The run, with both stages.
    pub fn run(&self) -> PathBuf {
        self.path("run")
    }

    /// The package.
    pub fn package(&self) -> PathBuf {
        self.path("model.fude")
    }
}

/// The trained recogniser; the first test that asks trains it.
pub fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(train)
}

fn train() -> Trained {
    let copy = OnDisk { folder: tempfile::tempdir().unwrap() };
    draw_into(&copy.path("glyphs"), DRAWINGS, 0);
    let (run, package) = (copy.run().display().to_string(), copy.package().display().to_string());
    let data = ["--data", &copy.data(), "--json"];
    let run_with = |arguments: &[&str]| fude(arguments.iter().chain(&data));
    let train = run_with(&["train", "--out", &run, "--preset", "nano", "--epochs", "30", "--batch", "16"]);
    let qat = run_with(&["qat", &run, "--epochs", "4", "--learn-ranges"]);
    let export = run_with(&["export", &run, "--out", &package]);
    for finished in [&train, &qat, &export] {
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
    let mut files = Vec::new();
    read_files(copy.folder.path(), Path::new(""), &mut files);
    Trained { files, train, qat, export }
}

fn read_files(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let name = folder.join(entry.unwrap().file_name());
        if root.join(&name).is_dir() {
            read_files(root, &name, files);
        } else {
            files.push((name.clone(), fs::read(root.join(&name)).unwrap()));
        }
    }
}

impl Trained {
    /// A copy of glyphs, run and package.
    pub fn copy(&self) -> OnDisk {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        OnDisk { folder }
    }
}

/// The network of quantisation-aware training and the package made of it give the same answer, on glyphs that neither
/// has seen.
#[test]
fn fake_quantised_network_and_package_agree() {
    const GLYPHS: usize = 1200;
    let copy = trained().copy();
    draw_into(&copy.path("others"), DRAWINGS, 1000);
    let others = DataSpec::Folder(copy.path("others")).load(&LoadOptions::default()).unwrap();
    let device = Device::flex();
    let checkpoint = RunFolder::new(copy.run()).read_latest(&device).unwrap();
    let (preprocessing, side) = (checkpoint.info.preprocessing, checkpoint.info.preset.side());
    let file = PackageFile::read(&copy.package()).unwrap();
    let package = file.open().unwrap();
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena).unwrap();

    let distortion = Distortion { side: SIDE, ..Distortion::default() };
    let (mut agreeing, mut right) = (0, 0);
    for index in 0..GLYPHS {
        let sample = &others.samples[index % others.samples.len()];
        let glyph = distort(&sample.glyph, &distortion, &mut rng_for(7, index as u64, 0));
        let image = image_of(&glyph).unwrap();
        let input = glyph_tensor(&image_to_input(&image, preprocessing, side), side, &device);
        let logits = floats(checkpoint.network.forward(input, checkpoint.stage.evaluation_mode()));
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        let answer = usize::from(recognizer.recognize(&image, 1).unwrap()[0].class);
        agreeing += usize::from(best == answer);
        right += usize::from(Some(answer as u32) == sample.label);
    }
    assert!(agreeing * 1000 >= GLYPHS * 995, "{agreeing} of {GLYPHS} agree");
    // Networks that have learned nothing could agree too.
    assert!(right * 10 >= GLYPHS * 9, "{right} of {GLYPHS} are right");
}
