//! One section that is wrong: that section alone is refused.

use super::{assert_errors, file, good_edit, wait_error};
use crate::harness::scene::Settings;
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

/// The error's beginning, for the option that is set to this value in exactly one place of the file.
fn error(scene: &Scene, text: &str, section: &str, option: &str, value: &str) -> String {
    let set = format!(" {option} '{value}'");
    let lines: Vec<usize> = text.lines().enumerate().filter(|(_, l)| l.ends_with(&set)).map(|(n, _)| n + 1).collect();
    let &[line] = lines.as_slice() else { panic!("{set} is in lines {lines:?}") };
    format!("{}{line}: section {section}, option '{option}'", file(&scene.daemon))
}

#[tokio::test]
async fn a_value_out_of_range_refuses_its_connection_alone() {
    let mut scene = Scene::start().await;
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
        scene.by(if n % 2 == 0 { How::InPlace } else { How::Commit });
        let good = scene.settings.clone();
        let alias = format!("other-{n}");
        // In one edit: something wrong in the first connection, something else in it, something good in the second one.
        let mark = scene.edit(|settings| {
            settings.set_connection(1, "username", "not-taken-over");
            settings.set_connection(1, option, value);
            settings.set_connection(2, "con_alias", &alias);
        });
        let error = error(&scene, &scene.settings.text(), "'@connection[0]' (connection)", option, value);
        wait_error(&scene.daemon, mark, &error).await;
        assert!(scene.daemon.log().since(mark, &[&error])[0].contains(value));
        scene.daemon.wait_for_value(2, "alias", &alias).await;
        scene.assert_both_same().await;
        errors.push(error);
        scene.settings = good;
        scene.settings.set_connection(2, "con_alias", &alias);
        good_edit(&mut scene, &format!("good-{n}")).await;
    }
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn a_server_row_that_is_wrong_stays_as_it_was() {
    let mut scene = Scene::start().await;
    let good = scene.settings.clone();
    let mut errors = Vec::new();
    for (option, value) in [("port", "65536"), ("port", "0"), ("con_id", "9"), ("enable", "si")] {
        scene.settings = good.clone();
        let mark = scene.edit(|settings| settings.set_server(1, option, value));
        let text = scene.settings.text();
        let error = error(&scene, &text, "'@connection_server[0]' (connection_server)", option, value);
        wait_error(&scene.daemon, mark, &error).await;
        assert!(scene.daemon.log().since(mark, &[&error])[0].contains(value));
        scene.assert_both_same().await;
        errors.push(error);
        scene.settings = good.clone();
        good_edit(&mut scene, &format!("{option}-{value}")).await;
    }
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn a_wrong_section_xmpp_leaves_the_rules_as_they_were_and_connections_are_followed() {
    let mut scene = Scene::with(|settings| settings.set("allowed_jid", "acs@a.test")).await;
    let good = scene.settings.clone();
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
        scene.settings = good.clone();
        let alias = format!("with-wrong-{option}");
        let mark = scene.edit(|settings| {
            settings.set("id", 0);
            settings.set(option, value);
            settings.set_connection(2, "con_alias", &alias);
        });
        let text = scene.settings.text();
        let error = error(&scene, &text, "'xmpp' (xmpp)", option, value);
        wait_error(&scene.daemon, mark, &error).await;
        assert!(scene.daemon.log().since(mark, &[&error])[0].contains(value));
        scene.daemon.wait_for_value(2, "alias", &alias).await;
        scene.assert_both_same().await;
        assert_result(&scene.ask_once(&good_request(if n % 2 == 0 { CPE1 } else { CPE2 })).await);
        errors.push(error);
    }
    scene.settings = good;
    good_edit(&mut scene, "good").await;
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn what_is_added_wrongly_is_not_started_and_what_runs_stays() {
    let mut scene = Scene::start().await;
    let good = scene.settings.clone();
    let mut errors = Vec::new();
    // The number of another one; nobody's server; a required option that is missing.
    let third = Section::connection(2, "cpe3@a.test/r", &scene.prosody).option("con_alias", "third");
    let mark = scene.edit(|settings: &mut Settings| settings.connections.push(third));
    let line = |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let section = |n: usize| format!("section '@connection[{n}]' (connection), option ");
    let text = scene.settings.text();
    let doubled = text.lines().enumerate().filter(|(_, line)| line.contains("con_inst '2'")).nth(1).unwrap().0 + 1;
    errors.push(format!("{}{doubled}: {}'con_inst': 2 is ", file(&scene.daemon), section(2)));
    wait_error(&scene.daemon, mark, &errors[0]).await;
    scene.assert_both_same().await;

    scene.settings = good.clone();
    let nameless = Section::connection(3, "cpe3@a.test/r", &scene.prosody).without("username");
    let mark = scene.edit(|settings| settings.connections.push(nameless.option("con_alias", "third")));
    let begin = line(&scene.settings.text(), "con_inst '3'") - 1;
    errors.push(format!("{}{begin}: {}'username': ", file(&scene.daemon), section(2)));
    wait_error(&scene.daemon, mark, &errors[1]).await;
    scene.assert_both_same().await;
    assert_eq!(scene.daemon.statuses().await[&3]["status"], "Error_Misconfigured");

    scene.settings = good;
    good_edit(&mut scene, "good").await;
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn what_is_not_known_is_a_warning_with_its_line_and_nothing_more() {
    let mut scene = Scene::start().await;
    let mark = scene.edit(|settings| {
        settings.set_connection(1, "colour", "blue");
        settings.connections.push(Section::named("connexion", "x").option("y", "z"));
        settings.set_connection(2, "con_alias", "noticed");
    });
    scene.daemon.wait_for_value(2, "alias", "noticed").await;
    let text = scene.settings.text();
    for (what, words) in [("colour", "option 'colour'"), ("config connexion", "(connexion)")] {
        let line = text.lines().position(|line| line.contains(what)).unwrap() + 1;
        let begin = format!("WARNING {}{line}: ", file(&scene.daemon));
        scene.daemon.log().wait(mark, &[&begin, words, "ignored"], LIMIT).await;
    }
    scene.assert_both_same().await;
    assert_errors(&mut scene.daemon, &[]).await;
}
