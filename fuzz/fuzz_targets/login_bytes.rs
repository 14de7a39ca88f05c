#![no_main]

#[path = "../src/login_bytes.rs"]
mod target;
#[path = "../src/tree.rs"]
mod tree;
#[path = "../src/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    target::run(input);
});
