//! What Fude needs of this machine, what of it is here, and the exact remedy for what is not.
//!
//! `fude doctor` prints all of it; errors of other commands about a missing program quote the same remedy.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::device::board::Board;
use crate::device::firmware::Firmware;
use crate::files::in_source_tree;
use crate::machine::{FONT_FOLDER, FontFiles, program_version};
use crate::train::{ComputeChoice, compute_device};

/// One thing that Fude needs, and whether it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The thing.
    pub what: String,
    /// What it is needed for.
    pub needed_for: String,
    /// Whether everything that the quickstart and the boards do works without it.
    pub optional: bool,
    /// Whether it is here.
    #[serde(flatten)]
    pub state: State,
}

/// Whether a thing is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is: its version or its place.
    Found(String),
    /// It is not: what to do about it.
    Missing(String),
}

impl Finding {
    fn needed(what: String, needed_for: String, state: State) -> Self {
        Self { what, needed_for, optional: false, state }
    }

    /// Whether something does not work for want of it.
    pub fn is_trouble(&self) -> bool {
        !self.optional && matches!(self.state, State::Missing(_))
    }
}

/// Examines this machine for everything that `boards` need, and for what training can use.
pub fn examine(boards: &[Board]) -> Vec<Finding> {
    let mut findings = vec![toolchain()];
    let by_target = by_property(boards, |board| Some(board.target.as_str()));
    findings.extend(by_target.into_iter().map(|(target, boards)| compiler(target, boards)));
    let by_emulator = by_property(boards, |board| board.emulator.as_ref().map(|emulator| emulator.program.as_str()));
    findings.extend(by_emulator.into_iter().map(|(program, boards)| emulator(program, boards)));
    findings.extend(boards.iter().map(firmware));
    findings.push(gpu());
    findings
}

/// Looks for the fonts called `faces` where distributions install them.
pub fn fonts(faces: &[&str], needed_for: &str) -> Finding {
    let files = FontFiles::below(Path::new(FONT_FOLDER));
    let missing: Vec<&str> = faces.iter().copied().filter(|face| files.find(face).is_none()).collect();
    let state = match missing.as_slice() {
        [] => State::Found(format!("{} below {FONT_FOLDER}", faces.join(", "))),
        missing => State::Missing(format!("run `make setup` for {}", missing.join(", "))),
    };
    Finding::needed("fonts".into(), needed_for.into(), state)
}

/// How to get a program that is not installed.
pub fn remedy_for_program(program: &str) -> String {
    match program {
        "qemu-system-arm" => "run `make setup`, or `sudo apt-get install qemu-system-arm`".into(),
        "qemu-aarch64" | "qemu-arm" => "run `sudo apt-get install qemu-user`".into(),
        _ => "install it, and see that it is on PATH".into(),
    }
}

/// The names of the boards that share a property, by that property.
fn by_property<'b>(boards: &'b [Board], property: impl Fn(&'b Board) -> Option<&'b str>) -> BTreeMap<&'b str, String> {
    let mut groups: BTreeMap<&str, String> = BTreeMap::new();
    for board in boards {
        let Some(property) = property(board) else { continue };
        let names = groups.entry(property).or_default();
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(&board.name);
    }
    groups
}

fn toolchain() -> Finding {
    let needed = env!("CARGO_PKG_RUST_VERSION");
    let remedy = format!("install Rust {needed} or newer from https://rustup.rs; `rustup update` renews an old one");
    let state = match program_version("rustc") {
        Some(version) if is_at_least(&version, needed) => State::Found(version),
        Some(version) => State::Missing(format!("{version} is too old: {remedy}")),
        None => State::Missing(remedy),
    };
    Finding::needed("Rust toolchain".into(), "building".into(), state)
}

/// Whether a compiler that says `version` ("rustc 1.95.0 (…)") is not older than `needed` ("1.95").
fn is_at_least(version: &str, needed: &str) -> bool {
    let numbers = |text: &str| text.split('.').map_while(|part| part.parse().ok()).collect::<Vec<u32>>();
    version.split_whitespace().nth(1).is_some_and(|version| numbers(version) >= numbers(needed))
}

/// Asks the script that builds firmware, which knows every compiler that will do.
fn compiler(target: &str, boards: String) -> Finding {
    let state = match in_source_tree(Path::new(".ci/cross-cargo")) {
        None => State::Missing("firmware is built in Fude's source tree: run this there".into()),
        Some(script) => match Command::new(&script).args(["--missing", target]).output() {
            Ok(output) if output.status.success() && output.stdout.is_empty() => State::Found("installed".into()),
            Ok(output) if output.status.success() => {
                let packages = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
                State::Missing(format!("run `make setup-all`, or `sudo apt-get install {packages}`"))
            }
            Ok(output) => State::Missing(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => State::Missing(format!("{}: {error}; it needs bash", script.display())),
        },
    };
    Finding::needed(format!("compiler for {target}"), format!("firmware of {boards}"), state)
}

fn emulator(program: &str, boards: String) -> Finding {
    let state = program_version(program).map_or_else(|| State::Missing(remedy_for_program(program)), State::Found);
    Finding::needed(program.into(), format!("running {boards}"), state)
}

fn firmware(board: &Board) -> Finding {
    let state = match Firmware::find(board, None) {
        Ok(firmware) => State::Found(firmware.path().display().to_string()),
        Err(_) => State::Missing(format!("run `make firmware BOARD={}`", board.name)),
    };
    Finding::needed("firmware".into(), format!("running {}", board.name), state)
}

fn gpu() -> Finding {
    let state = match compute_device(ComputeChoice::Cuda, 0) {
        Ok(_) => State::Found("built in; its libraries and a GPU's driver are here".into()),
        Err(error) => State::Missing(error.to_string()),
    };
    Finding { optional: true, ..Finding::needed("CUDA".into(), "training faster".into(), state) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for version in ["rustc 1.95.0 (59807616e 2026-04-14)", "rustc 1.100.0", "rustc 2.0.0-nightly"] {
            assert!(is_at_least(version, "1.95"), "{version}");
        }
        for version in ["rustc 1.9.0", "rustc 1.94.1 (x)", "rustc", ""] {
            assert!(!is_at_least(version, "1.95"), "{version}");
        }
    }

    #[test]
    fn boards_that_share_a_need_are_named_together() {
        let boards = [Board::find("qemu-m4").unwrap(), Board::find("qemu-m4").unwrap()];
        let groups = by_property(&boards, |board| Some(board.target.as_str()));
        assert_eq!(groups.into_iter().collect::<Vec<_>>(), [("thumbv7em-none-eabihf", "qemu-m4, qemu-m4".into())]);
    }

    #[test]
    fn fonts_that_are_missing_are_named() {
        let finding = fonts(&["no-such-face.ttf"], "tests");
        assert_eq!(finding.state, State::Missing("run `make setup` for no-such-face.ttf".into()));
        assert!(finding.is_trouble() && !fonts(&[], "tests").is_trouble());
    }

    #[test]
    fn what_a_board_lacks_has_its_remedy() {
        let mut board = Board::find("qemu-m4").unwrap();
        board.name = "no-such-board".into();
        board.target = "no-such-target".into();
        board.emulator.as_mut().unwrap().program = "no-such-emulator".into();
        let findings = examine(&[board]);
        let remedy = |what: &str| {
            let finding = findings.iter().find(|finding| finding.what == what).unwrap();
            assert!(finding.is_trouble(), "{finding:?}");
            match &finding.state {
                State::Missing(remedy) => remedy.clone(),
                State::Found(_) => unreachable!("found things are no trouble"),
            }
        };
        assert_eq!(remedy("firmware"), "run `make firmware BOARD=no-such-board`");
        assert!(remedy("no-such-emulator").contains("PATH"));
        assert!(findings.iter().any(|finding| finding.what == "Rust toolchain" && !finding.is_trouble()));
        // A build without the GPU backend trains all the same.
        assert!(findings.iter().any(|finding| finding.what == "CUDA" && !finding.is_trouble()));
    }
}
