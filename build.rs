//! Tells the program when it was built: certificate checks on devices without a real-time clock need a lower bound for
//! "now". `SOURCE_DATE_EPOCH` (seconds since 1970) makes builds reproducible. Also packs the program's relocations.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    // A program that may be loaded at any address has a relocation for each pointer in its data. Packed, these take 3 kB in
    // place of 150. glibc can unpack them from 2.36 on; the program does not start with an older one. Not every linker for
    // other targets takes the option.
    let target = |name| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    println!("cargo:rustc-env=XMPPD_BUILD_TIME={}", given.unwrap_or_else(now));
}
