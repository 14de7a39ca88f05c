//! Runs the fuzz targets on the inputs in `fuzz/seeds/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "test code: a failed step fails the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use xmppd_fuzz_targets::{login_bytes, stanza_to_decision, ubus_bytes, uci_diff, uci_text};

const TARGETS: [&str; 5] = ["login_bytes", "stanza_to_decision", "ubus_bytes", "uci_diff", "uci_text"];

fn directory(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../fuzz", name].iter().collect()
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn replay(target: &str, run: impl Fn(&str, &[u8])) {
    let seeds = directory("seeds").join(target);
    let names = names(&seeds);
    assert!(names.len() >= 10, "most seeds of {target} are missing");
    let fails = |name: &&String| {
        let input = fs::read(seeds.join(name)).unwrap();
        catch_unwind(AssertUnwindSafe(|| run(name, &input))).is_err()
    };
    let failed: Vec<&String> = names.iter().filter(fails).collect();
    assert!(failed.is_empty(), "fuzz/seeds/{target}: {failed:?}");
}

#[test]
fn each_target_has_seeds() {
    let targets: BTreeSet<String> = TARGETS.map(str::to_owned).into();
    assert_eq!(names(&directory("seeds")), targets);
    let files = names(&directory("fuzz_targets"));
    assert_eq!(files.iter().map(|file| file.trim_end_matches(".rs").to_owned()).collect::<BTreeSet<_>>(), targets);
    for target in TARGETS {
        let text = fs::read_to_string(directory("fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(
            text.contains(&format!("xmppd_fuzz_targets::{target}::run(input)")),
            "{target} runs another one's body"
        );
    }
}

#[test]
fn uci_text_is_parsed_or_refused() {
    replay("uci_text", |_, input| uci_text::run(input));
}

#[test]
fn bytes_from_ubusd_are_handled() {
    replay("ubus_bytes", |_, input| ubus_bytes::run(input));
}

#[test]
fn changes_lead_to_the_settings_of_each_file() {
    replay("uci_diff", |_, input| uci_diff::run(input));
}

#[test]
fn stanzas_get_their_one_correct_answer() {
    replay("stanza_to_decision", |_, input| stanza_to_decision::run(input));
}

/// How some seeds end, so that not all of them end at an early step.
const LOGINS: [(&str, &str); 14] = [
    ("login", "no TLS, SCRAM-SHA-256"),
    ("login_sha1", "no TLS, SCRAM-SHA-1"),
    ("resumed", "no TLS, SCRAM-SHA-256"),
    ("tls_login", "SCRAM-SHA-256-PLUS"),
    ("tls_direct_login", "SCRAM-SHA-256-PLUS"),
    ("tls_plain", ", PLAIN"),
    ("tls_flag_refused", "login: the server refuses the login at its first message"),
    ("tls_injected", "TLS: the server sent something between <proceed/> and TLS"),
    ("tls_not_offered", "TLS: the server offers no TLS"),
    ("direct_not_tls", "TLS: the server sent something that is not TLS"),
    ("impostor_no_signature", "login: the server could not prove"),
    ("bind_refused", "binding the resource: the server refuses to bind the resource: conflict"),
    ("not_xmpp", "opening the stream: the server sent something that is not XML"),
    ("nothing", "opening the stream: no answer within 10 s"),
];

#[test]
fn a_login_ends_in_a_session_or_an_error() {
    replay("login_bytes", |name, input| {
        let end = login_bytes::run(input);
        assert!(!end.is_empty());
        if let Some((_, expected)) = LOGINS.iter().find(|(seed, _)| *seed == name) {
            assert!(end.contains(expected), "{name}: {end}");
        }
    });
    let seeds = names(&directory("seeds").join("login_bytes"));
    assert!(LOGINS.iter().all(|(seed, _)| seeds.contains(*seed)));
}
