#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| fude_fuzz::package::run(bytes));
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fude_fuzz::package::mutate_package(data, size, max_size, seed, fuzzer_mutate)
});
