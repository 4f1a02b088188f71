//! What the inference path links, read from the symbols of images that hold nothing else (`src/bin/inference.rs`).
//!
//! Every panic ends in the panic handler, which in those images does nothing but call `a_panic_is_linked`: that symbol
//! is there when, and only when, the optimised code can reach a panic. The other names say which.

mod freshness;

use std::fs::{self, File};
use std::panic;
use std::path::Path;
use std::time::Duration;

use object::{Object, ObjectSymbol};

const TARGETS: [&str; 3] = ["thumbv6m-none-eabi", "thumbv7em-none-eabihf", "thumbv8m.main-none-eabihf"];

/// Parts of the names of what ends in a panic or formats: `core::fmt`, the `fmt` of a trait, and in `core`'s slices,
/// options and results the functions whose names end in `_fail` or `_failed`.
const UNWANTED: [&str; 5] = ["a_panic_is_linked", "core::panicking", "fmt::", "::fmt", "_fail"];

/// Every name in the symbol table of an image.
fn symbols(image: &str, remedy: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("build").join(image);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `{remedy}`", path.display()));
    freshness::assert_fresh(&path, remedy);
    let elf = object::File::parse(&*bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let names = elf.symbols().filter_map(|symbol| symbol.name().ok().map(demangled));
    names.collect()
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn unwanted(symbols: Vec<String>) -> Vec<String> {
    symbols.into_iter().filter(|name| UNWANTED.iter().any(|part| name.contains(part))).collect()
}

#[test]
fn no_panic_and_no_formatting_is_linked() {
    for target in TARGETS {
        let image = format!("inference-{target}.elf");
        let symbols = symbols(&image, ".ci/inference-images");
        // An image that lost its code would be free of everything.
        for part in ["_start", "fude_runtime::kernels::", "fude_runtime::ink::", "memcpy"] {
            assert!(symbols.iter().any(|name| name.contains(part)), "{image} has no {part}: is it all there?");
        }
        let culprits = unwanted(symbols);
        assert!(
            culprits.is_empty(),
            "{image} links {culprits:#?}; `llvm-objdump -d -C -l firmware/build/{image}` shows the lines that call them"
        );
    }
}

/// The application's dependencies can panic, with messages that are formatted: the same look at a board's image finds
/// both.
#[test]
fn in_a_boards_image_both_are_found() {
    let culprits = unwanted(symbols("qemu-m4.elf", "make firmware"));
    for part in ["core::panicking::panic_fmt", "core::fmt::Display>::fmt"] {
        assert!(culprits.iter().any(|name| name.contains(part)), "{part} is not among {culprits:#?}");
    }
}

#[test]
fn an_image_older_than_a_source_is_refused() {
    let (changed, source) = freshness::newest_source();
    let path = std::env::temp_dir().join(format!("fude-image-{}", std::process::id()));
    let image = File::create(&path).unwrap();
    image.set_modified(changed).unwrap();
    freshness::assert_fresh(&path, "make firmware");
    image.set_modified(changed - Duration::from_secs(1)).unwrap();
    let refused = panic::catch_unwind(|| freshness::assert_fresh(&path, "make firmware")).unwrap_err();
    fs::remove_file(&path).unwrap();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.contains("`make firmware`") && message.contains(source.to_str().unwrap()), "{message}");
}
