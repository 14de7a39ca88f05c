//! The server goes away and comes back: so do all connections, by themselves, or sooner when they are told that the network is
//! back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::dns::own_address;
use crate::harness::fleet::{accepted, jid, session, wait_back};
use crate::harness::{Daemon, End, Fleet, Kind, LIMIT, Prosody, Session, Status};

/// Waits until no connection has a stream; their status says so.
async fn wait_all_lost(daemon: &Daemon, fleet: &Fleet) {
    for id in fleet.ids() {
        let status = daemon.wait_for_status(id, "lost", |status| status.word() != "Enabled").await;
        assert!(matches!(status.word(), "Dormant" | "Connecting" | "ServerNotPresent"), "{status:?}");
        assert_eq!(status.get("tls"), Some("false"), "{status:?}");
        assert_eq!(status.get("jid"), Some(&*jid(id)), "the JabberID is kept through an outage");
    }
}

/// All come back on new streams and answer.
async fn all_come_back(prosody: &Prosody, daemon: &mut Daemon, before: &BTreeMap<u32, Session>) {
    let mut acs = prosody.requester("acs@a.test/r").await;
    for (id, before) in before {
        wait_back(prosody, *id, before).await;
        let status = daemon.wait_for_value(*id, "status", "Enabled").await;
        assert_eq!((status.get("tls"), status.get("error"), status.next_attempt()), (Some("true"), None, None));
        accepted(&mut acs, *id).await;
    }
    assert!(daemon.running());
}

#[tokio::test]
async fn a_server_killed_and_started_again_gets_its_connections_back() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    let pid = daemon.pid();
    prosody.kill().await;
    wait_all_lost(&daemon, &fleet).await;
    prosody.start_again().await;
    all_come_back(&prosody, &mut daemon, &before).await;
    assert_eq!(daemon.pid(), pid);
}

#[tokio::test]
async fn twenty_connections_come_back() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let all: Vec<u32> = (1..=20).collect();
    let fleet = Fleet::new(20, &all, &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    prosody.kill().await;
    wait_all_lost(&daemon, &fleet).await;
    prosody.start_again().await;
    all_come_back(&prosody, &mut daemon, &before).await;
}

/// Not one outage alone: the waits do not run out, and nothing is left behind that would be in the way.
#[tokio::test]
async fn three_outages_in_a_row() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(2, &[1, 2], &prosody);
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
async fn a_server_that_is_stopped_in_good_order_gets_its_connections_back() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    assert!(prosody.stop().await.success());
    for id in fleet.ids() {
        let shut_down = Kind::Unbind(End::ByServer("system-shutdown".to_owned()));
        let jid = jid(id);
        assert!(prosody.events().iter().any(|event| event.jid == jid && event.kind == shut_down));
        let line = [&*format!("connection {id} "), "WARNING", "stream lost", "system-shutdown"];
        daemon.wait_for_log(&line, LIMIT).await;
    }
    wait_all_lost(&daemon, &fleet).await;
    prosody.start_again().await;
    all_come_back(&prosody, &mut daemon, &before).await;
}

/// The daemon is there first, as after a power cut.
#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(2, &[1, 2], &prosody);
    prosody.stop().await;
    let daemon = fleet.setup().start();
    for id in fleet.ids() {
        daemon.wait_for_status(id, "an attempt failed", |status| status.get("error").is_some()).await;
    }
    prosody.start_again().await;
    fleet.all_online(&prosody).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for id in fleet.ids() {
        accepted(&mut acs, id).await;
    }
}

/// With one attempt per address the table is used up at once: then the domain itself is next, and the table again.
#[tokio::test]
async fn a_server_that_cannot_be_reached_shows_as_such_and_the_table_is_tried_again() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(1, &[1], &prosody).with("attempt", "1");
    // No name can be looked up.
    let setup = fleet.setup();
    let resolv_conf = setup.directory().join("resolv.conf");
    std::fs::write(&resolv_conf, format!("nameserver {}\n", own_address())).unwrap();
    let daemon = setup.env("XMPPD_RESOLV_CONF", resolv_conf).start();
    let before = prosody.wait_online(&jid(1), LIMIT).await;
    prosody.kill().await;
    // Table and domain take turns, so that what fails at the one is seen again if a short wait hid it.
    daemon
        .wait_for_status(1, "refused by the server of the table", |status| {
            status.word() == "ServerNotPresent"
                && status.get("error").is_some_and(|error| error.contains("refused"))
                && status.next_attempt().is_some_and(|next| next <= 1.0)
        })
        .await;
    // The fallback has no name server to ask; that is a failed attempt, not the end.
    daemon.wait_for_log(&["connection 1", "attempt failed", "DNS lookup of a.test failed"], LIMIT).await;
    prosody.start_again().await;
    wait_back(&prosody, 1, &before).await;
}

/// A daemon whose waits are so long that only being told can cut them short, and when the first of them would have ended
/// by itself.
async fn in_a_long_wait(prosody: &mut Prosody) -> (Fleet, Daemon, BTreeMap<u32, Session>, Instant) {
    // Waits are drawn from 0 to 1 s, to 65 s, to 71 min, ...; one that is cut short from 0 to 1 s again.
    let fleet = Fleet::new(2, &[1, 2], prosody).with("retry_interval_multiplier", "65535");
    let fleet = fleet.with("retry_max_interval", "1000000000");
    let (daemon, before) = fleet.start(prosody).await;
    prosody.kill().await;
    let shortest = long_waits(&daemon).await;
    (fleet, daemon, before, Instant::now() + Duration::from_secs_f64(shortest))
}

/// Waits until all connections are in waits of more than two minutes, and says how long the shortest is. As long as they are
/// not, waits are cut short, so that longer ones come soon: being told does not begin the count anew.
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

/// The connections are back at once, long before their waits would have ended.
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

/// Without being told nothing is cut short: what the tests above see is not the wait's own end.
#[tokio::test]
async fn an_edit_that_changes_nothing_leaves_a_long_wait_alone() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (mut fleet, daemon, _, _) = in_a_long_wait(&mut prosody).await;
    prosody.start_again().await;
    fleet.general = fleet.general.option("allowed_jid", "acs@a.test");
    daemon.xmpp().commit(&fleet.text());
    daemon.wait_for_log(&["general settings taken over"], LIMIT).await;
    for (id, status) in daemon.statuses().await {
        assert!(status.next_attempt().is_some_and(|next| next > 60.0), "{status:?}");
        assert_eq!(session(&prosody, id), None);
    }
}

/// Streams that are up are not touched by either.
#[tokio::test]
async fn being_told_does_not_touch_streams_that_are_up() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(2, &[1, 2], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    assert_eq!(daemon.ask("reconnect").await, "ok\n");
    daemon.signal(Signal::HUP);
    daemon.wait_for_log(&["SIGHUP"], LIMIT).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for (id, before) in before {
        accepted(&mut acs, id).await;
        assert_eq!(session(&prosody, id), Some(before));
    }
}
