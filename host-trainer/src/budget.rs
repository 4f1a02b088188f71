//! What a package may take of a board: the board's memory, and the budget in its `board.toml`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fude_runtime::package::Package;
use serde::Serialize;

use crate::device::board::{Board, Budget};
use crate::device::firmware::{Firmware, FirmwareError};
use crate::memory::MemoryPlan;
use crate::numbers::grouped;
use crate::package::{PackageFile, PackingError};
use crate::profile::{ProfileError, golden_glyph, on_board};

/// Layers that an error names.
const NAMED_LAYERS: usize = 3;

/// Something of which there is only so much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What it is.
    pub what: &'static str,
    /// How much is taken.
    pub taken: u64,
    /// How much there is.
    pub most: u64,
    /// The key of `board.toml` that says so.
    pub key: &'static str,
    /// The layers that take most of it, and how much.
    #[serde(skip)]
    heaviest: Vec<(String, u64)>,
}

/// Why a package is not for a board.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// It takes too much.
    #[error("{} is not for the board {board:?}: {}", package.display(), breaches(.broken))]
    Broken {
        /// The package.
        package: PathBuf,
        /// The board.
        board: String,
        /// What it takes too much of.
        broken: Vec<Limit>,
    },
    /// The package cannot be laid out for the board.
    #[error(transparent)]
    Package(#[from] PackingError),
    /// The budget is of flash, and there is no image to add.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// The budget is of stack, and the board does not measure it.
    #[error("the board {board:?} does not measure its stack: leave `budget.stack` out of its board.toml")]
    NoStack {
        /// The board.
        board: String,
    },
    /// The budget is of what a run shows, and there can be none.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

fn breaches(broken: &[Limit]) -> String {
    let breach = |limit: &Limit| {
        let Limit { what, taken, most, key, heaviest } = limit;
        let [taken, most, over] = [*taken, *most, taken - most].map(grouped);
        let mut text = format!("{taken} {what} are {over} more than the {most} of `{key}`");
        for (nth, (layer, weight)) in heaviest.iter().enumerate() {
            let lead = if nth == 0 { "; most weigh" } else { "," };
            let _ = write!(text, "{lead} layer {layer} ({})", grouped(*weight));
        }
        text
    };
    broken.iter().map(breach).collect::<Vec<_>>().join("; and ")
}

/// Holds a package, laid out for `board`, against the board's memory and budget. The board runs only where
/// the budget limits stack or instructions. `firmware` is as in [`Firmware::find`].
///
/// # Errors
/// [`BudgetError::Broken`] where the package takes too much, and where that cannot be found out.
pub fn check(board: &Board, firmware: Option<&Path>, file: &PackageFile) -> Result<Vec<Limit>, BudgetError> {
    let mut limits = static_limits(board, firmware, file)?;
    refuse_broken(board, file, &limits)?;
    let Budget { stack, instructions, .. } = board.budget;
    if stack.is_none() && instructions.is_none() {
        return Ok(limits);
    }
    let profile = on_board(board, firmware, file, &golden_glyph(file)?)?;
    if let Some(most) = stack {
        let taken = profile.stack_bytes.ok_or_else(|| BudgetError::NoStack { board: board.name.clone() })?.into();
        limits.push(Limit { what: "bytes of stack", taken, most, key: "budget.stack", heaviest: Vec::new() });
    }
    if let Some(most) = instructions {
        let heaviest = heaviest(profile.layers.iter().map(|layer| (layer.operator, layer.cost)));
        let (what, key) = ("instructions a glyph", "budget.instructions");
        limits.push(Limit { what, taken: profile.cost, most, key, heaviest });
    }
    refuse_broken(board, file, &limits)?;
    Ok(limits)
}

/// What can be said of a package without running it.
fn static_limits(board: &Board, firmware: Option<&Path>, file: &PackageFile) -> Result<Vec<Limit>, BudgetError> {
    let package = file.as_stored()?;
    let by_parameters = || {
        let graph = package.graph();
        let bytes = |layer| graph.parameter_sizes(layer).map_or(0, |sizes| sizes.bytes() as u64);
        heaviest(graph.layers.iter().map(|layer| (layer.operator.name(), bytes(layer))))
    };
    let package_bytes = package.package_bytes() as u64;
    let mut limits = Vec::new();
    if let Some(memory) = &board.memory {
        let most = memory.model.size;
        let heaviest = by_parameters();
        limits.push(Limit { what: "bytes of package", taken: package_bytes, most, key: "memory.model", heaviest });
    }
    if let Some(most) = board.budget.arena {
        limits.push(Limit {
            what: "bytes of arena",
            taken: package.arena_bytes() as u64,
            most,
            key: "budget.arena",
            heaviest: by_memory(&package),
        });
    }
    if let Some(most) = board.budget.flash {
        let firmware = Firmware::find(board, firmware)?;
        // A program under an operating system takes its whole file.
        let firmware_bytes = firmware.size().map_or(firmware.elf().len() as u64, |size| size.flash);
        limits.push(Limit {
            what: "bytes of firmware and package",
            taken: firmware_bytes + package_bytes,
            most,
            key: "budget.flash",
            heaviest: by_parameters(),
        });
    }
    Ok(limits)
}

fn by_memory(package: &Package<'_>) -> Vec<(String, u64)> {
    heaviest(MemoryPlan::of(package).layers.iter().map(|layer| (layer.operator, layer.bytes as u64)))
}

/// The layers of most weight, heaviest first.
fn heaviest(layers: impl Iterator<Item = (&'static str, u64)>) -> Vec<(String, u64)> {
    let mut layers: Vec<(String, u64)> =
        layers.enumerate().map(|(index, (operator, weight))| (format!("{index} {operator}"), weight)).collect();
    layers.sort_by_key(|&(_, weight)| std::cmp::Reverse(weight));
    layers.truncate(NAMED_LAYERS);
    layers
}

fn refuse_broken(board: &Board, file: &PackageFile, limits: &[Limit]) -> Result<(), BudgetError> {
    let broken: Vec<Limit> = limits.iter().filter(|limit| limit.taken > limit.most).cloned().collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(BudgetError::Broken { package: file.path().to_owned(), board: board.name.clone(), broken })
}
