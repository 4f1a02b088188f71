//! Where the cost of a recognition goes, layer by layer: instructions on an emulated board that counts, nanoseconds on
//! this machine.

mod chart;
mod host;

use std::path::Path;

use fude_firmware::link::message::Image;
use fude_runtime::package::Package;
use serde::Serialize;

use crate::dataset::Glyph;
use crate::device::board::{Board, Status};
use crate::device::firmware::{Firmware, FirmwareError};
use crate::device::{Device, DeviceError};
use crate::package::{PackageFile, PackingError};

pub use chart::bars;
pub use host::on_host;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The board has no count of instructions.
    #[error(
        "the board {board:?} does not count instructions, and the time of an emulator says nothing: name a board that \
        counts ({counting}) or `host`"
    )]
    NotCounting {
        /// The board.
        board: String,
        /// Boards that count.
        counting: String,
    },
    /// There is no glyph to recognise.
    #[error("{package}: there is no golden vector whose glyph could be measured: give --image, or export it again")]
    NoGlyph {
        /// The package.
        package: String,
    },
    /// The package or the glyph cannot be used.
    #[error(transparent)]
    Package(#[from] PackingError),
    /// The board's image cannot be used.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// The board cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// What the cost of a profile is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Instructions of the board's core; not cycles.
    Instructions,
    /// Nanoseconds of this machine.
    Nanoseconds,
}

impl Unit {
    /// Name of so many.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Nanoseconds => "ns",
        }
    }
}

/// What one recognition cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Name of the board; `host` for this machine.
    pub board: String,
    /// How the board ran; `None` for this machine.
    pub status: Option<Status>,
    /// Name of the model.
    pub model: String,
    /// The kernels, by the layout of their weights.
    pub weight_layout: &'static str,
    /// What costs are counted in.
    pub unit: Unit,
    /// How finely: the cost of a layer is a multiple of this.
    pub resolution: u64,
    /// Recognitions, of which each cost is the least.
    pub runs: usize,
    /// The whole recognition: normalising, layers, choosing the best.
    pub cost: u64,
    /// What lies outside the layers.
    pub outside_layers: u64,
    /// Multiplications of all layers with weights.
    pub multiplications: u64,
    /// Cost of the layers with weights for each of them.
    pub cost_per_multiplication: Option<f64>,
    /// Bytes of all parameters.
    pub parameter_bytes: usize,
    /// The most bytes of stack in use from the board's start to the end of the recognition, where it measures that.
    pub stack_bytes: Option<u32>,
    /// The layers in order.
    pub layers: Vec<LayerProfile>,
}

/// What one layer cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerProfile {
    /// Name of the operator.
    pub operator: &'static str,
    /// What it cost.
    pub cost: u64,
    /// Share of the whole recognition.
    pub share: f64,
    /// Multiplications by weights.
    pub multiplications: u64,
    /// Cost of one; `None` for a layer without weights.
    pub cost_per_multiplication: Option<f64>,
    /// Bytes of biases, multipliers and weights.
    pub parameter_bytes: usize,
    /// Bytes of the tensor that it writes.
    pub output_bytes: usize,
}

/// What was measured, before it is held against the model.
struct Measurement {
    layers: Vec<u64>,
    whole: u64,
}

/// The glyph of a package's first golden vector, as it was before it became an input tensor.
///
/// # Errors
/// [`ProfileError::NoGlyph`] where there is none, and where the package cannot be read.
pub fn golden_glyph(file: &PackageFile) -> Result<Glyph, ProfileError> {
    let package = file.as_stored()?;
    let vector = package.golden().next();
    let vector = vector.ok_or_else(|| ProfileError::NoGlyph { package: file.path().display().to_string() })?;
    let (width, height) = (package.input().width, package.input().height);
    Ok(Glyph { width, height, pixels: vector.input.iter().map(|byte| byte ^ 0x80).collect() })
}

/// Has an emulated board count the instructions of recognising `glyph`, once: they are the same every time.
/// `firmware` is as in [`Firmware::find`].
///
/// # Errors
/// [`ProfileError::NotCounting`] where it cannot, and where board or package cannot be used.
pub fn on_board(
    board: &Board,
    firmware: Option<&Path>,
    file: &PackageFile,
    glyph: &Glyph,
) -> Result<Profile, ProfileError> {
    let Some(resolution) = board.instructions(1) else {
        let counting = Board::built_in().filter(Board::counts_instructions).map(|board| board.name);
        let counting = counting.collect::<Vec<_>>().join(", ");
        return Err(ProfileError::NotCounting { board: board.name.clone(), counting });
    };
    let firmware = Firmware::find(board, firmware)?;
    let laid_out = file.laid_out(board.weights)?;
    let mut device = Device::boot(board, &firmware, laid_out.path(), true)?;
    device.check_model(laid_out.model())?;
    let Glyph { width, height, pixels } = glyph;
    let reply = device.recognize(Image { width: *width, height: *height, pixels, top_k: 1 })?;
    let measured = Measurement {
        layers: reply.layers.ticks.iter().map(|&ticks| u64::from(ticks) * resolution).collect(),
        whole: reply.ticks * resolution,
    };
    let stack_bytes = reply.stack_bytes;
    device.shutdown()?;
    let package = file.as_stored()?;
    Ok(Profile {
        board: board.name.clone(),
        status: Some(board.status),
        weight_layout: board.weights.name(),
        resolution,
        stack_bytes,
        ..Profile::of(&package, &measured, Unit::Instructions)
    })
}

impl Profile {
    /// The board, and how it ran.
    pub fn place(&self) -> String {
        match self.status {
            Some(status) => format!("{} ({status})", self.board),
            None => "this machine".to_owned(),
        }
    }

    /// Puts what was measured of `package` on this machine beside what its layers do.
    fn of(package: &Package<'_>, measured: &Measurement, unit: Unit) -> Self {
        let graph = package.graph();
        let per_multiplication = |cost, count| (count > 0).then(|| cost as f64 / count as f64);
        let layers = graph.layers.iter().zip(&measured.layers).map(|(layer, &cost)| {
            let multiplications = graph.cost(layer).macs;
            LayerProfile {
                operator: layer.operator.name(),
                cost,
                share: cost as f64 / measured.whole.max(1) as f64,
                multiplications,
                cost_per_multiplication: per_multiplication(cost, multiplications),
                parameter_bytes: graph.parameter_sizes(layer).map_or(0, |sizes| sizes.bytes()),
                output_bytes: graph.tensors[usize::from(layer.output)].bytes(),
            }
        });
        let layers: Vec<LayerProfile> = layers.collect();
        let weighted = layers.iter().filter(|layer| layer.multiplications > 0);
        let multiplications = graph.total_cost().macs;
        Self {
            board: "host".to_owned(),
            status: None,
            model: package.manifest().name.to_string(),
            weight_layout: package.header().layout.name(),
            unit,
            resolution: 1,
            runs: 1,
            cost: measured.whole,
            outside_layers: measured.whole.saturating_sub(measured.layers.iter().sum()),
            multiplications,
            cost_per_multiplication: per_multiplication(weighted.map(|layer| layer.cost).sum(), multiplications),
            parameter_bytes: layers.iter().map(|layer| layer.parameter_bytes).sum(),
            stack_bytes: None,
            layers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A depthwise layer of 600 instructions, a gate of 300, and 100 outside.
    pub(super) fn hand_made() -> Profile {
        let layer = |operator, cost: u64, multiplications| LayerProfile {
            operator,
            cost,
            share: cost as f64 / 1000.0,
            multiplications,
            cost_per_multiplication: (multiplications > 0).then(|| cost as f64 / multiplications as f64),
            parameter_bytes: 0,
            output_bytes: 0,
        };
        Profile {
            board: "qemu-m4".to_owned(),
            status: Some(Status::Emulated),
            model: "kana".to_owned(),
            weight_layout: "dsp",
            unit: Unit::Instructions,
            resolution: 40,
            runs: 1,
            cost: 1000,
            outside_layers: 100,
            multiplications: 200,
            cost_per_multiplication: Some(3.0),
            parameter_bytes: 0,
            stack_bytes: None,
            layers: vec![layer("depthwise", 600, 200), layer("gate", 300, 0)],
        }
    }
}
