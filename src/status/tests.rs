mod data_model;
mod documents;
mod text;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::*;
use crate::config::model::ConnectionId;
use crate::cwmp::authorize::Refusal;

/// The date of the present time.
const NOW: u64 = 1_700_007_500;

fn date(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The instant with this date.
fn at(now: Instant, seconds: u64) -> Instant {
    now - Duration::from_secs(NOW - seconds)
}

fn dates(now: Instant) -> Dates {
    let mut dates = Dates::default();
    dates.follow(now, date(NOW));
    dates
}

fn full(now: Instant) -> Report {
    Report {
        alias: "cpe-3".to_owned(),
        account: "cpe@a.test".to_owned(),
        status: Status::ErrorAuthenticationFailure,
        since: Some(at(now, 1_700_000_000)),
        jid: Some("cpe@a.test/wan".to_owned()),
        tls: true,
        address: Some("xmpp.a.test (10.0.0.1:5222)".to_owned()),
        pass: 2,
        next: Some(now + Duration::from_millis(1500)),
        error: Some("the server refuses the login: not-authorized ('no')".to_owned()),
        restarts: 14,
        crash: Some(Crash { time: at(now, 1_700_006_300), reason: "panicked: at a.rs:1".to_owned() }),
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
fn the_date_of_a_status_is_that_of_its_change() {
    let table = StatusTable::default();
    let id = ConnectionId(1);
    table.set_status(id, Status::Disabled);
    assert!(table.all().is_empty(), "a connection that was not begun does not show itself");
    table.begin(id, "wan", "cpe@a.test");
    table.set_status(id, Status::Disabled);
    let first = table.all()[&id].since;
    assert!(first.is_some(), "the first status has a date, the default one too");
    let earlier = Instant::now() - Duration::from_secs(60);
    table.update(id, |report| report.since = Some(earlier));
    table.set_status(id, Status::Disabled);
    assert_eq!(table.all()[&id].since, Some(earlier));
    table.set_status(id, Status::Connecting);
    assert_ne!(table.all()[&id].since, Some(earlier));
}

#[test]
fn each_refusal_has_its_count() {
    let refusals = [
        (Refusal::NotAccepting, "refused_disabled"),
        (Refusal::InvalidSender, "refused_sender"),
        (Refusal::UnlistedSender, "refused_sender"),
        (Refusal::UnlistedAccount, "refused_sender"),
        (Refusal::LockedOut { left: Duration::from_secs(1) }, "refused_locked"),
        (Refusal::Malformed, "refused_malformed"),
        (Refusal::NoCredentials, "refused_credentials"),
        (Refusal::WrongCredentials, "refused_credentials"),
        (Refusal::Limit, "refused_limit"),
    ];
    for (refusal, expected) in refusals {
        let mut stats = Stats::default();
        stats.count(refusal);
        assert_eq!(Stats::name_of(refusal), expected);
        let counted: Vec<_> = stats.named().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(expected, 1)]);
    }
}

#[test]
fn an_inactive_connection_stays_so_until_its_next_run() {
    let table = StatusTable::default();
    let id = ConnectionId(1);
    table.begin(id, "wan", "cpe@a.test");
    table.set_inactive(id, "wan 2", Status::ErrorMisconfigured, Some("why"));
    table.set_status(id, Status::Enabled);
    table.update(id, |report| report.error = None);
    let report = table.all().remove(&id).unwrap();
    let expected = ("wan 2", Status::ErrorMisconfigured, Some("why"));
    assert_eq!((report.alias.as_str(), report.status, report.error.as_deref()), expected);
    table.set_inactive(id, "wan 2", Status::Disabled, None);
    assert_eq!(table.all()[&id].status, Status::Disabled);
    table.begin(id, "wan 3", "cpe@a.test");
    table.set_status(id, Status::Connecting);
    assert_eq!(table.all()[&id].status, Status::Connecting);
}

/// A table that begins with these JIDs, and what it has told its observer.
fn observed(jids: RememberedJids) -> (StatusTable, std::sync::mpsc::Receiver<Change>) {
    let (sender, changes) = std::sync::mpsc::channel();
    (StatusTable::new(jids, move |change| sender.send(change).unwrap()), changes)
}

fn remembered(id: u32, account: &str, jid: &str) -> RememberedJids {
    RememberedJids::from([(ConnectionId(id), RememberedJid { account: account.to_owned(), jid: jid.to_owned() })])
}

#[test]
fn a_jid_is_that_of_its_account_and_outlives_runs_and_restarts() {
    let (table, changes) = observed(remembered(1, "cpe@a.test", "cpe@a.test/x"));
    let id = ConnectionId(1);
    let jid = || table.all()[&id].jid.clone();
    table.begin(id, "wan", "cpe@a.test");
    assert_eq!(jid().as_deref(), Some("cpe@a.test/x"));
    table.set_jid(id, "cpe@a.test/x");
    assert!(changes.try_recv().is_err(), "nothing changed");
    table.set_jid(id, "cpe@a.test/y");
    let expected = remembered(1, "cpe@a.test", "cpe@a.test/y");
    assert_eq!(changes.try_recv(), Ok(Change::Jids(expected.clone())));
    table.set_inactive(id, "wan", Status::Disabled, None);
    table.begin(id, "wan", "cpe@a.test");
    assert_eq!(jid().as_deref(), Some("cpe@a.test/y"));
    table.begin(id, "wan", "other@a.test");
    assert_eq!(jid(), None);
    table.begin(id, "wan", "cpe@a.test");
    assert_eq!(jid().as_deref(), Some("cpe@a.test/y"), "the new account has not had a JID yet");
    table.retain(|_| true);
    assert!(changes.try_recv().is_err(), "nothing changed");
    table.retain(|_| false);
    assert_eq!(changes.try_recv(), Ok(Change::Jids(RememberedJids::new())));
}

#[test]
fn each_change_of_a_status_is_told_once_with_the_one_before() {
    let (table, changes) = observed(RememberedJids::new());
    let id = ConnectionId(1);
    let told = || changes.try_iter().collect::<Vec<_>>();
    let change = |alias: &str, previous, status, jid: Option<&str>, error: Option<&str>| {
        let (alias, jid, error) = (alias.to_owned(), jid.map(str::to_owned), error.map(str::to_owned));
        Change::Status(StatusChange { connection: id, alias, status, previous, jid, error })
    };
    table.set_inactive(id, "wan", Status::Disabled, None);
    assert_eq!(told(), [], "it was disabled before");
    table.begin(id, "wan", "cpe@a.test");
    table.set_status(id, Status::Connecting);
    table.set_status(id, Status::Connecting);
    assert_eq!(told(), [change("wan", Status::Disabled, Status::Connecting, None, None)]);
    table.set_jid(id, "cpe@a.test/x");
    assert_eq!(told(), [Change::Jids(remembered(1, "cpe@a.test", "cpe@a.test/x"))]);
    table.set_status(id, Status::Enabled);
    assert_eq!(told(), [change("wan", Status::Connecting, Status::Enabled, Some("cpe@a.test/x"), None)]);
    table.update(id, |report| report.error = Some("lost".to_owned()));
    table.set_status(id, Status::Dormant);
    assert_eq!(told(), [change("wan", Status::Enabled, Status::Dormant, Some("cpe@a.test/x"), Some("lost"))]);
    table.retain(|_| false);
    let last = change("wan", Status::Dormant, Status::Disabled, Some("cpe@a.test/x"), Some("lost"));
    assert_eq!(told(), [last, Change::Jids(RememberedJids::new())]);
}
