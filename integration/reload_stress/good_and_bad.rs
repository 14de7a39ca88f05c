//! Edits that are alternately valid and invalid: the last valid one is applied.

use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Settings, WriteMethod};

/// The file with an error, in its syntax or in a section. Each `n` has its error in another place.
fn broken(settings: &Settings, n: usize) -> String {
    let text = settings.text() + &"\n".repeat(n);
    match n % 4 {
        0 => text + "optoin note 'x'\n",
        1 => text + "\toption note 'no end\n",
        2 => text.replacen("option enable '1'\n\toption username", "option enable 'maybe'\n\toption username", 2),
        _ => text + "config connection_server\n\toption con_id '1'\n\toption con_srv_inst '9'\n\toption port 'x'\n",
    }
}

fn good(base: &Settings, n: usize) -> Settings {
    let mut settings = base.clone();
    settings.set_connection(2, "con_alias", format!("good-{n}"));
    settings
}

async fn assert_no_stream_was_cut(fixture: &mut Fixture) {
    fixture.wait_file_applied().await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}

/// Writes 200 edits as fast as possible.
async fn alternate(fixture: &mut Fixture, to: impl Fn(usize) -> Settings) {
    for n in 0..100 {
        let good = to(n).text();
        let bad = broken(&to(n), n);
        fixture.write(&bad);
        fixture.write(&good);
        if n % 10 == 0 {
            fixture.assert_same_stream(CPE1).await;
        }
    }
}

#[tokio::test]
async fn two_hundred_edits_that_end_with_a_valid_one() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        let base = fixture.settings.clone();
        alternate(&mut fixture, |n| good(&base, n)).await;
        fixture.settings = good(&base, 99);
        assert_no_stream_was_cut(&mut fixture).await;
    }
}

#[tokio::test]
async fn two_hundred_edits_that_end_with_an_invalid_one() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    for (method, last) in [
        (WriteMethod::InPlace, 300),
        (WriteMethod::Commit, 302),
        (WriteMethod::InPlace, 303),
        (WriteMethod::Commit, 305),
    ] {
        fixture.set_write_method(method);
        let last_good = good(&fixture.settings, last);
        fixture.edit(|settings| *settings = last_good.clone());
        assert_no_stream_was_cut(&mut fixture).await;
        alternate(&mut fixture, |_| last_good.clone()).await;
        // The change that the invalid edit would make.
        let mut other = good(&last_good, 0);
        other.remove(2);
        let bad = if last % 4 < 2 { broken(&other, last) } else { broken(&last_good, last) };
        let line = format!(":{}:", bad.lines().position(is_wrong).unwrap() + 1);
        let mark = fixture.write(&bad);
        fixture.daemon.log().wait(mark, &["ERROR", &line], LIMIT).await;
        assert_no_stream_was_cut(&mut fixture).await;
    }
}

fn is_wrong(line: &str) -> bool {
    ["optoin", "no end", "'maybe'", "port 'x'"].iter().any(|wrong| line.contains(wrong))
}

/// Each edit is read before the next one is written.
#[tokio::test]
async fn each_invalid_edit_is_rejected_and_each_valid_one_applied() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    let file = fixture.daemon.xmpp().path().display().to_string();
    for n in 0..12 {
        fixture.set_write_method(if n % 3 == 0 { WriteMethod::Commit } else { WriteMethod::InPlace });
        let bad = broken(&fixture.settings, n);
        let mark = fixture.write(&bad);
        fixture.daemon.log().wait(mark, &["ERROR", &file], LIMIT).await;
        let mark = fixture.edit(|settings| *settings = good(settings, n));
        fixture.daemon.log().wait(mark, &[&file, "update connection 2"], LIMIT).await;
    }
    assert_no_stream_was_cut(&mut fixture).await;
}
