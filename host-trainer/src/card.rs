//! Model cards: what a package is, from the package and what was measured of it.

use fude_runtime::package::Package;
use serde_json::Value;

use crate::package::count_label_bitmaps;

/// What only people know.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the model recognises, and what for.
    pub purpose: String,
    /// Training and test data with their licences.
    pub data: Vec<String>,
    /// The command that makes the model.
    pub command: String,
    /// What it cannot do.
    pub limits: String,
}

/// The card of `package`, whose measurements are `measured`.
pub fn markdown(package: &Package<'_>, measured: &Value, facts: &Facts) -> String {
    let name = &package.manifest().name;
    let cost = package.graph().total_cost();
    let labels: Vec<&str> = package.labels().take(100).collect();
    let more = if package.classes() > labels.len() { " …" } else { "" };
    let data: String = facts.data.iter().map(|line| format!("- {line}\n")).collect();
    let percent = |key: &str| {
        let share = measured["top1"][key].as_f64();
        share.map_or_else(|| "not measured".to_owned(), |share| format!("{:.2} %", 100.0 * share))
    };
    let board = &measured["board"];
    let test = &measured["test"];
    format!(
        "# {name}\n\n\
         Recognises {purpose}.\n\n\
         | | |\n|---|---|\n\
         | classes | {classes} |\n\
         | package | {package_bytes} bytes |\n\
         | arena | {arena} bytes |\n\
         | labels with a bitmap for displays | {label_bitmaps} |\n\
         | parameters | {parameters} |\n\
         | multiply-accumulates a glyph | {macs} |\n\
         | flash with firmware on {board_name} | {flash} |\n\
         | instructions a glyph on {board_name} ({status}) | {instructions} |\n\n\
         ## Accuracy\n\n\
         {what} of the face {face} ({images} images, seed {seed}):\n\n\
         | form | top-1 |\n|---|---|\n\
         | float | {float} |\n\
         | fake-quantised | {fake} |\n\
         | INT8, host | {host} |\n\
         | INT8, {board_name} ({status}) | {board_top1} |\n\n\
         Host and board differed in {mismatches} of {images} images.\n\n\
         ## Data\n\n{data}\n\
         ## Recipe\n\n`{command}`\n\n\
         ## Limits\n\nThe model {limits}.\n\n\
         ## Classes\n\n{labels}{more}\n",
        purpose = facts.purpose,
        classes = package.classes(),
        package_bytes = package.package_bytes(),
        arena = package.arena_bytes(),
        label_bitmaps = count_label_bitmaps(package),
        parameters = cost.parameters,
        macs = cost.macs,
        board_name = text(&board["name"]),
        flash = board["flash_bytes"].as_u64().map_or("–".to_owned(), |bytes| format!("{bytes} bytes")),
        status = text(&board["status"]),
        instructions = text(&board["instructions_per_glyph"]),
        what = text(&test["what"]),
        face = text(&test["face"]),
        images = text(&test["images"]),
        seed = text(&test["seed"]),
        float = percent("float"),
        fake = percent("fake_quantized"),
        host = percent("int8_host"),
        board_top1 = percent("int8_board"),
        mismatches = text(&board["mismatches"]),
        command = facts.command,
        limits = facts.limits,
        labels = labels.join(" "),
    )
}

/// A value without quotation marks; a dash for one that was not measured.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
