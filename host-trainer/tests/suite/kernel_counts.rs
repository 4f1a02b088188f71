//! The kernels' instructions on every emulated core against the committed record.
//!
//! The record is what `make bench-boards` has written to `runs/bench/boards.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use fude_runtime::trial::Kernel;
use fude_trainer::device::board::Board;
use fude_trainer::device::trials::benchmark::{CORES, Counts, count};
use fude_trainer::device::trials::differing;

/// Counts are exact; compilers differ.
const TOLERANCE: f64 = 0.01;
/// Random trials of each kernel and core. `make bench-boards` draws more.
const TRIALS: u64 = 150;

fn record() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/measured/kernels.json")
}

#[test]
fn instructions_are_those_of_the_record() {
    let found: BTreeMap<String, Counts> = CORES.iter().map(|core| (core.to_string(), count(core).unwrap())).collect();
    let recorded: BTreeMap<String, Counts> = serde_json::from_slice(&fs::read(record()).unwrap()).unwrap();
    assert!(recorded.keys().eq(found.keys()));
    for (core, counts) in &found {
        assert!(recorded[core].keys().eq(counts.keys()));
        for (shape, count) in counts {
            let recorded = &recorded[core][shape];
            assert_eq!(count.output_hash, recorded.output_hash, "{core}, {shape}");
            let ratio = count.instructions as f64 / recorded.instructions as f64;
            let (now, then) = (count.instructions, recorded.instructions);
            assert!((ratio - 1.0).abs() <= TOLERANCE, "{core}, {shape}: {now} instructions, {then} in {:?}", record());
        }
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
}
