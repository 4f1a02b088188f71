//! What the runtime takes on a Cortex-M4, against `firmware/footprint.toml`.
//!
//! Flash: `.ci/inference-images` links `src/bin/footprint.rs`, the least that an application needs, with every operator and
//! every check; `make size` prints this table. Stack: what `src/bin/kernels.rs` has measured, in
//! `docs/measured/kernels.json`.

mod freshness;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use serde::Deserialize;

/// The most that may be taken, in bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    /// Of flash: all sections that are there.
    total: u64,
    /// Of flash: the parts whose names begin with `framework`.
    framework: u64,
    /// Of flash: what the feature `bands` adds.
    bands: u64,
    /// Of stack: what the kernels take of it for any of the shapes and for the network.
    stack: u64,
    /// Of flash: by the names of [`part_of`].
    parts: BTreeMap<String, u64>,
}

/// Which part of the runtime a symbol belongs to. What the compiler inlines counts where it ends up.
fn part_of(symbol: &str) -> &'static str {
    let rules: &[(&[&str], &str)] = &[
        (
            &[
                "fude_dsp_planes",
                "fude_dsp_copy",
                "Dsp as fude_runtime::kernels::arch::InstructionSet>::depthwise",
                "dsp::depthwise",
                "kernels::depthwise",
                "arch::planes",
            ],
            "kernel: depthwise",
        ),
        (
            &["fude_dsp_", "dsp::", "InstructionSet>::", "kernels::convolution", "kernels::dense"],
            "kernel: convolution and dense",
        ),
        (&["kernels::elementwise", "kernels::layer::move_tensor"], "kernel: gate and add"),
        (&["kernels::top_k"], "kernel: top k"),
        (&["kernels::"], "kernel: pools, and the choice of the kernel"),
        (&["fude_runtime::ink"], "ink"),
        (
            &["fude_runtime::graph::check", "fude_runtime::graph::shape", "fude_runtime::layout"],
            "framework: checks of the graph",
        ),
        (&["package::decode", "package::manifest"], "framework: manifest"),
        (&["fude_runtime::"], "framework: package and recogniser"),
        (&["_start"], "application: what calls it"),
    ];
    let found = rules.iter().find(|(names, _)| names.iter().any(|name| symbol.contains(name)));
    found.map_or("language: copying, text, constants", |(_, part)| part)
}

/// A file of the repository, as a path from this package's folder.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn budget() -> Budget {
    toml::from_str(&fs::read_to_string(file("footprint.toml")).unwrap()).unwrap()
}

/// An image of `.ci/inference-images`: its sections in flash, and the bytes of all its functions, part by part.
struct Image {
    sections: Vec<(String, u64)>,
    parts: BTreeMap<&'static str, u64>,
}

impl Image {
    fn read(name: &str) -> Self {
        let (path, remedy) = (file("build").join(name), ".ci/inference-images");
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `{remedy}`", path.display()));
        freshness::assert_fresh(&path, remedy);
        let elf = object::File::parse(&*bytes).unwrap();
        let in_flash = |kind| matches!(kind, SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::Data);
        let sections = elf.sections().filter(|section| in_flash(section.kind()));
        let mut parts = BTreeMap::new();
        for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap()));
            *parts.entry(part_of(&name)).or_default() += symbol.size();
        }
        Self { sections: sections.map(|section| (section.name().unwrap().to_owned(), section.size())).collect(), parts }
    }

    fn total(&self) -> u64 {
        self.sections.iter().map(|(_, size)| size).sum()
    }
}

#[test]
fn the_runtime_stays_within_its_budget_of_flash() {
    let (image, banded, budget) = (Image::read("footprint.elf"), Image::read("footprint-bands.elf"), budget());
    println!("flash of the runtime on Cortex-M4, in bytes\n");
    for (section, size) in &image.sections {
        println!("{section:<44} {size:>6}");
    }
    println!();
    let most = |part: &str| budget.parts.get(part).copied().unwrap_or(0);
    for (part, size) in &image.parts {
        println!("{part:<44} {size:>6} of {:>6}", most(part));
    }
    let framework: u64 =
        image.parts.iter().filter(|(part, _)| part.starts_with("framework")).map(|(_, size)| size).sum();
    let (total, bands) = (image.total(), banded.total() - image.total());
    println!("{:<44} {framework:>6} of {:>6}", "framework", budget.framework);
    println!("{:<44} {total:>6} of {:>6}", "all sections", budget.total);
    println!("{:<44} {bands:>6} of {:>6}", "layers that run band by band, beyond that", budget.bands);

    let is_over = |(part, size): &(&&str, &u64)| **size > most(part);
    let over: Vec<&&str> = image.parts.iter().filter(is_over).map(|(part, _)| part).collect();
    assert!(over.is_empty(), "over the budget of footprint.toml: {over:?}");
    for (what, size, most) in
        [("framework", framework, budget.framework), ("all", total, budget.total), ("bands", bands, budget.bands)]
    {
        assert!(size <= most, "{size} bytes of {what} are over the budget of {most}");
    }
    for part in budget.parts.keys() {
        assert!(
            image.parts.contains_key(part.as_str()),
            "footprint.toml has a budget for {part:?}, which is not there"
        );
    }
}

#[test]
fn the_kernels_stay_within_their_budget_of_stack() {
    #[derive(Deserialize)]
    struct Count {
        stack: u64,
    }
    let record = fs::read(file("../docs/measured/kernels.json")).unwrap();
    let cores: BTreeMap<String, BTreeMap<String, Count>> = serde_json::from_slice(&record).unwrap();
    let (most, shape) = cores["m4"].iter().map(|(shape, count)| (count.stack, shape)).max().unwrap();
    let budget = budget().stack;
    println!("{:<44} {most:>6} of {budget:>6}", format!("stack of the kernels, most in {shape:?}"));
    assert!(most <= budget, "{shape:?} takes {most} bytes of stack, over the budget of {budget}");
}
