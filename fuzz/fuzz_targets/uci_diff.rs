#![no_main]

#[path = "../src/uci_diff.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
