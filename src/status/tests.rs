use std::time::Duration;

use super::*;

#[test]
fn without_connections_that_is_said() {
    assert_eq!(render(&BTreeMap::new(), Instant::now()), "no connections\n");
}

const FULL: &str = "connection: 3
alias: cpe-3
status: Error_AuthenticationFailure
since: 1700000000
jid: cpe@a.test/wan
tls: true
address: xmpp.a.test (10.0.0.1:5222)
attempt: 2
next attempt in: 1.5
error: the server refuses the login: not-authorized ('no')
received: 1
transmitted: 2
received_errors: 3
transmitted_errors: 4
ignored: 5
refused_disabled: 6
refused_sender: 7
refused_locked: 8
refused_malformed: 9
refused_credentials: 10
refused_limit: 11
notify_failed: 12
accepted: 13
";

fn full(now: Instant) -> Report {
    Report {
        alias: "cpe-3".to_owned(),
        status: Status::ErrorAuthenticationFailure,
        since: Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        jid: Some("cpe@a.test/wan".to_owned()),
        tls: true,
        address: Some("xmpp.a.test (10.0.0.1:5222)".to_owned()),
        attempt: 2,
        next: Some(now + Duration::from_millis(1500)),
        error: Some("the server refuses the login: not-authorized ('no')".to_owned()),
        inactive: false,
        stats: Stats {
            received: 1,
            transmitted: 2,
            received_errors: 3,
            transmitted_errors: 4,
            ignored: 5,
            refused_disabled: 6,
            refused_sender: 7,
            refused_locked: 8,
            refused_malformed: 9,
            refused_credentials: 10,
            refused_limit: 11,
            notify_failed: 12,
            accepted: 13,
        },
    }
}

#[test]
fn a_connection_is_a_paragraph() {
    let now = Instant::now();
    assert_eq!(render(&BTreeMap::from([(ConnectionId(3), full(now))]), now), FULL);
    // A wait that is over is no wait.
    let over = render(&BTreeMap::from([(ConnectionId(3), full(now))]), now + Duration::from_secs(5));
    assert!(over.contains("\nnext attempt in: 0.0\n"), "{over}");
}

#[test]
fn what_is_not_known_is_a_dash_or_left_out() {
    let text = render(&BTreeMap::from([(ConnectionId(1), Report::default())]), Instant::now());
    for line in ["status: Disabled", "since: 0", "jid: -", "tls: false", "address: -", "attempt: 0"] {
        assert!(text.lines().any(|is| is == line), "{line}: {text}");
    }
    assert!(!text.contains("next attempt") && !text.contains("error:"), "{text}");
}

#[test]
fn connections_are_apart_and_in_order() {
    let now = Instant::now();
    let reports =
        BTreeMap::from([(ConnectionId(20), full(now)), (ConnectionId(3), full(now)), (ConnectionId(1), full(now))]);
    let text = render(&reports, now);
    let firsts: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.lines().next().unwrap_or_default()).collect();
    assert_eq!(firsts, ["connection: 1", "connection: 3", "connection: 20"]);
}

/// Aliases, JIDs and errors come from outside: none of them can add a line.
#[test]
fn a_value_is_one_line_whatever_is_in_it() {
    let now = Instant::now();
    let bad = "x\nstatus: Enabled\r\u{1b}[31m\u{85}\u{2028}";
    let report = Report {
        alias: bad.to_owned(),
        jid: Some(bad.to_owned()),
        address: Some(bad.to_owned()),
        error: Some(bad.to_owned()),
        ..full(now)
    };
    let text = render(&BTreeMap::from([(ConnectionId(3), report)]), now);
    assert_eq!(text.lines().count(), FULL.lines().count(), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("status: ")).count(), 1);
    assert!(!text.contains(['\u{1b}', '\u{85}', '\u{2028}']), "{text:?}");
}

#[test]
fn the_date_of_a_status_is_that_of_its_change() {
    let table = StatusTable::default();
    let id = ConnectionId(1);
    table.enter(id, Status::Disabled);
    assert!(table.all().is_empty(), "nobody brings himself back");
    table.begin(id, "wan");
    table.enter(id, Status::Disabled);
    let first = table.all()[&id].since;
    assert!(first.is_some(), "the first status has a date, the default one too");
    table.update(id, |report| report.since = Some(UNIX_EPOCH));
    table.enter(id, Status::Disabled);
    assert_eq!(table.all()[&id].since, Some(UNIX_EPOCH));
    table.enter(id, Status::Connecting);
    assert_ne!(table.all()[&id].since, Some(UNIX_EPOCH));
}

#[test]
fn each_refusal_has_its_count() {
    let refusals = [
        (Refusal::Disabled, "refused_disabled"),
        (Refusal::Sender, "refused_sender"),
        (Refusal::Locked, "refused_locked"),
        (Refusal::Malformed, "refused_malformed"),
        (Refusal::Credentials, "refused_credentials"),
        (Refusal::Limit, "refused_limit"),
    ];
    for (refusal, expected) in refusals {
        let mut stats = Stats::default();
        stats.count(refusal);
        let counted: Vec<_> = stats.named().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(expected, 1)]);
    }
}

#[test]
fn a_connection_at_rest_stays_so_until_its_next_run() {
    let table = StatusTable::default();
    let id = ConnectionId(1);
    table.begin(id, "wan");
    table.set_inactive(id, "wan 2", Status::ErrorMisconfigured, Some("why"));
    table.enter(id, Status::Enabled);
    table.update(id, |report| report.error = None);
    let report = table.all().remove(&id).unwrap();
    let expected = ("wan 2", Status::ErrorMisconfigured, Some("why"));
    assert_eq!((report.alias.as_str(), report.status, report.error.as_deref()), expected);
    table.set_inactive(id, "wan 2", Status::Disabled, None);
    assert_eq!(table.all()[&id].status, Status::Disabled);
    table.begin(id, "wan 3");
    table.enter(id, Status::Connecting);
    assert_eq!(table.all()[&id].status, Status::Connecting);
}
