//! What a package costs, layer by layer, and budgets that it has to keep. It needs the emulator and the image of
//! `qemu-m4`: `make test` gets both.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::emulated_board::assert_fresh_image;
use crate::fude::{fude, repository};
use crate::trained::trained;

const QUICKSTART: &str = "models/quickstart.fude";

/// `qemu-m4` with a budget, in a folder of its own.
fn board_with(budget: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let description = fs::read_to_string(repository().join("boards/qemu-m4/board.toml")).unwrap();
    fs::write(folder.path().join("board.toml"), format!("{description}\n[budget]\n{budget}\n")).unwrap();
    folder
}

fn sum(layers: &[Value], key: &str) -> u64 {
    layers.iter().map(|layer| layer[key].as_u64().unwrap()).sum()
}

#[test]
fn an_emulated_board_counts_the_instructions_of_every_layer() {
    assert_fresh_image("qemu-m4");
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("new/profile.svg").display().to_string();
    let arguments = ["profile", QUICKSTART, "--board", "qemu-m4", "--json", "--plot", &plot];
    let profile = fude(arguments).document();
    assert_eq!((&profile["status"], &profile["unit"]), (&"emulated".into(), &"instructions".into()));
    let layers = profile["layers"].as_array().unwrap();
    // The work is the model's; instructions are the kernels', and the same in every run.
    assert_eq!((layers.len(), sum(layers, "multiplications")), (27, 2_445_568));
    assert_eq!(profile["multiplications"], 2_445_568);
    assert_eq!(profile["parameter_bytes"], sum(layers, "parameter_bytes"));
    assert_eq!((&layers[2]["operator"], &layers[2]["output_bytes"]), (&"pointwise".into(), &18_432.into()));
    let cost = profile["cost"].as_u64().unwrap();
    assert_eq!(sum(layers, "cost") + profile["outside_layers"].as_u64().unwrap(), cost);
    assert!((1_000_000..20_000_000).contains(&cost) && cost.is_multiple_of(40), "{cost}");
    assert_eq!(fude(arguments).document(), profile);
    assert!(fs::read_to_string(plot).unwrap().contains("on qemu-m4 (emulated)"));
    let text = fude(["profile", QUICKSTART, "--board", "qemu-m4"]).stdout;
    assert!(text.contains("qemu-m4 (emulated)"), "{text}");
}

#[test]
fn this_machine_is_measured_in_nanoseconds() {
    let image = "docs/images/gaku.png";
    let profile = fude(["profile", QUICKSTART, "--board", "host", "--image", image, "--json"]).document();
    assert_eq!((&profile["unit"], &profile["status"]), (&"nanoseconds".into(), &Value::Null));
    let layers = profile["layers"].as_array().unwrap();
    let (cost, of_layers) = (profile["cost"].as_u64().unwrap(), sum(layers, "cost"));
    assert!(0 < of_layers && of_layers <= cost, "{profile}");
    assert!(profile["runs"].as_u64().unwrap() >= 5);
}

#[test]
fn a_board_that_does_not_count_is_refused() {
    fude(["profile", QUICKSTART, "--board", "rpi-linux"]).assert_fails_naming(&[
        "\"rpi-linux\" does not count instructions",
        "qemu-m4",
        "`host`",
    ]);
}

#[test]
fn the_memory_plan_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("memory.svg").display().to_string();
    let document = fude(["inspect", QUICKSTART, "--json", "--plot", &plot]).document();
    let memory = &document["memory"];
    assert_eq!((&memory["arena_bytes"], &memory["lower_bound"]), (&27_648.into(), &27_648.into()));
    assert_eq!(memory["within_two_per_cent"], true);
    let blocks = memory["blocks"].as_array().unwrap();
    assert_eq!(blocks.iter().filter(|block| !block["tensor"].is_null()).count(), 28);
    assert!(fs::read_to_string(plot).unwrap().contains("26 dense"));
    let text = fude(["inspect", QUICKSTART]).stdout;
    let rows = text.lines().filter(|line| line.ends_with('|')).collect::<Vec<_>>();
    assert_eq!(rows.len(), 27, "{text}");
    assert!(rows[2].contains("w3====") && rows[2].contains("r2===="), "{}", rows[2]);
    assert!(text.contains("27,648, the least there can be"), "{text}");
}

#[test]
fn a_board_is_held_to_its_budget() {
    assert_fresh_image("qemu-m4");
    let kept = board_with("flash = 400_000\narena = 30_000\nstack = 30_000\ninstructions = 20_000_000");
    let document = fude(["inspect", QUICKSTART, "--json", "--board", &kept.path().display().to_string()]).document();
    let limits = document["board"]["limits"].as_array().unwrap();
    let keys: Vec<_> = limits.iter().map(|limit| limit["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["memory.model", "budget.arena", "budget.flash", "budget.stack", "budget.instructions"]);
    assert_eq!(document["weight_layout"], "dsp");

    let cases: [(&str, &[&str]); 4] = [
        ("arena = 27_000", &["904 more than the 27,000 of `budget.arena`", "layer 6 pointwise (27,904)"]),
        ("flash = 100_000", &["of `budget.flash`", "layer 19 pointwise (17,408)"]),
        ("stack = 1_000", &["bytes of stack are", "the 1,000 of `budget.stack`"]),
        ("instructions = 1_000_000", &["the 1,000,000 of `budget.instructions`", "layer 6 pointwise ("]),
    ];
    for (budget, parts) in cases {
        let board = board_with(budget);
        fude(["inspect", QUICKSTART, "--board", &board.path().display().to_string()])
            .assert_fails_naming(&[parts, &["\"qemu-m4\"", QUICKSTART]].concat());
    }
    // What the micro:bit's hardware leaves.
    fude(["inspect", QUICKSTART, "--board", "qemu-microbit"]).assert_fails_naming(&["the 4,096 of `budget.arena`"]);
}

#[test]
fn export_and_verify_refuse_what_breaks_a_budget() {
    assert_fresh_image("qemu-m4");
    let copy = trained().copy();
    let (run, out) = (copy.run().display().to_string(), copy.path("m4.fude"));
    let export = |board: &str| {
        fude(["export", &run, "--out", &out.display().to_string(), "--board", board, "--data", &copy.data(), "--json"])
    };
    let small = board_with("arena = 1_000");
    let small = small.path().display().to_string();
    export(&small).assert_fails_naming(&["m4.fude", "the 1,000 of `budget.arena`", "most weigh layer"]);
    assert!(!out.exists(), "a package that was refused was written");
    // Instructions are counted of what is not yet written.
    let large = board_with("instructions = 20_000_000");
    export(&large.path().display().to_string()).document();
    let inspected = fude(["inspect", &out.display().to_string(), "--json"]).document();
    assert_eq!(inspected["weight_layout"], "dsp");
    let both = ["export", &run, "--out", "x.fude", "--board", "qemu-m4", "--layout", "dsp"];
    assert!(fude(both).stderr.contains("cannot be used with"));

    let package = copy.package().display().to_string();
    let data = copy.data();
    let finished = fude(["verify", &package, "--board", &small, "--data", &data, "--limit", "1", "--json"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let verification: Value = serde_json::from_str(&finished.stdout).unwrap();
    let refusal = verification["boards"][0]["too_small"].as_str().unwrap();
    assert!(refusal.contains("the 1,000 of `budget.arena`"), "{refusal}");
}
