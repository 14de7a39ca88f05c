//! Files with many sections, and sections of a megabyte.

use std::fmt::Write as _;

use super::add_connection;
use crate::harness::fleet::jid;
use crate::harness::stanzas::{assert_result, ping};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, WriteMethod};

/// Half of them are disabled connections, half their servers.
const SECTIONS: u32 = 10_000;

#[tokio::test]
async fn ten_thousand_sections_are_applied() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    let small = fixture.settings.clone();
    // Some running connections among all the disabled ones.
    for id in 3..=5 {
        add_connection(&mut fixture, id);
    }
    for id in 6..=SECTIONS / 2 {
        fixture.settings.add(id, &jid(id), &fixture.prosody);
        fixture.settings.set_connection(id, "enable", 0);
    }
    for (method, alias) in [(WriteMethod::InPlace, "many"), (WriteMethod::Commit, "as many")] {
        fixture.set_write_method(method);
        let mark = fixture.edit(|settings| settings.set_connection(2, "con_alias", alias));
        loop {
            assert_result(&fixture.acs.ask(&ping(CPE1)).await);
            if !fixture.daemon.log().since(mark, &["connection 2", "settings applied in place"]).is_empty() {
                break;
            }
        }
        fixture.assert_same_streams().await;
    }
    fixture.wait_file_applied().await;
    fixture.edit(|settings| *settings = small);
    fixture.wait_file_applied().await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}

/// Wherever it is, the other sections are applied, and the error stays one line.
#[tokio::test]
async fn a_section_of_a_megabyte_leaves_the_others_unaffected() {
    let mut fixture = Fixture::start().await;
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
        fixture.set_write_method(if n % 2 == 0 { WriteMethod::Commit } else { WriteMethod::InPlace });
        fixture.settings.set_connection(2, "con_alias", what);
        let text = fixture.settings.text() + addition;
        let mark = fixture.write(&text);
        let alias = format!("({what})");
        fixture.daemon.wait_for_value(2, "alias", what).await;
        fixture.assert_same_streams().await;
        for line in fixture.daemon.log().lines().iter().skip(mark) {
            assert!(line.len() < 1000, "{alias}: a line of {} bytes: {:.200}", line.len(), line);
        }
    }
    fixture.edit(|settings| settings.set_connection(2, "con_alias", "small"));
    fixture.daemon.wait_for_value(2, "alias", "small").await;
    fixture.wait_file_applied().await;
    fixture.daemon.log().wait(0, &["ERROR", "tls_ca", "..."], LIMIT).await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}
