//! `fude simulate` and `fude recognize` with strokes for pictures.

use std::fs;
use std::path::Path;

use fude_boards::{Counter, Tick};
use fude_runtime::recognizer::Recognizer;
use fude_trainer::package::PackageFile;
use fude_trainer::simulate::{Panel, PanelSize, Simulator, read_strokes, written};

use crate::fude::{fude, repository};
use crate::trained::{labels, trained};

/// The characters of [`trained`] as strokes.
const STROKES: [(&str, &str); 4] = [
    ("一", "[[[10, 50], [90, 50]]]"),
    ("十", "[[[10, 40], [90, 40]], [[50, 10], [50, 90]]]"),
    ("口", "[[[20, 20], [20, 80]], [[20, 20], [80, 20], [80, 80]], [[20, 80], [80, 80]]]"),
    ("人", "[[[50, 10], [46, 45], [10, 90]], [[47, 40], [60, 65], [90, 90]]]"),
];

/// A recogniser that knows them: that of the tests has seen too little for a pen.
fn quickstart() -> String {
    repository().join("models/quickstart.fude").display().to_string()
}

/// All of them in one file, a line each, in the order of the classes.
fn write_all(path: &Path) {
    let strokes = |label: &str| STROKES.iter().find(|(other, _)| *other == label).unwrap().1;
    let lines = labels().into_iter().map(|label| format!("{{\"strokes\": {}}}\n", strokes(label)));
    fs::write(path, lines.collect::<String>()).unwrap();
}

/// Time does not pass.
struct Stopped;

impl Counter for Stopped {
    const TICK: Tick = Tick::Nanoseconds(1);

    fn restart(&mut self) {}

    fn ticks(&self) -> u64 {
        0
    }
}

#[test]
fn strokes_are_recognised_one_after_the_other() {
    let copy = trained().copy();
    let (strokes, screenshot) = (copy.path("strokes.json"), copy.path("new/screen.png"));
    write_all(&strokes);
    let (package, strokes) = (quickstart(), strokes.display().to_string());
    for (size, sides) in [("128x64", (128, 64)), ("320x240", (320, 240)), ("800x480", (800, 480))] {
        let picture = screenshot.display().to_string();
        let arguments =
            ["simulate", &package, "--strokes", &strokes, "--size", size, "--screenshot", &picture, "--json"];
        let document = fude(arguments).document();
        let characters = document["characters"].as_array().unwrap();
        let best: Vec<&str> =
            characters.iter().map(|character| character["answers"][0]["label"].as_str().unwrap()).collect();
        assert_eq!(best, labels());
        let picture = image::open(&screenshot).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), sides);
        assert!(picture.pixels().any(|pixel| pixel.0 == [255]) && picture.pixels().any(|pixel| pixel.0 == [0]));
    }
    fude(["recognize", &package, &strokes]).assert_fails_naming(&[&strokes, "4 characters", "fude simulate"]);
}

/// But for the time that it took, which is at the foot of the screen, two runs show the same, and that is what was
/// written last.
#[test]
fn the_screen_depends_on_the_strokes_alone() {
    let copy = trained().copy();
    let path = copy.path("strokes.json");
    write_all(&path);
    let characters = read_strokes(&path).unwrap();
    let file = PackageFile::read(&copy.package()).unwrap();
    let screen = |indices: &[usize], monochrome| {
        let package = file.open().unwrap();
        let mut arena = vec![0; package.arena_bytes()];
        let panel = Panel::new(PanelSize { width: 160, height: 128 }, monochrome);
        let mut simulator = Simulator::new(Recognizer::new(&package, &mut arena).unwrap(), Stopped, panel);
        for &index in indices {
            simulator.answer(&written(&characters[index])).unwrap();
        }
        simulator.panel().luma().to_vec()
    };
    let two_greys = |luma: &[u8]| luma.iter().all(|&luma| [0, 255].contains(&luma));
    assert_eq!(screen(&[0, 1, 2], false), screen(&[2], false));
    assert_ne!(screen(&[1], false), screen(&[2], false));
    assert!(two_greys(&screen(&[2], true)) && !two_greys(&screen(&[2], false)));
}

/// A picture of the strokes and the strokes themselves are the same to the recogniser.
#[test]
fn pictures_and_strokes_give_the_same_answers() {
    let copy = trained().copy();
    let (strokes, picture) = (copy.path("one.json"), copy.path("one.png"));
    fs::write(&strokes, format!("{{\"strokes\": {}}}", STROKES[2].1)).unwrap();
    let glyph = written(&read_strokes(&strokes).unwrap()[0]);
    fude_trainer::dataset::write_png(&picture, &glyph).unwrap();
    let package = quickstart();
    let [strokes, picture, screen] = [strokes, picture, copy.path("screen.png")].map(|path| path.display().to_string());
    let recognized = fude(["recognize", &package, &strokes, "--json"]).document();
    assert_eq!(recognized["answers"][0]["label"], STROKES[2].0);
    assert_eq!(fude(["recognize", &package, &picture, "--json"]).document(), recognized);
    for (option, file) in [("--image", &picture), ("--strokes", &strokes)] {
        let finished = fude(["simulate", &package, option, file, "--screenshot", &screen, "--json"]);
        assert_eq!(finished.document()["characters"][0], recognized);
    }
}

/// The example that the README shows is read, and is the character that it says.
#[test]
fn the_example_is_recognised() {
    let example = repository().join("docs/examples/gaku.json").display().to_string();
    let package = quickstart();
    let document = fude(["recognize", &package, &example, "--json"]).document();
    assert_eq!(document["answers"][0]["label"], "学", "{document}");
}

#[test]
fn a_stroke_file_with_an_error() {
    let copy = trained().copy();
    let path = copy.path("strokes.json");
    fs::write(&path, "{\"strokes\": [[[1, 2]]]}\n{\"strokes\": [[[1, 2], [\"3\", 4]]]}\n").unwrap();
    let (package, path) = (copy.package().display().to_string(), path.display().to_string());
    let place = format!("{path}:2:26: ");
    let screenshot = copy.path("screen.png").display().to_string();
    let finished = fude(["simulate", &package, "--strokes", &path, "--screenshot", &screenshot]);
    finished.assert_fails_naming(&[&place, "string \"3\"", "whole numbers"]);
    fude(["recognize", &package, &path]).assert_fails_naming(&[&place]);
    assert!(!copy.path("screen.png").exists());
}

#[test]
fn options_that_do_not_go_together() {
    let package = quickstart();
    let refused = |arguments: &[&str]| {
        let finished = fude(["simulate", &package].iter().chain(arguments));
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
        finished.stderr
    };
    assert!(refused(&["--screenshot", "x.png"]).contains("--strokes"));
    assert!(refused(&["--strokes", "a", "--image", "b", "--screenshot", "c"]).contains("cannot be used with"));
    assert!(refused(&["--size", "100x64"]).contains("128x64 to 800x800"));
}

/// Without a window, by lack of the feature or of a screen, the message says what to do.
#[test]
fn without_a_window_there_is_a_remedy() {
    let package = quickstart();
    let mut command = crate::fude::command(["simulate", &package]);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"] {
        command.env_remove(name);
    }
    let finished = crate::fude::Finished::of(command.output().unwrap());
    finished.assert_fails_naming(&["window", "--screenshot FILE"]);
}
