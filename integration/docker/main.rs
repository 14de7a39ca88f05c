//! Scenarios that loopback cannot show, on hosts that are containers: a server, name servers, a NAT router, CPEs, an ACS.
//!
//! `make docker-test` runs them (`run.sh`): it builds the images, and removes what killed runs left. `cargo test` does not:
//! they need a Docker engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    unreachable_pub,
    reason = "test code, in which a failed step fails the test"
)]

mod harness;
mod scenarios;
