//! Files of many sections, and sections of a megabyte.

use std::fmt::Write as _;

use super::add_connection;
use crate::harness::stanzas::{assert_result, ping};
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

/// Half of them connections that are not enabled, half of them their servers.
const SECTIONS: u32 = 10_000;

#[tokio::test]
async fn ten_thousand_sections() {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    let small = scene.settings.clone();
    // Some that run, among all those that do not.
    for id in 3..=5 {
        add_connection(&mut scene, id);
    }
    for id in 6..=SECTIONS / 2 {
        let jid = format!("cpe{id}@a.test/wan");
        scene.settings.connections.push(Section::connection(id, &jid, &scene.prosody).option("enable", 0));
        scene.settings.servers.push(Section::server(id, &scene.prosody));
    }
    for (how, alias) in [(How::InPlace, "many"), (How::Commit, "as many")] {
        scene.by(how);
        let mark = scene.edit(|settings| settings.set_connection(2, "con_alias", alias));
        loop {
            assert_result(&scene.acs.ask(&ping(CPE1)).await);
            if !scene.daemon.log().since(mark, &["connection 2", "settings taken over in place"]).is_empty() {
                break;
            }
        }
        scene.assert_both_same().await;
    }
    scene.wait_file_runs().await;
    scene.edit(|settings| *settings = small);
    scene.wait_file_runs().await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}

/// Wherever it is: the other sections are taken, and what is said of it stays a line.
#[tokio::test]
async fn a_megabyte() {
    let mut scene = Scene::start().await;
    let big = "x".repeat(1 << 20);
    let mut jids = String::new();
    for n in 0..30_000 {
        writeln!(jids, "\tlist allowed_jid 'someone-{n}@example.test'").unwrap();
    }
    let general = |more: &str| format!("config xmpp 'xmpp'\n\t{more}\n");
    let third = |more: &str| format!("config connection 'third'\n\toption con_inst '3'\n\t{more}\n");
    let additions = [
        ("a comment", format!("# {big}\n")),
        ("an empty tail", "\n".repeat(1 << 20)),
        ("a value", third(&format!("option con_alias '{big}'"))),
        ("a user name", third(&format!("option username '{big}'"))),
        ("a path", third(&format!("option tls_ca '{big}'"))),
        ("a program", general(&format!("option notify_command '{big}'"))),
        ("a list", general(&jids)),
        ("an item", general(&format!("list allowed_jid '{big}'"))),
        ("an unknown option", general(&format!("option note '{big}'"))),
        ("an option's name", general(&format!("option {big} '1'"))),
        ("a section's name", format!("config connection '{big}'\n\toption con_inst '3'\n\toption enable 'maybe'\n")),
        ("a section's type", format!("config {big} 'x'\n")),
    ];
    for (n, (what, addition)) in additions.iter().enumerate() {
        scene.by(if n % 2 == 0 { How::Commit } else { How::InPlace });
        scene.settings.set_connection(2, "con_alias", what);
        let text = scene.settings.text() + addition;
        let mark = scene.write(&text);
        let alias = format!("({what})");
        scene.daemon.wait_for_value(2, "alias", what).await;
        scene.assert_both_same().await;
        for line in scene.daemon.log().lines().iter().skip(mark) {
            assert!(line.len() < 1000, "{alias}: a line of {} bytes: {:.200}", line.len(), line);
        }
    }
    scene.edit(|settings| settings.set_connection(2, "con_alias", "small"));
    scene.daemon.wait_for_value(2, "alias", "small").await;
    scene.wait_file_runs().await;
    scene.daemon.log().wait(0, &["ERROR", "tls_ca", "..."], LIMIT).await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}
