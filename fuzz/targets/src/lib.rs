//! The bodies of the fuzz targets. Each has a function `run` that panics if xmppd mishandles the input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a panic is how a target reports a finding"
)]

pub mod login_bytes;
mod socket;
mod stanza_oracle;
pub mod stanza_to_decision;
pub mod ubus_bytes;
pub mod uci_diff;
pub mod uci_text;
mod xml_tree;
