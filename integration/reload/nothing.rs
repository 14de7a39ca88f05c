//! Edits that change nothing.

use rustix::process::Signal;

use crate::harness::prosody::PASSWORD;
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene, uci};

/// The same settings, otherwise written down.
fn variants(scene: &Scene) -> Vec<(&'static str, String)> {
    let settings = &scene.settings;
    let text = settings.text();
    let mut reversed: Vec<_> = settings.sections().collect();
    reversed.reverse();
    let by_line = |change: fn(&str) -> String| text.lines().map(change).collect::<Vec<_>>().join("\n") + "\n";
    let password = format!("option password '{PASSWORD}'");
    assert!(text.contains(&password));
    vec![
        ("the same once more", text.clone()),
        ("comments", by_line(|line| format!("# password 'x'\n{line} # y"))),
        ("white space", by_line(|line| format!("\n \t {}  ", line.replacen(" '", "\t  '", 1)))),
        ("quoting", text.replace(&password, &format!(r#"option "password" p4'ssword of'\ "the account""#))),
        ("a package line", format!("package xmpp\n{text}")),
        ("sections in another order", uci::text(reversed)),
        ("bools", text.replace("'1'\n\toption username", "enabled\n\toption username")),
        ("the type's other name", text.replace("config connection\n", "config xmpp_connection\n")),
        ("no final line end", text.trim_end().to_owned()),
        ("empty lines", text.replace('\n', "\n\n")),
    ]
}

#[tokio::test]
async fn comments_order_white_space_and_quoting_do_nothing() {
    let mut scene = Scene::start().await;
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        for (name, text) in variants(&scene) {
            let mark = scene.write(&text);
            // Read now, even if the change of the file itself were not noticed.
            scene.daemon.signal(Signal::HUP);
            scene.daemon.log().wait(mark, &["SIGHUP"], LIMIT).await;
            scene.assert_both_same().await;
            // And once more, with an edit that is told: it is the only one.
            let marked = format!("{text}\nconfig xmpp 'xmpp'\n\toption loglevel INFO\n");
            scene.write(&marked);
            let said = scene.daemon.log().wait(mark, &["taken over"], LIMIT).await;
            let file = scene.daemon.xmpp().path().display().to_string();
            assert_eq!(said, format!("xmppd: INFO {file}: log level taken over"), "{name}");
            assert_eq!(scene.daemon.log().since(mark, &[&file]), [said], "{name}");
            let before = scene.daemon.log().mark();
            scene.write(&text);
            scene.daemon.log().wait(before, &["log level taken over"], LIMIT).await;
            scene.assert_both_same().await;
        }
    }
    let sessions = scene.prosody.sessions();
    assert_eq!(sessions.get(CPE1), Some(scene.stream(CPE1)));
    assert_eq!(sessions.get(CPE2), Some(scene.stream(CPE2)));
    let seen = scene.prosody.events().into_iter().filter(|event| event.jid.starts_with("cpe")).count();
    assert_eq!(seen, 2, "no session but the first of each");
}
