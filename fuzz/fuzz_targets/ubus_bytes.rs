#![no_main]

#[path = "../src/ubus_bytes.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
