//! Edits of the file faster than anything can follow, at the worst moments, and files of the worst kind. At the end what
//! runs is what the file says, and no stream was ever cut that no edit was about.

mod directories;
mod edits;
mod good_and_bad;
mod large;
mod no_watch;
mod overflow;
mod phases;
mod slow_writer;

use crate::harness::Scene;
use crate::harness::scene::Settings;
use crate::harness::uci::Section;

/// Adds a connection `cpeN@a.test/wan` to the file, and its account to the server.
fn add_connection(scene: &mut Scene, id: u32) {
    let jid = format!("cpe{id}@a.test/wan");
    scene.prosody.account(&format!("cpe{id}@a.test"));
    scene.settings.connections.push(Section::connection(id, &jid, &scene.prosody));
    scene.settings.servers.push(Section::server(id, &scene.prosody));
}

/// Takes a connection out of the settings.
fn remove_connection(settings: &mut Settings, id: u32) {
    settings.connections.retain(|section| section.get("con_inst") != Some(&id.to_string()));
    settings.servers.retain(|section| section.get("con_id") != Some(&id.to_string()));
}
