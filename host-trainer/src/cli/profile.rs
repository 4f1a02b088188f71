//! `fude profile`: where a recognition's instructions, or its time, go.

use std::path::PathBuf;

use clap::Args;

use super::board::BoardArguments;
use super::outcome::{columns, grouped, percent, rows};
use super::{CliError, Outcome};
use crate::dataset::load_glyph;
use crate::device::board::Board;
use crate::files::write_atomically;
use crate::package::PackageFile;
use crate::profile::{Profile, Unit, bars, golden_glyph, on_board, on_host};

/// Show what each layer costs on an emulated board or on this machine.
#[derive(Debug, Args)]
#[command(
    after_help = "A board that counts gives instructions, which are no cycles: compare them on the same core only. \
`--board host` gives nanoseconds of this machine, of each layer the least of many runs.

Examples:
  fude profile models/quickstart.fude --board qemu-m4
  fude profile models/quickstart.fude --board host --image glyph.png --json
  fude profile models/quickstart.fude --board qemu-m4 --plot profile.svg"
)]
pub struct ProfileArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    #[command(flatten)]
    pub board: BoardArguments,
    /// A PNG or JPEG of one character; the glyph of the package's first golden vector otherwise.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Draw the layers as bars.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: &ProfileArguments) -> Result<Outcome, CliError> {
    let profile = profile(arguments)?;
    if let Some(path) = &arguments.plot {
        write_atomically(path, bars(&profile)?.as_bytes())?;
    }
    Outcome::new(&profile, text(&profile))
}

fn profile(arguments: &ProfileArguments) -> Result<Profile, CliError> {
    let file = PackageFile::read(&arguments.package)?;
    let glyph = match &arguments.image {
        Some(path) => load_glyph(path)?,
        None => golden_glyph(&file)?,
    };
    if arguments.board.board == "host" {
        return Ok(on_host(&file, &glyph)?);
    }
    let board = Board::find(&arguments.board.board)?;
    Ok(on_board(&board, arguments.board.firmware.as_deref(), &file, &glyph)?)
}

fn text(profile: &Profile) -> String {
    let unit = profile.unit.name();
    let counted = match profile.unit {
        Unit::Instructions => format!("to {} instructions", profile.resolution),
        Unit::Nanoseconds => format!("the least of {} runs", profile.runs),
    };
    let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let stack = profile.stack_bytes.map(|bytes| grouped(bytes.into()));
    let stack = stack.map_or("not measured".to_owned(), |bytes| format!("{bytes} bytes at most since the start"));
    let summary = rows(&[
        ("board", profile.place()),
        ("model", profile.model.clone()),
        ("kernels for", profile.weight_layout.to_owned()),
        (unit, format!("{} a glyph, {counted}", grouped(profile.cost))),
        ("stack", stack),
    ]);
    let heading = ["layer", "operator", unit, "share", "multiplications", "each", "parameters", "output"];
    let mut table = vec![heading.map(str::to_owned)];
    table.extend(profile.layers.iter().enumerate().map(|(index, layer)| {
        [
            index.to_string(),
            layer.operator.to_owned(),
            grouped(layer.cost),
            percent(layer.share),
            grouped(layer.multiplications),
            ratio(layer.cost_per_multiplication),
            grouped(layer.parameter_bytes as u64),
            grouped(layer.output_bytes as u64),
        ]
    }));
    let outside = profile.outside_layers as f64 / profile.cost.max(1) as f64;
    let outside = ["", "outside", &grouped(profile.outside_layers), &percent(outside), "", "", "", ""];
    table.push(outside.map(str::to_owned));
    table.push([
        String::new(),
        "all".to_owned(),
        grouped(profile.cost),
        percent(1.0),
        grouped(profile.multiplications),
        ratio(profile.cost_per_multiplication),
        grouped(profile.parameter_bytes as u64),
        String::new(),
    ]);
    format!(
        "{summary}\n{}\nEach: {unit} for each multiplication. Parameters and output are in bytes.\n",
        columns(&table)
    )
}
