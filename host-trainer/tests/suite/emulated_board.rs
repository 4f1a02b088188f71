//! `fude verify` against emulated boards. It needs the emulators and the boards' images: `make test` gets both.

#[path = "../../../firmware/tests/freshness/mod.rs"]
mod freshness;

use std::fs;

use burn::tensor::Device;
use fude_runtime::package::repack;
use fude_trainer::device::board::Board;
use fude_trainer::package::pack;
use fude_trainer::train::RunFolder;

use crate::fude::{Finished, fude, repository};
use crate::trained::{OnDisk, trained};

const GLYPHS: &str = "16";

/// The model partition in the description of `qemu-m4`.
const PARTITION: &str = "address = 0x0020_0000\nsize = 0x0020_0000";

/// Panics where the image of a built-in board is older than its sources.
pub fn assert_fresh_image(board: &str) {
    let image = repository().join(format!("firmware/build/{board}.elf"));
    freshness::assert_fresh(&image, &format!("make firmware BOARD={board}"));
}

/// Verifies the trained package on `board`.
fn verify(copy: &OnDisk, board: &str) -> Finished {
    // Boards of one's own run the image of `qemu-m4`.
    let is_asked = |name: &str| board == "all" || name == "qemu-m4";
    for (name, _) in fude_boards::BUILT_IN.iter().filter(|(name, _)| is_asked(name)) {
        assert_fresh_image(name);
    }
    let package = copy.package().display().to_string();
    let limit = ["--distortions", "1", "--limit", GLYPHS, "--json"];
    fude(["verify", &package, "--board", board, "--data", &copy.data()].iter().chain(&limit))
}

/// A board of one's own, described as the built-in one but for `new` in the place of `old`; its folder.
fn own_board(copy: &OnDisk, old: &str, new: &str) -> String {
    let description = fs::read_to_string(repository().join("boards/qemu-m4/board.toml")).unwrap();
    assert!(description.contains(old));
    fs::create_dir(copy.path("board")).unwrap();
    fs::write(copy.path("board/board.toml"), description.replace(old, new)).unwrap();
    copy.path("board").display().to_string()
}

#[test]
fn every_board_gives_the_hosts_bytes() {
    let verification = verify(&trained().copy(), "all").document();
    assert_eq!(verification["n"], 16);
    let boards = verification["boards"].as_array().unwrap();
    assert!(boards.iter().any(|board| board["board"] == "qemu-m4"), "{verification}");
    for board in boards {
        assert_eq!((&board["mismatches"], &board["status"]), (&0.into(), &"emulated".into()), "{verification}");
        assert_eq!(verification["host_top1"], board["top1"]);
        assert!(board["first_mismatch"].is_null());
        // A program under Linux has no counter of instructions.
        let counts = board["board"].as_str().unwrap().starts_with("qemu-");
        let instructions = board["instructions_per_glyph"].as_u64();
        assert_eq!(instructions.map(|count| count > 100_000), counts.then_some(true), "{verification}");
    }
}

/// A board that runs another model than the host: one of the same name, whose last layer has other biases.
#[test]
fn a_board_with_other_weights_is_found_out() {
    let copy = trained().copy();
    let mut checkpoint = RunFolder::new(copy.run()).read_latest(&Device::flex()).unwrap();
    let last = checkpoint.network.layers.pop().unwrap();
    let bias = last.bias.map(|bias| bias.map(|bias| bias + 0.5));
    checkpoint.network.layers.push(fude_trainer::model::Layer { bias, ..last });
    let doctored = copy.path("doctored.fude");
    let layout = Board::find("qemu-m4").unwrap().weights;
    fs::write(&doctored, repack(&pack(&checkpoint, &[], None).unwrap(), layout).unwrap()).unwrap();

    let board = own_board(&copy, "{package}", &doctored.display().to_string());
    let finished = verify(&copy, &board);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let verification: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let board = &verification["boards"][0];
    assert!(board["error"].as_str().unwrap().contains("the board runs the model"), "{verification}");
}

#[test]
fn a_board_too_small_for_the_package_does_not_hinder_the_others() {
    let copy = trained().copy();
    let small = own_board(&copy, PARTITION, "address = 0x0020_0000\nsize = 0x0000_0100");
    let finished = verify(&copy, &format!("{small},qemu-m4"));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let verification: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let boards = &verification["boards"];
    assert!(boards[0]["too_small"].as_str().unwrap().contains("`memory.model`"), "{verification}");
    assert_eq!(boards[1]["mismatches"], 0, "{verification}");
}

/// The board finds no package where it looks for one: that is a mistake in the description, not a board too small.
#[test]
fn a_board_that_finds_no_package_has_failed() {
    let copy = trained().copy();
    let elsewhere = own_board(&copy, PARTITION, "address = 0x0030_0000\nsize = 0x0010_0000");
    let finished = verify(&copy, &format!("{elsewhere},qemu-m4"));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let verification: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let boards = &verification["boards"];
    assert!(boards[0]["error"].as_str().unwrap().contains("NotAPackage"), "{verification}");
    assert!(boards[0]["too_small"].is_null(), "{verification}");
    assert_eq!(boards[1]["mismatches"], 0, "{verification}");
}
