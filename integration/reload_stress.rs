//! Many edits in quick succession, at bad moments, and extreme files. Afterwards the settings of the file are applied,
//! and no stream was cut except by an edit of its connection.

mod directories;
mod edits;
mod good_and_bad;
mod large;
mod no_watch;
mod overflow;
mod phases;
mod slow_writer;

use crate::harness::fleet::jid;
use crate::harness::{Fixture, Server};

/// Adds a connection of the fleet to the settings, and its account to the server.
fn add_connection(fixture: &mut Fixture, id: u32) {
    fixture.prosody.account(&format!("cpe{id}@a.test"));
    fixture.settings.add(id, &jid(id), &fixture.prosody);
}
