//! An error in a section rejects that section only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{assert_errors, file, good_edit, wait_error};
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Settings, WriteMethod, until};

/// The beginning of the error for the option that is set to this value in exactly one place of the file.
fn error(fixture: &Fixture, text: &str, section: &str, option: &str, value: &str) -> String {
    let set = format!(" {option} '{value}'");
    let lines: Vec<usize> = text.lines().enumerate().filter(|(_, l)| l.ends_with(&set)).map(|(n, _)| n + 1).collect();
    let &[line] = lines.as_slice() else { panic!("{set} is in lines {lines:?}") };
    format!("{}{line}: section {section}, option '{option}'", file(&fixture.daemon))
}

#[tokio::test]
async fn an_invalid_value_rejects_only_its_connection() {
    let mut fixture = Fixture::start().await;
    let mut errors = Vec::new();
    for (n, (option, value)) in [
        ("interval", "-2"),
        ("attempt", "4294967296"),
        ("initial_retry_interval", "0"),
        ("initial_retry_interval", "65536"),
        ("retry_interval_multiplier", "999"),
        ("retry_max_interval", "0"),
        ("retry_max_interval", "soon"),
        ("usetls", "maybe"),
        ("serveralgorithm", "SRV"),
        ("domain", "a test"),
        ("con_alias", "more than sixty-four characters, which is all that TR-181 has for it"),
    ]
    .into_iter()
    .enumerate()
    {
        fixture.set_write_method(if n % 2 == 0 { WriteMethod::InPlace } else { WriteMethod::Commit });
        let good = fixture.settings.clone();
        let alias = format!("other-{n}");
        // One edit: an invalid and a valid change of connection 1, and a valid change of connection 2.
        let mark = fixture.edit(|settings| {
            settings.set_connection(1, "username", "not-taken-over");
            settings.set_connection(1, option, value);
            settings.set_connection(2, "con_alias", &alias);
        });
        let error = error(&fixture, &fixture.settings.text(), "'@connection[0]' (connection)", option, value);
        wait_error(&fixture.daemon, mark, &error).await;
        assert!(fixture.daemon.log().since(mark, &[&error])[0].contains(value));
        fixture.daemon.wait_for_value(2, "alias", &alias).await;
        fixture.assert_same_streams().await;
        errors.push(error);
        fixture.settings = good;
        fixture.settings.set_connection(2, "con_alias", &alias);
        good_edit(&mut fixture, &format!("good-{n}")).await;
    }
    assert_errors(&mut fixture.daemon, &errors).await;
}

/// The events of one edit may be so far apart that the file is read twice; only an edit repeats the error.
#[tokio::test]
async fn an_unchanged_file_that_is_read_again_repeats_no_error() {
    let mut fixture = Fixture::start().await;
    let mark = fixture.edit(|settings| settings.set_connection(1, "interval", "-2"));
    let text = fixture.settings.text();
    let error = error(&fixture, &text, "'@connection[0]' (connection)", "interval", "-2");
    wait_error(&fixture.daemon, mark, &error).await;
    let before = until("the time of the edit", LIMIT, || fixture.daemon.taken_up()).await;
    let later = UNIX_EPOCH + Duration::from_secs(before + 1);
    until("the next second", LIMIT, || (SystemTime::now() > later).then_some(())).await;
    fixture.daemon.xmpp().commit(&text);
    until("the same text taken up again", LIMIT, || fixture.daemon.taken_up().filter(|time| *time > before)).await;
    assert_eq!(fixture.daemon.log().since(mark, &[&error]).len(), 1);
    let mark = fixture.edit(|settings| settings.set_connection(2, "con_alias", "edited"));
    wait_error(&fixture.daemon, mark, &error).await;
    fixture.settings.set_connection(1, "interval", "60");
    good_edit(&mut fixture, "good").await;
    assert_errors(&mut fixture.daemon, &[error.clone(), error]).await;
}

#[tokio::test]
async fn an_invalid_server_row_keeps_its_previous_values() {
    let mut fixture = Fixture::start().await;
    let good = fixture.settings.clone();
    let mut errors = Vec::new();
    for (option, value) in [("port", "65536"), ("port", "0"), ("con_id", "9"), ("enable", "si")] {
        fixture.settings = good.clone();
        let mark = fixture.edit(|settings| settings.set_server(1, option, value));
        let text = fixture.settings.text();
        let error = error(&fixture, &text, "'@connection_server[0]' (connection_server)", option, value);
        wait_error(&fixture.daemon, mark, &error).await;
        assert!(fixture.daemon.log().since(mark, &[&error])[0].contains(value));
        fixture.assert_same_streams().await;
        errors.push(error);
        fixture.settings = good.clone();
        good_edit(&mut fixture, &format!("{option}-{value}")).await;
    }
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn an_invalid_section_xmpp_keeps_the_rules_while_connections_are_applied() {
    let mut fixture = Fixture::with(|settings| settings.set("allowed_jid", "acs@a.test")).await;
    let good = fixture.settings.clone();
    let mut errors = Vec::new();
    for (n, (option, value)) in [
        ("allowed_jid", "acs@@a.test"),
        ("id", "first-one"),
        ("loglevel", "LOUD"),
        ("enable", "2"),
        ("notify", "shout"),
        ("notify_timeout_ms", "99"),
        ("connreq_limit", "65536"),
        ("connreq_period", "0"),
    ]
    .into_iter()
    .enumerate()
    {
        fixture.settings = good.clone();
        let alias = format!("with-wrong-{option}");
        let mark = fixture.edit(|settings| {
            settings.set("id", 0);
            settings.set(option, value);
            settings.set_connection(2, "con_alias", &alias);
        });
        let text = fixture.settings.text();
        let error = error(&fixture, &text, "'xmpp' (xmpp)", option, value);
        wait_error(&fixture.daemon, mark, &error).await;
        assert!(fixture.daemon.log().since(mark, &[&error])[0].contains(value));
        fixture.daemon.wait_for_value(2, "alias", &alias).await;
        fixture.assert_same_streams().await;
        assert_result(&fixture.ask_once(&good_request(if n % 2 == 0 { CPE1 } else { CPE2 })).await);
        errors.push(error);
    }
    fixture.settings = good;
    good_edit(&mut fixture, "good").await;
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn an_invalid_new_connection_is_not_started_and_the_others_keep_running() {
    let mut fixture = Fixture::start().await;
    let good = fixture.settings.clone();
    let mut errors = Vec::new();
    // A duplicate con_inst, a server row without a connection, and a missing required option.
    let third = Section::connection(2, "cpe3@a.test/r", &fixture.prosody).option("con_alias", "third");
    let mark = fixture.edit(|settings: &mut Settings| settings.connections.push(third));
    let line = |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let section = |n: usize| format!("section '@connection[{n}]' (connection), option ");
    let text = fixture.settings.text();
    let doubled = text.lines().enumerate().filter(|(_, line)| line.contains("con_inst '2'")).nth(1).unwrap().0 + 1;
    errors.push(format!("{}{doubled}: {}'con_inst': 2 is ", file(&fixture.daemon), section(2)));
    wait_error(&fixture.daemon, mark, &errors[0]).await;
    fixture.assert_same_streams().await;

    fixture.settings = good.clone();
    let nameless = Section::connection(3, "cpe3@a.test/r", &fixture.prosody).without("username");
    let mark = fixture.edit(|settings| settings.connections.push(nameless.option("con_alias", "third")));
    let begin = line(&fixture.settings.text(), "con_inst '3'") - 1;
    errors.push(format!("{}{begin}: {}'username': ", file(&fixture.daemon), section(2)));
    wait_error(&fixture.daemon, mark, &errors[1]).await;
    fixture.assert_same_streams().await;
    assert_eq!(fixture.daemon.statuses().await[&3]["status"], "Error_Misconfigured");

    fixture.settings = good;
    good_edit(&mut fixture, "good").await;
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn an_unknown_section_or_option_is_a_warning_with_its_line() {
    let mut fixture = Fixture::start().await;
    let mark = fixture.edit(|settings| {
        settings.set_connection(1, "colour", "blue");
        settings.connections.push(Section::named("connexion", "x").option("y", "z"));
        settings.set_connection(2, "con_alias", "noticed");
    });
    fixture.daemon.wait_for_value(2, "alias", "noticed").await;
    let text = fixture.settings.text();
    for (what, words) in [("colour", "option 'colour'"), ("config connexion", "(connexion)")] {
        let line = text.lines().position(|line| line.contains(what)).unwrap() + 1;
        let begin = format!("WARNING {}{line}: ", file(&fixture.daemon));
        fixture.daemon.log().wait(mark, &[&begin, words, "ignored"], LIMIT).await;
    }
    fixture.assert_same_streams().await;
    assert_errors(&mut fixture.daemon, &[]).await;
}
