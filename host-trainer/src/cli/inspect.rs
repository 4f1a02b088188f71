//! `fude inspect`: what is in a package.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::outcome::{grouped, rows};
use super::{CliError, Outcome};
use crate::budget::{self, Limit};
use crate::device::board::{Board, Status};
use crate::files::write_atomically;
use crate::memory::{MemoryPlan, drawing, picture};
use crate::package::{PackageFile, count_label_bitmaps};

/// Show what is in a package.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude inspect models/quickstart.fude
  fude inspect models/quickstart.fude --json
  fude inspect models/quickstart.fude --plot memory.svg
  fude inspect models/quickstart.fude --board qemu-m4

Exit status 1 where the package is more than the board named has memory or a budget for.")]
pub struct InspectArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// A board's name, or a folder with a board.toml of your own: show the package as it is laid out for it, and what it
    /// takes of its memory and its budget.
    #[arg(long, value_name = "NAME|FOLDER")]
    pub board: Option<String>,
    /// Draw the memory plan: layers across, addresses upwards.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Inspection {
    name: String,
    model_id: String,
    package_bytes: usize,
    weight_layout: &'static str,
    arena_bytes: usize,
    classes: usize,
    macs: u64,
    parameters: u64,
    input: [u16; 2],
    golden_vectors: usize,
    label_bitmaps: usize,
    layers: Vec<LayerRow>,
    memory: MemoryPlan,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<OnBoard>,
}

/// What the package takes of a board.
#[derive(Debug, Serialize)]
struct OnBoard {
    name: String,
    status: Status,
    limits: Vec<Limit>,
}

#[derive(Debug, Serialize)]
struct LayerRow {
    operator: &'static str,
    output: [u16; 3],
    macs: u64,
    parameters: u64,
    arena_offset: u32,
}

/// Runs the subcommand.
pub fn run(arguments: &InspectArguments) -> Result<Outcome, CliError> {
    let mut file = PackageFile::read(&arguments.package)?;
    let mut on_board = None;
    if let Some(name) = &arguments.board {
        let board = Board::find(name)?;
        file = PackageFile::new(&file.repacked(board.weights)?, &arguments.package)?;
        on_board =
            Some(OnBoard { limits: budget::check(&board, None, &file)?, name: board.name, status: board.status });
    }
    let package = file.as_stored()?;
    let graph = package.graph();
    let total = graph.total_cost();
    let layers = graph.layers.iter().map(|layer| {
        let (output, cost) = (graph.tensors[usize::from(layer.output)], graph.cost(layer));
        LayerRow {
            operator: layer.operator.name(),
            output: [output.height, output.width, output.channels],
            macs: cost.macs,
            parameters: cost.parameters,
            arena_offset: output.offset,
        }
    });
    let input = package.input();
    let inspection = Inspection {
        name: package.manifest().name.to_string(),
        model_id: format!("{:08x}", package.model_id()),
        package_bytes: package.package_bytes(),
        weight_layout: package.header().layout.name(),
        arena_bytes: package.arena_bytes(),
        classes: package.classes(),
        macs: total.macs,
        parameters: total.parameters,
        input: [input.height, input.width],
        golden_vectors: package.golden().count(),
        label_bitmaps: count_label_bitmaps(&package),
        layers: layers.collect(),
        memory: MemoryPlan::of(&package),
        board: on_board,
    };
    if let Some(path) = &arguments.plot {
        write_atomically(path, picture(&inspection.memory, &inspection.name)?.as_bytes())?;
    }
    let text = text(&inspection, &package.labels().take(40).collect::<Vec<_>>());
    Outcome::new(&inspection, text)
}

fn text(inspection: &Inspection, labels: &[&str]) -> String {
    let more = if inspection.classes > labels.len() { " …" } else { "" };
    let mut text = rows(&[
        ("model", format!("{} ({})", inspection.name, inspection.model_id)),
        ("package bytes", grouped(inspection.package_bytes as u64)),
        ("weights for", inspection.weight_layout.to_owned()),
        ("arena bytes", arena(&inspection.memory)),
        ("MACs", grouped(inspection.macs)),
        ("parameters", grouped(inspection.parameters)),
        ("input", format!("{}×{}", inspection.input[0], inspection.input[1])),
        ("classes", format!("{}: {}{more}", inspection.classes, labels.join(" "))),
        ("golden vectors", inspection.golden_vectors.to_string()),
        ("label bitmaps", inspection.label_bitmaps.to_string()),
    ]);
    text.push_str(&format!(
        "\n{:>5}  {:<13} {:>14} {:>12} {:>11} {:>12}\n",
        "layer", "operator", "output", "MACs", "parameters", "arena offset"
    ));
    for (index, layer) in inspection.layers.iter().enumerate() {
        let [height, width, channels] = layer.output;
        text.push_str(&format!(
            "{index:>5}  {:<13} {:>14} {:>12} {:>11} {:>12}\n",
            layer.operator,
            format!("{height}×{width}×{channels}"),
            grouped(layer.macs),
            grouped(layer.parameters),
            grouped(layer.arena_offset.into())
        ));
    }
    text.push_str(&format!("\n{}", drawing(&inspection.memory)));
    if let Some(OnBoard { name, status, limits }) = &inspection.board {
        text.push_str(&format!("\non {name} ({status})\n"));
        for Limit { what, taken, most, key, .. } in limits {
            text.push_str(&format!("  {} {what} of {} (`{key}`)\n", grouped(*taken), grouped(*most)));
        }
    }
    text
}

/// The arena's size beside the least that any plan could have.
fn arena(memory: &MemoryPlan) -> String {
    let (bytes, least) = (grouped(memory.arena_bytes as u64), grouped(memory.lower_bound as u64));
    match memory.within_two_per_cent {
        _ if memory.arena_bytes == memory.lower_bound => format!("{bytes}, the least there can be"),
        true => format!("{bytes}, within 2 % of {least}, below which no plan comes"),
        false => format!("{bytes}; no plan comes below {least}: `fude repack` plans it again"),
    }
}
