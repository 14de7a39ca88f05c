#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| xmppd_fuzz_targets::uci_diff::run(input));
