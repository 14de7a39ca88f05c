//! Tells the program when it was built: certificate checks on devices without a real-time clock need a lower bound for
//! "now". `SOURCE_DATE_EPOCH` (seconds since 1970) makes builds reproducible.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    println!("cargo:rustc-env=XMPPD_BUILD_TIME={}", given.unwrap_or_else(now));
}
