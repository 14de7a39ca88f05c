//! Edits that change nothing.

use rustix::process::Signal;

use crate::harness::prosody::PASSWORD;
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, WriteMethod, uci};

/// The same settings in other spellings.
fn variants(fixture: &Fixture) -> Vec<(&'static str, String)> {
    let settings = &fixture.settings;
    let text = settings.text();
    let mut reversed: Vec<_> = settings.sections().collect();
    reversed.reverse();
    let by_line = |change: fn(&str) -> String| text.lines().map(change).collect::<Vec<_>>().join("\n") + "\n";
    let password = format!("option password '{PASSWORD}'");
    assert!(text.contains(&password));
    vec![
        ("the same text", text.clone()),
        ("comments", by_line(|line| format!("# password 'x'\n{line} # y"))),
        ("white space", by_line(|line| format!("\n \t {}  ", line.replacen(" '", "\t  '", 1)))),
        ("quoting", text.replace(&password, r#"option "password" p4'ssword of'\ "the account""#)),
        ("a package line", format!("package xmpp\n{text}")),
        ("sections in another order", uci::text(reversed)),
        ("bools", text.replace("'1'\n\toption username", "enabled\n\toption username")),
        ("the type's other name", text.replace("config connection\n", "config xmpp_connection\n")),
        ("no final newline", text.trim_end().to_owned()),
        ("empty lines", text.replace('\n', "\n\n")),
    ]
}

#[tokio::test]
async fn comments_order_white_space_and_quoting_change_nothing() {
    let mut fixture = Fixture::start().await;
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        for (name, text) in variants(&fixture) {
            let mark = fixture.write(&text);
            // Have the file read even if its change were not seen.
            fixture.daemon.signal(Signal::HUP);
            fixture.daemon.log().wait(mark, &["SIGHUP"], LIMIT).await;
            fixture.assert_same_streams().await;
            // An edit that is logged shows that nothing else was applied.
            let marked = format!("{text}\nconfig xmpp 'xmpp'\n\toption loglevel INFO\n");
            fixture.write(&marked);
            let logged = fixture.daemon.log().wait(mark, &["applied"], LIMIT).await;
            let file = fixture.daemon.xmpp().path().display().to_string();
            assert_eq!(logged, format!("xmppd: NOTICE {file}: log level applied"), "{name}");
            assert_eq!(fixture.daemon.log().since(mark, &[&file]), [logged], "{name}");
            let before = fixture.daemon.log().mark();
            fixture.write(&text);
            fixture.daemon.log().wait(before, &["log level applied"], LIMIT).await;
            fixture.assert_same_streams().await;
        }
    }
    let sessions = fixture.prosody.sessions();
    assert_eq!(sessions.get(CPE1), Some(fixture.stream(CPE1)));
    assert_eq!(sessions.get(CPE2), Some(fixture.stream(CPE2)));
    let events = fixture.prosody.events().into_iter().filter(|event| event.jid.starts_with("cpe")).count();
    assert_eq!(events, 2, "only the first session of each connection");
}
