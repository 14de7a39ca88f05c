#![no_main]

#[path = "../src/stanza_to_decision.rs"]
mod target;
#[path = "../src/stanza_oracle.rs"]
mod stanza_oracle;
#[path = "../src/tree.rs"]
mod tree;
#[path = "../src/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
