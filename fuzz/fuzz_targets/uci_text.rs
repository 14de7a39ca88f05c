#![no_main]

#[path = "../src/uci_text.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
