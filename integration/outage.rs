//! The server goes away and comes back: all connections recover by themselves, or earlier if they are told that the
//! network is back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::dns::own_address;
use crate::harness::fleet::{accepted, jid, session, wait_reconnected};
use crate::harness::{Daemon, EventKind, LIMIT, Prosody, Server, Session, SessionEnd, Settings, Status};

/// Waits until no connection has a stream and the status shows it.
async fn wait_all_lost(daemon: &Daemon, fleet: &Settings) {
    for id in fleet.ids() {
        let status = daemon.wait_for_status(id, "lost", |status| status.word() != "Enabled").await;
        assert!(matches!(status.word(), "Dormant" | "Connecting" | "ServerNotPresent"), "{status:?}");
        assert_eq!(status.get("tls"), Some("false"), "{status:?}");
        assert_eq!(status.get("jid"), Some(&*jid(id)), "the JabberID is kept through an outage");
    }
}

/// Waits until all connections are online on new streams and answer.
async fn all_come_back(prosody: &Prosody, daemon: &mut Daemon, before: &BTreeMap<u32, Session>) {
    let mut acs = prosody.acs("acs@a.test/r").await;
    for (id, before) in before {
        wait_reconnected(prosody, *id, before).await;
        let status = daemon.wait_for_value(*id, "status", "Enabled").await;
        assert_eq!((status.get("tls"), status.get("error"), status.next_attempt()), (Some("true"), None, None));
        accepted(&mut acs, *id).await;
    }
    assert!(daemon.running());
}

#[tokio::test]
async fn connections_recover_from_a_killed_server() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    let pid = daemon.pid();
    prosody.kill().await;
    wait_all_lost(&daemon, &fleet).await;
    prosody.start_again().await;
    all_come_back(&prosody, &mut daemon, &before).await;
    assert_eq!(daemon.pid(), pid);
}

#[tokio::test]
async fn twenty_connections_recover() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let all: Vec<u32> = (1..=20).collect();
    let fleet = Settings::fleet(20, &all, &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    prosody.kill().await;
    wait_all_lost(&daemon, &fleet).await;
    prosody.start_again().await;
    all_come_back(&prosody, &mut daemon, &before).await;
}

/// Waits do not grow without bound over several outages, and nothing is left behind.
#[tokio::test]
async fn connections_recover_from_three_outages_in_a_row() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (mut daemon, mut before) = fleet.start(&prosody).await;
    for _ in 0..3 {
        prosody.kill().await;
        wait_all_lost(&daemon, &fleet).await;
        prosody.start_again().await;
        all_come_back(&prosody, &mut daemon, &before).await;
        before = fleet.all_online(&prosody).await;
    }
}

#[tokio::test]
async fn connections_recover_from_a_server_shut_down_cleanly() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    assert!(prosody.stop().await.success());
    for id in fleet.ids() {
        let shut_down = EventKind::Unbind(SessionEnd::ByServer("system-shutdown".to_owned()));
        let jid = jid(id);
        assert!(prosody.events().iter().any(|event| event.jid == jid && event.kind == shut_down));
        let line = [&*format!("connection {id} "), "WARNING", "stream lost", "system-shutdown"];
        daemon.wait_for_log(&line, LIMIT).await;
    }
    wait_all_lost(&daemon, &fleet).await;
    prosody.start_again().await;
    all_come_back(&prosody, &mut daemon, &before).await;
}

/// The daemon starts before the server, as after a power failure.
#[tokio::test]
async fn connections_wait_for_a_server_that_starts_later() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    prosody.stop().await;
    let daemon = fleet.setup().start();
    for id in fleet.ids() {
        daemon.wait_for_status(id, "an attempt failed", |status| status.get("error").is_some()).await;
    }
    prosody.start_again().await;
    fleet.all_online(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in fleet.ids() {
        accepted(&mut acs, id).await;
    }
}

/// With one attempt per address the table is exhausted at once: the domain itself is next, then the table again.
#[tokio::test]
async fn an_unreachable_server_shows_in_the_status_and_is_tried_again() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(1, &[1], &prosody).with("attempt", "1");
    // No name can be resolved.
    let setup = fleet.setup();
    let resolv_conf = setup.directory().join("resolv.conf");
    std::fs::write(&resolv_conf, format!("nameserver {}\n", own_address())).unwrap();
    let daemon = setup.env("XMPPD_RESOLV_CONF", resolv_conf).start();
    let before = fleet.wait_online(&daemon, &prosody).await;
    prosody.kill().await;
    // Table and domain alternate, so a failure hidden by a short wait is seen the next time.
    daemon
        .wait_for_status(1, "refused by the server of the table", |status| {
            status.word() == "ServerNotPresent"
                && status.get("error").is_some_and(|error| error.contains("refused"))
                && status.next_attempt().is_some_and(|next| next <= 1.0)
        })
        .await;
    // The fallback has no name server: a failed attempt, after which the table is tried again.
    daemon.wait_for_log(&["connection 1", "attempt failed", "DNS lookup of a.test failed"], LIMIT).await;
    prosody.start_again().await;
    wait_reconnected(&prosody, 1, &before[&1]).await;
}

/// Returns a daemon with waits so long that only a reconnect request can end them in time, and when the first of them
/// would end.
async fn in_a_long_wait(prosody: &mut Prosody) -> (Settings, Daemon, BTreeMap<u32, Session>, Instant) {
    // Waits are drawn from 0 to 1 s, then to 65 s, to 71 min, ...; a shortened one from 0 to 1 s again.
    let fleet = Settings::fleet(2, &[1, 2], prosody).with("retry_interval_multiplier", "65535");
    let fleet = fleet.with("retry_max_interval", "1000000000");
    let (daemon, before) = fleet.start(prosody).await;
    prosody.kill().await;
    let shortest = long_waits(&daemon).await;
    (fleet, daemon, before, Instant::now() + Duration::from_secs_f64(shortest))
}

/// Waits until all connections wait for more than two minutes, and returns the shortest wait. Shorter waits are cut
/// short meanwhile, which does not reset the schedule.
async fn long_waits(daemon: &Daemon) -> f64 {
    const LONG: f64 = 120.0;
    let start = Instant::now();
    loop {
        let status = daemon.statuses().await;
        let waits: Vec<f64> = status.values().map(|status| status.next_attempt().unwrap_or(0.0)).collect();
        let shortest = waits.iter().copied().fold(f64::INFINITY, f64::min);
        if shortest > LONG {
            let waiting = |status: &Status| matches!(status.word(), "Dormant" | "ServerNotPresent");
            assert!(status.values().all(waiting), "{status:?}");
            return shortest;
        }
        if shortest > 1.0 || waits.iter().any(|&wait| wait > 1.0 && wait < LONG) {
            assert_eq!(daemon.ask("reconnect").await, "ok\n");
        }
        assert!(start.elapsed() < 2 * LIMIT, "no long waits: {status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fails unless the connections are back long before their waits would have ended.
async fn back_before(due: Instant, prosody: &Prosody, daemon: &mut Daemon, before: &BTreeMap<u32, Session>) {
    all_come_back(prosody, daemon, before).await;
    assert!(Instant::now() < due, "the waits were over anyway");
    for id in before.keys() {
        let line = [&*format!("connection {id} "), "asked to reconnect; next try in"];
        daemon.wait_for_log(&line, LIMIT).await;
    }
}

#[tokio::test]
async fn reconnect_cuts_a_long_wait_short() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (_, mut daemon, before, due) = in_a_long_wait(&mut prosody).await;
    prosody.start_again().await;
    assert_eq!(daemon.ask("reconnect").await, "ok\n");
    back_before(due, &prosody, &mut daemon, &before).await;
}

#[tokio::test]
async fn sighup_cuts_a_long_wait_short() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (_, mut daemon, before, due) = in_a_long_wait(&mut prosody).await;
    prosody.start_again().await;
    daemon.signal(Signal::HUP);
    back_before(due, &prosody, &mut daemon, &before).await;
}

/// Nothing else cuts a wait short: the tests above do not see the end of the wait itself.
#[tokio::test]
async fn an_edit_without_changes_does_not_shorten_a_wait() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (mut fleet, daemon, _, _) = in_a_long_wait(&mut prosody).await;
    prosody.start_again().await;
    fleet.set("allowed_jid", "acs@a.test");
    daemon.xmpp().commit(&fleet.text());
    daemon.wait_for_log(&["general settings applied"], LIMIT).await;
    for (id, status) in daemon.statuses().await {
        assert!(status.next_attempt().is_some_and(|next| next > 60.0), "{status:?}");
        assert_eq!(session(&prosody, id), None);
    }
}

/// Neither request affects established streams.
#[tokio::test]
async fn reconnect_does_not_affect_established_streams() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    assert_eq!(daemon.ask("reconnect").await, "ok\n");
    daemon.signal(Signal::HUP);
    daemon.wait_for_log(&["SIGHUP"], LIMIT).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for (id, before) in before {
        accepted(&mut acs, id).await;
        assert_eq!(session(&prosody, id), Some(before));
    }
}
