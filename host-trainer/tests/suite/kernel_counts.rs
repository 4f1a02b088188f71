//! The kernels' instructions on every emulated core against the committed records.
//!
//! The records are what `make bench-boards` has written to `runs/bench/boards.json`, and `make bench-pi` to
//! `runs/bench/pi.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use fude_runtime::trial::Kernel;
use fude_trainer::device::board::Board;
use fude_trainer::device::trials::benchmark::{CORES, Counts, count, count_linux};
use fude_trainer::device::trials::{differing, linux};
use serde::Deserialize;

/// Counts are exact; compilers differ.
const TOLERANCE: f64 = 0.01;
/// As above, where the inner loops are the compiler's.
const LINUX_TOLERANCE: f64 = 0.05;
/// Bytes of stack that another compiler may take more than the record, which `firmware/footprint.toml` limits.
const STACK_TOLERANCE: u32 = 64;
/// Random trials of each kernel and core. `make bench-boards` draws more.
const TRIALS: u64 = 150;

fn record(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/measured").join(name)
}

fn assert_near(core: &str, found: &Counts, recorded: &Counts, tolerance: f64) {
    assert!(recorded.keys().eq(found.keys()));
    for (shape, count) in found {
        let recorded = &recorded[shape];
        assert_eq!(count.output_hash, recorded.output_hash, "{core}, {shape}");
        let ratio = count.instructions as f64 / recorded.instructions as f64;
        let (now, then) = (count.instructions, recorded.instructions);
        assert!((ratio - 1.0).abs() <= tolerance, "{core}, {shape}: {now} instructions, {then} in the record");
        if let (Some(now), Some(then)) = (count.stack, recorded.stack) {
            assert!(now <= then + STACK_TOLERANCE, "{core}, {shape}: {now} bytes of stack, {then} in the record");
        }
    }
}

#[test]
fn instructions_are_those_of_the_record() {
    let found: BTreeMap<String, Counts> = CORES.iter().map(|core| (core.to_string(), count(core).unwrap())).collect();
    let recorded: BTreeMap<String, Counts> =
        serde_json::from_slice(&fs::read(record("kernels.json")).unwrap()).unwrap();
    assert!(recorded.keys().eq(found.keys()));
    for (core, counts) in &found {
        assert_near(core, counts, &recorded[core], TOLERANCE);
    }
}

/// The part of a Raspberry Pi's record that is Fude's.
#[derive(Deserialize)]
struct OnLinux {
    fude: Counts,
}

#[test]
fn instructions_on_raspberry_pis_are_those_of_the_record() {
    let recorded: BTreeMap<String, OnLinux> = serde_json::from_slice(&fs::read(record("pi.json")).unwrap()).unwrap();
    assert!(recorded.keys().eq(linux::CORES.iter().map(|core| core.name)));
    for core in &linux::CORES {
        assert_near(core.name, &count_linux(core).unwrap(), &recorded[core.name].fude, LINUX_TOLERANCE);
    }
}

#[test]
fn kernels_of_every_core_equal_the_oracle() {
    for core in CORES {
        let board = Board::find(&format!("qemu-{core}")).unwrap();
        for kernel in Kernel::ALL {
            let differing = differing(&board, kernel, TRIALS).unwrap();
            assert!(differing.is_empty(), "{core}, {kernel:?}: seeds {differing:?}");
        }
    }
    for core in &linux::CORES {
        for kernel in Kernel::ALL {
            let differing = linux::differing(core, kernel, TRIALS).unwrap();
            assert!(differing.is_empty(), "{}, {kernel:?}: seeds {differing:?}", core.name);
        }
    }
}
