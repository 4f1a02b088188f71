//! `docs/package-format.md` stays true: its limits are the runtime's, its worked example is what the writer writes.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use fude_runtime::limits;
use fude_runtime::package::SectionKind;

use crate::blessing;
use crate::models::{halves, section};

const FENCE: &str = "```hexdump\n";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/package-format.md")
}

fn page() -> String {
    std::fs::read_to_string(path()).expect("the page exists")
}

#[test]
fn the_page_names_the_limits() {
    let page = page();
    for (name, value) in [
        ("MAX_LAYERS", limits::MAX_LAYERS),
        ("MAX_TENSORS", limits::MAX_TENSORS),
        ("MAX_NAME", limits::MAX_NAME),
        ("MAX_LABEL", limits::MAX_LABEL),
        ("MAX_SIDE", limits::MAX_SIDE),
        ("MAX_TENSOR_ELEMENTS", limits::MAX_TENSOR_ELEMENTS),
        ("MAX_FAN_IN", limits::MAX_FAN_IN),
    ] {
        assert!(page.contains(&format!("\n| `{name}` | {value} |")), "{name} is {value}");
    }
}

#[test]
fn the_page_shows_the_package_of_the_two_halves() {
    let page = page();
    let start = page.find(FENCE).expect("the page has a dump") + FENCE.len();
    let end = start + page[start..].find("```").expect("the dump ends");
    let dump = dump(&halves());
    if blessing() {
        std::fs::write(path(), [&page[..start], &dump, &page[end..]].concat()).expect("the page can be written");
    } else {
        assert_eq!(page[start..end], dump);
    }
}

/// Sixteen bytes a line, a heading for each part of the package.
fn dump(package: &[u8]) -> String {
    let mut parts: Vec<(&str, Range<usize>)> = vec![("header", 0..64), ("section table", 64..124)];
    for (name, kind) in [
        ("manifest", SectionKind::Manifest),
        ("weights", SectionKind::Weights),
        ("labels", SectionKind::Labels),
        ("golden vectors", SectionKind::Golden),
        ("label bitmaps", SectionKind::LabelBitmaps),
    ] {
        parts.push((name, section(package, kind)));
    }
    parts.push(("CRC-32", package.len() - 4..package.len()));

    let mut text = String::new();
    let mut end = 0;
    for (name, part) in parts {
        assert!(package[end..part.start].iter().all(|&byte| byte == 0), "padding is zero");
        end = part.end;
        writeln!(text, "{name}").expect("memory");
        for (index, line) in package[part.clone()].chunks(16).enumerate() {
            let bytes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "  {:04x}  {}", part.start + 16 * index, bytes.join(" ")).expect("memory");
        }
    }
    text
}
