//! A program that runs layers by themselves under Linux, as the image `kernels` does on boards without: the file that is
//! named holds trials ([`fude_runtime::trial`]), and of each standard output gets the CRC-32 of its result, or `refused`.
//!
//! `make bench-pi` counts its instructions and the tests compare kernels with the oracle.

#[path = "../markers.rs"]
mod markers;

use std::process::ExitCode;
use std::{env, fs};

use fude_runtime::package::{AlignedBytes, CRC32};
use fude_runtime::trial::Trial;
use markers::{trial_begins, trial_ends};

fn main() -> ExitCode {
    let Some(path) = env::args_os().nth(1) else {
        eprintln!("name the file of the trials");
        return ExitCode::FAILURE;
    };
    match fs::read(&path) {
        Ok(trials) => {
            run(AlignedBytes::copy_of(&trials).as_slice());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn run(mut trials: &[u8]) {
    while let Some((trial, rest)) = Trial::read(trials) {
        let mut arena = AlignedBytes::copy_of(&vec![0; trial.arena_bytes()]);
        let prepared = trial.prepare(arena.as_mut_slice());
        trial_begins();
        let output = trial.run(arena.as_mut_slice());
        trial_ends();
        match output.filter(|_| prepared.is_some()) {
            Some(output) => println!("{:08x}", CRC32.checksum(output)),
            None => println!("refused"),
        }
        trials = rest;
    }
}
