//! Whatever is wrong with a file, its passwords are not told.

use super::good_edit;
use crate::harness::prosody::PASSWORD;
use crate::harness::{How, LIMIT, Scene};

/// Part of every password here, and of nothing else.
const SECRET: &[u8] = b"hunter2";

#[tokio::test]
async fn a_password_is_in_no_error() {
    let mut scene = Scene::start().await;
    let good = scene.settings.text();
    let line = format!("\toption password '{PASSWORD}'");
    let start = good.find(&line).unwrap();
    let with = |lines: &[u8]| [good[..start].as_bytes(), lines, good[start + line.len()..].as_bytes()].concat();
    let long = [b"\toption password '", SECRET.repeat(40).as_slice(), b"'"].concat();
    let misspelt = [line.as_bytes(), b"\n\toption passwrd 'hunter2'"].concat();
    let wrong: [&[u8]; 12] = [
        b"\toption password 'hunter2",
        b"\toption password \"hunter2",
        b"\toption password 'hunter2' hunter2",
        b"\toption 'hunter2 hunter2' password",
        b"\toptoin password 'hunter2'",
        b"\tpassword 'hunter2'",
        &misspelt,
        b"\tlist password 'hunter2'",
        b"\tlist password 'hunter2'\n\tlist password 'hunter2'",
        b"\toption password 'hunter2\xff'",
        b"\toption password 'hunter2\0'",
        &long,
    ];
    for (n, wrong) in wrong.iter().enumerate() {
        scene.by(if n % 2 == 0 { How::InPlace } else { How::Commit });
        let mark = scene.daemon.log().mark();
        std::fs::write(scene.daemon.xmpp().path(), with(wrong)).unwrap();
        let told = scene.daemon.log().wait(mark, &[&super::file(&scene.daemon), ":"], LIMIT).await;
        assert!(told.contains("ERROR") || told.contains("WARNING"), "{told}");
        scene.assert_both_same().await;
        good_edit(&mut scene, &format!("good-{n}")).await;
    }
    for (n, wrong) in [&b"\toption passwd 'hunter2"[..], b"\toption passwd 'hunter2\xff'", b"\tpasswd 'hunter2'"]
        .into_iter()
        .enumerate()
    {
        let mark = scene.daemon.log().mark();
        let text = [b"config cpe 'cpe'\n\toption userid 'hunter2'\n", wrong, b"\n"].concat();
        std::fs::write(scene.daemon.cwmp().path(), text).unwrap();
        let name = scene.daemon.cwmp().path().display().to_string();
        scene.daemon.log().wait(mark, &["ERROR", &format!("{name}:3:")], LIMIT).await;
        good_edit(&mut scene, &format!("well-{n}")).await;
    }
    scene.daemon.stop_and_look_for(&["hunter2", PASSWORD, "cpe-secret"]).await;
}
