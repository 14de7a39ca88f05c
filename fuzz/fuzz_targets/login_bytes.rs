#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = xmppd_fuzz_targets::login_bytes::run(input);
});
