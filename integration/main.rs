//! What holds on real servers: xmppd and its ACS against a real Prosody, one module per theme, one binary for all.
//!
//! What has `#[cfg(servers)]` needs what `make deps` installs. Where something of that is missing the build script puts
//! tests of the same names in their place, which are ignored.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    unreachable_pub,
    reason = "all of it is test code, where a failed step is to fail the test"
)]
#![cfg_attr(not(servers), allow(dead_code, unused_imports, reason = "what uses it is left out"))]

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
mod faults;
#[cfg(servers)]
mod fleet;
#[cfg(servers)]
mod generations;
#[cfg(servers)]
mod genieacs;
mod harness;
mod harness_itself;
mod hostile;
#[cfg(servers)]
mod ipv6;
mod login;
#[cfg(servers)]
mod operator_tool;
#[cfg(servers)]
mod outage;
#[cfg(servers)]
mod passes;
#[cfg(servers)]
mod payloads;
#[cfg(servers)]
mod racing;
#[cfg(servers)]
mod reload;
#[cfg(servers)]
mod requests;
#[cfg(servers)]
mod resumption;
#[cfg(servers)]
mod smoke;
mod soak;
mod sources;
#[cfg(servers)]
mod stopping;
#[cfg(servers)]
mod storms;
#[cfg(servers)]
mod strangers;
mod stream_errors;
#[cfg(servers)]
mod ubus;

#[cfg(not(servers))]
mod left_out {
    include!(concat!(env!("OUT_DIR"), "/left_out.rs"));
}
