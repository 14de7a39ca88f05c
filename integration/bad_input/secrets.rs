//! Errors in a file do not reveal its passwords.

use super::good_edit;
use crate::harness::prosody::PASSWORD;
use crate::harness::{Fixture, LIMIT, WriteMethod};

/// Part of every password here, and of nothing else.
const SECRET: &[u8] = b"hunter2";

#[tokio::test]
async fn errors_contain_no_password() {
    let mut fixture = Fixture::start().await;
    let good = fixture.settings.text();
    let line = format!("\toption password '{PASSWORD}'");
    let start = good.find(&line).unwrap();
    let with = |lines: &[u8]| [&good.as_bytes()[..start], lines, &good.as_bytes()[start + line.len()..]].concat();
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
        fixture.set_write_method(if n % 2 == 0 { WriteMethod::InPlace } else { WriteMethod::Commit });
        let mark = fixture.daemon.log().mark();
        std::fs::write(fixture.daemon.xmpp().path(), with(wrong)).unwrap();
        let told = fixture.daemon.log().wait(mark, &[&super::file(&fixture.daemon), ":"], LIMIT).await;
        assert!(told.contains("ERROR") || told.contains("WARNING"), "{told}");
        fixture.assert_same_streams().await;
        good_edit(&mut fixture, &format!("good-{n}")).await;
    }
    for (n, wrong) in [&b"\toption passwd 'hunter2"[..], b"\toption passwd 'hunter2\xff'", b"\tpasswd 'hunter2'"]
        .into_iter()
        .enumerate()
    {
        let mark = fixture.daemon.log().mark();
        let text = [b"config cpe 'cpe'\n\toption userid 'hunter2'\n", wrong, b"\n"].concat();
        std::fs::write(fixture.daemon.cwmp().path(), text).unwrap();
        let name = fixture.daemon.cwmp().path().display().to_string();
        fixture.daemon.log().wait(mark, &["ERROR", &format!("{name}:3:")], LIMIT).await;
        good_edit(&mut fixture, &format!("well-{n}")).await;
    }
    fixture.daemon.stop_and_assert_not_logged(&["hunter2", PASSWORD, "cpe-secret"]).await;
}
