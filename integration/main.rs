//! Integration tests: xmppd and an ACS with real servers, one module per theme, in a single binary.
//!
//! Modules and tests with `#[cfg(servers)]` need the programs that `make deps` installs. If one is missing, the build script
//! generates ignored tests of the same names instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    unreachable_pub,
    reason = "test code, in which a failed step fails the test"
)]
#![cfg_attr(
    not(servers),
    allow(dead_code, unused_imports, unused_macros, reason = "used only by tests that need servers")
)]

#[cfg(servers)]
mod acs;
#[cfg(servers)]
mod bad_input;
#[cfg(servers)]
mod certificates;
mod command_line;
#[cfg(servers)]
mod crash;
#[cfg(servers)]
mod dns;
mod documents;
#[cfg(servers)]
mod faults;
#[cfg(servers)]
mod fleet;
#[cfg(servers)]
mod generations;
#[cfg(servers)]
mod genieacs;
mod harness;
mod harness_tests;
#[cfg(servers)]
mod hostile;
#[cfg(servers)]
mod ipv6;
mod log_output;
mod login;
#[cfg(servers)]
mod openwrt;
#[cfg(servers)]
mod operator_tool;
#[cfg(servers)]
mod outage;
mod packaging;
#[cfg(servers)]
mod passes;
#[cfg(servers)]
mod payloads;
#[cfg(servers)]
mod racing;
#[cfg(servers)]
mod reload;
#[cfg(servers)]
mod reload_stress;
#[cfg(servers)]
mod requests;
#[cfg(servers)]
mod resumption;
mod scripts;
#[cfg(servers)]
mod smoke;
mod soak;
mod source_tree;
mod sources;
#[cfg(servers)]
mod stopping;
mod stream_errors;
#[cfg(servers)]
mod ubus;
#[cfg(servers)]
mod untrusted_senders;

#[cfg(not(servers))]
mod skipped {
    include!(concat!(env!("OUT_DIR"), "/skipped.rs"));
}
