//! `fude inspect`: what is in a package.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::outcome::{grouped, rows};
use super::{CliError, Outcome};
use crate::package::{PackageFile, count_label_bitmaps};

/// Show what is in a package.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude inspect models/quickstart.fude
  fude inspect models/quickstart.fude --json")]
pub struct InspectArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
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
    let file = PackageFile::read(&arguments.package)?;
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
    };
    let text = text(&inspection, &package.labels().take(40).collect::<Vec<_>>());
    Outcome::new(&inspection, text)
}

fn text(inspection: &Inspection, labels: &[&str]) -> String {
    let more = if inspection.classes > labels.len() { " …" } else { "" };
    let mut text = rows(&[
        ("model", format!("{} ({})", inspection.name, inspection.model_id)),
        ("package bytes", grouped(inspection.package_bytes as u64)),
        ("weights for", inspection.weight_layout.to_owned()),
        ("arena bytes", grouped(inspection.arena_bytes as u64)),
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
    text
}
