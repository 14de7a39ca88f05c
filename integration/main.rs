//! What holds on real servers: xmppd and its ACS against a real Prosody, one module per theme, one binary for all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    unreachable_pub,
    reason = "all of it is test code, where a failed step is to fail the test"
)]

mod acs;
mod bad_input;
mod certificates;
mod command_line;
mod crash;
mod dns;
mod documents;
mod faults;
mod fleet;
mod genieacs;
mod harness;
mod harness_itself;
mod hostile;
mod ipv6;
mod login;
mod operator_tool;
mod outage;
mod payloads;
mod reload;
mod requests;
mod resumption;
mod smoke;
mod soak;
mod stopping;
mod storms;
mod strangers;
mod stream_errors;
