//! `fude verify` against the emulated board. It needs `qemu-system-arm` and the board's image: `make firmware`.

use std::fs;

use burn::tensor::Device;
use fude_trainer::package::pack;
use fude_trainer::train::RunFolder;

use crate::fude::{Finished, fude, repository};
use crate::trained::{OnDisk, trained};

const GLYPHS: &str = "16";

/// Verifies the trained package on `board`.
fn verify(copy: &OnDisk, board: &str) -> Finished {
    let image = repository().join("firmware/build/qemu-m4.elf");
    assert!(image.is_file(), "{} is missing: run `make firmware`", image.display());
    let package = copy.package().display().to_string();
    let limit = ["--distortions", "1", "--limit", GLYPHS, "--json"];
    fude(["verify", &package, "--board", board, "--data", &copy.data()].iter().chain(&limit))
}

#[test]
fn the_board_gives_the_hosts_bytes() {
    let verification = verify(&trained().copy(), "qemu-m4").document();
    assert_eq!((&verification["n"], &verification["mismatches"]), (&16.into(), &0.into()), "{verification}");
    assert_eq!((&verification["board"], &verification["status"]), (&"qemu-m4".into(), &"emulated".into()));
    assert_eq!(verification["host_top1"], verification["board_top1"]);
    assert!(verification["first_mismatch"].is_null());
    assert!(verification["instructions_per_glyph"].as_u64().unwrap() > 100_000, "{verification}");
}

/// A board that runs another model than the host: one whose last layer has other biases.
#[test]
fn a_board_with_other_weights_is_found_out() {
    let copy = trained().copy();
    let mut checkpoint = RunFolder::new(copy.run()).read_latest(&Device::flex()).unwrap();
    let last = checkpoint.network.layers.pop().unwrap();
    let bias = last.bias.map(|bias| bias.map(|bias| bias + 0.5));
    checkpoint.network.layers.push(fude_trainer::model::Layer { bias, ..last });
    let doctored = copy.path("doctored.fude");
    fs::write(&doctored, pack(&checkpoint, &[], None).unwrap()).unwrap();

    // A board of one's own, described as the built-in one but for the package that its emulator loads.
    let description = fs::read_to_string(repository().join("boards/qemu-m4/board.toml")).unwrap();
    assert!(description.contains("{package}"));
    let description = description.replace("{package}", &doctored.display().to_string());
    fs::create_dir(copy.path("board")).unwrap();
    fs::write(copy.path("board/board.toml"), description).unwrap();

    let finished = verify(&copy, &copy.path("board").display().to_string());
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let verification: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&verification["n"], &verification["mismatches"]), (&16.into(), &16.into()), "{verification}");
    let last_layer = checkpoint.network.architecture().nodes.len() - 1;
    assert_eq!(verification["first_mismatch"]["layer"], last_layer);
}
