#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fude_fuzz::idx::run(bytes));
