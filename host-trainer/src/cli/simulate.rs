//! `fude simulate`: a board's application on this machine, with a mouse or a file for a pen.

use std::path::PathBuf;

use clap::Args;
use fude_boards::Counter;
use fude_runtime::recognizer::Recognizer;
use serde::Serialize;

use super::answers::Recognition;
use super::outcome::rows;
use super::{CliError, Outcome};
use crate::dataset::{Glyph, load_glyph, write_grey_png};
use crate::package::PackageFile;
use crate::simulate::{HostClock, Panel, PanelSize, Simulator, read_strokes, written};

/// Write on a simulated board: its recogniser and its screen, on a display of any size.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude simulate models/quickstart.fude
  fude simulate models/quickstart.fude --size 128x64 --monochrome
  fude simulate models/quickstart.fude --strokes docs/examples/gaku.json --screenshot screen.png

In the window: the left button writes, and 0.7 s after the last stroke (or at Enter) the character is recognised.
The right button or Backspace clears the paper; Q, Escape or closing the window quits.

A file of strokes holds one JSON object a character, {\"strokes\": [[[x, y], [x, y], …], …]}: for each stroke the points
that the pen passed, in whole numbers of any unit, x to the right and y downwards.

The window needs SDL2: `apt install libsdl2-dev`, then `cargo build --release --features window`.
The time on the screen is this machine's, not a board's.")]
pub struct SimulateArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// Columns and rows of the display, 128x64 to 800x800.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "320x240")]
    pub size: PanelSize,
    /// A display that is black and white without greys, as small OLEDs are.
    #[arg(long)]
    pub monochrome: bool,
    /// Recognise the characters of a file of strokes, one after the other; the display shows the last.
    #[arg(long, value_name = "FILE", group = "input")]
    pub strokes: Option<PathBuf>,
    /// Recognise a PNG or JPEG of one character, dark on light or light on dark.
    #[arg(long, value_name = "FILE", group = "input")]
    pub image: Option<PathBuf>,
    /// Write what the display then shows as a PNG, and open no window.
    #[arg(long, value_name = "FILE", requires = "input")]
    pub screenshot: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Simulation {
    model: String,
    width: u16,
    height: u16,
    /// Everything that was recognised, in order.
    characters: Vec<Recognition>,
}

/// Runs the subcommand.
pub fn run(arguments: &SimulateArguments) -> Result<Outcome, CliError> {
    if arguments.screenshot.is_none() {
        check_window()?;
    }
    let file = PackageFile::read(&arguments.package)?;
    let package = file.open()?;
    let glyphs: Vec<Glyph> = match (&arguments.strokes, &arguments.image) {
        (Some(path), _) => read_strokes(path)?.iter().map(written).collect(),
        (None, Some(path)) => vec![load_glyph(path)?],
        (None, None) => Vec::new(),
    };
    let mut arena = vec![0; package.arena_bytes()];
    let panel = Panel::new(arguments.size, arguments.monochrome);
    let mut simulator = Simulator::new(Recognizer::new(&package, &mut arena)?, HostClock::start(), panel);

    let mut characters = Vec::new();
    for glyph in &glyphs {
        let answer = simulator.answer(glyph)?;
        characters.push(Recognition::of(simulator.recognizer(), &answer.best));
    }
    let PanelSize { width, height } = arguments.size;
    match &arguments.screenshot {
        Some(path) => write_grey_png(path, (width, height), simulator.panel().luma())?,
        None => open_window(&mut simulator, &mut characters)?,
    }

    let model = simulator.recognizer().package().manifest().name.to_string();
    let simulation = Simulation { model, width, height, characters };
    let text = text(&simulation, arguments);
    Outcome::new(&simulation, text)
}

fn text(simulation: &Simulation, arguments: &SimulateArguments) -> String {
    let mut table = vec![("model", simulation.model.clone()), ("display", arguments.size.to_string())];
    table.extend(arguments.screenshot.as_ref().map(|path| ("screenshot", path.display().to_string())));
    let mut text = rows(&table);
    text.extend(simulation.characters.iter().map(|recognition| format!("\n{}", recognition.text())));
    text
}

#[cfg(feature = "window")]
fn check_window() -> Result<(), CliError> {
    use crate::simulate::window;

    if window::is_possible() {
        Ok(())
    } else {
        Err("no screen to open a window on: set DISPLAY, or give --screenshot FILE with --strokes or --image".into())
    }
}

#[cfg(not(feature = "window"))]
fn check_window() -> Result<(), CliError> {
    let remedy = "run `apt install libsdl2-dev` and `cargo build --release --features window`, \
                  or give --screenshot FILE with --strokes or --image";
    Err(format!("this build of fude has no window: {remedy}").into())
}

#[cfg(feature = "window")]
fn open_window<C: Counter>(
    simulator: &mut Simulator<'_, C>,
    characters: &mut Vec<Recognition>,
) -> Result<(), CliError> {
    use crate::simulate::{Pad, window};

    if characters.is_empty() {
        simulator.show_pad(&Pad::default());
    }
    let record = |simulator: &Simulator<'_, C>, answer: &fude_firmware::answer::Answer| {
        characters.push(Recognition::of(simulator.recognizer(), &answer.best));
    };
    Ok(window::run(simulator, record)?)
}

/// [`check_window`] has said that there is none.
#[cfg(not(feature = "window"))]
fn open_window<C: Counter>(_: &mut Simulator<'_, C>, _: &mut Vec<Recognition>) -> Result<(), CliError> {
    check_window()
}
