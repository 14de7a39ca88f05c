//! One crash: what is restarted, and what continues meanwhile.

use super::fixture::{assert_logged_once, assert_untouched, child, crash, started_by_root};
use connreq::Answer;

use crate::harness::fleet::{accepted, jid, refused, request, wait_reconnected};
use crate::harness::{LIMIT, Prosody, Server, SessionEnd, Settings, until};

#[tokio::test]
async fn a_connection_reconnects_and_the_others_keep_their_streams() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, before) = Settings::fleet(3, &[1, 2, 3], &prosody).start(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    accepted(&mut acs, 1).await;
    let (pid, mark) = (daemon.pid(), crash(&daemon, "connection 1").await);
    wait_reconnected(&prosody, 1, &before[&1]).await;
    for id in 1..=3 {
        accepted(&mut acs, id).await;
    }
    assert_untouched(&prosody, &before, &[2, 3]);
    assert_eq!(daemon.wait_for_value(1, "status", "Enabled").await.get("error"), None);
    assert_eq!(daemon.pid(), pid);
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
    assert_logged_once(&daemon, mark, "connection 1");
}

#[tokio::test]
async fn a_connection_that_waits_for_its_server_reconnects() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (daemon, before) = Settings::fleet(2, &[1, 2], &prosody).start(&prosody).await;
    prosody.kill().await;
    daemon.wait_for_status(1, "lost", |status| status.word() != "Enabled").await;
    crash(&daemon, "connection 1").await;
    prosody.start_again().await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for (id, before) in &before {
        wait_reconnected(&prosody, *id, before).await;
        accepted(&mut acs, *id).await;
    }
}

/// The server's kernel accepts the connection, the server does not answer.
#[tokio::test]
async fn a_connection_that_is_connecting_reconnects() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    prosody.freeze();
    let daemon = fleet.setup().start();
    for id in fleet.ids() {
        daemon.wait_for_log(&[&format!("connection {id} "), "pass 1: attempting"], LIMIT).await;
    }
    let mark = daemon.log().mark();
    daemon.crash("connection 1 future").await;
    daemon.log().wait(mark, &["child crashed", "child=1 "], LIMIT).await;
    daemon.log().wait(mark, &["connection 1 ", "pass 1: attempting"], LIMIT).await;
    prosody.thaw();
    fleet.all_online(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in fleet.ids() {
        accepted(&mut acs, id).await;
    }
    assert_eq!(daemon.log().since(mark, &["connection 2 ", "attempt failed"]), Vec::<String>::new());
    assert_logged_once(&daemon, 0, "connection 1");
}

/// An actor crashes while the CWMP client is notified. The pending request is answered at once if its connection is still
/// there, and the next request is accepted.
async fn crashes_while_the_cwmp_client_is_notified(who: &str, place: &str, keeps_stream: bool) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, before) = Settings::fleet(1, &[1], &prosody).start(&prosody).await;
    daemon.ubus().hold();
    let mut acs = prosody.acs("acs@a.test/r").await;
    let meanwhile = async {
        daemon.ubus().wait_calls(1, LIMIT).await;
        daemon.crash(&format!("{who} {place}")).await;
        daemon.log().wait(0, &["child crashed", &format!("child={} ", child(who))], LIMIT).await;
    };
    if keeps_stream {
        // The answer does not wait for the CWMP client.
        let (answer, ()) = tokio::join!(request(&mut acs, 1), meanwhile);
        assert!(matches!(&answer, Answer::Error { condition, .. } if condition == "service-unavailable"), "{answer:?}");
        assert_eq!(daemon.count(1, "notify_failed").await, 1);
        assert_untouched(&prosody, &before, &[1]);
        daemon.ubus().release();
    } else {
        let meanwhile = async {
            meanwhile.await;
            daemon.ubus().release();
            wait_reconnected(&prosody, 1, &before[&1]).await;
            daemon.wait_for_value(1, "status", "Enabled").await;
        };
        tokio::select! {
            answer = request(&mut acs, 1) => panic!("an answer of a closed stream: {answer:?}"),
            () = meanwhile => {}
        }
    }
    accepted(&mut acs, 1).await;
    let calls = until("the end of the first call", LIMIT, || {
        Some(daemon.ubus().calls()).filter(|calls| calls[0].status == Some(0) && calls.len() == 2)
    });
    calls.await;
    assert_logged_once(&daemon, 0, who);
}

#[tokio::test]
async fn the_notifier_crashes_while_the_cwmp_client_is_notified() {
    crashes_while_the_cwmp_client_is_notified("notifier", "future", true).await;
}

#[tokio::test]
async fn the_router_crashes_while_the_cwmp_client_is_notified() {
    for place in ["future", "handler"] {
        crashes_while_the_cwmp_client_is_notified("router", place, true).await;
    }
}

#[tokio::test]
async fn the_connection_crashes_while_the_cwmp_client_is_notified() {
    for who in ["connection 1", "connections"] {
        crashes_while_the_cwmp_client_is_notified(who, "handler", false).await;
    }
}

/// The crashes of each connection are counted separately.
#[tokio::test]
async fn all_connections_crash_several_times() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, mut sessions) = Settings::fleet(4, &[1, 2, 3, 4], &prosody).start(&prosody).await;
    for _ in 0..3 {
        for id in 1..=4 {
            crash(&daemon, &format!("connection {id}")).await;
        }
        for (id, session) in &mut sessions {
            *session = wait_reconnected(&prosody, *id, session).await;
        }
    }
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in 1..=4 {
        accepted(&mut acs, id).await;
    }
}

/// A crash at the root: only that actor is restarted. No stream is closed, a request that arrives meanwhile is answered, and
/// each request is counted once.
async fn touches_no_stream(who: &str) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, before) = Settings::fleet(2, &[1, 2], &prosody).start(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    accepted(&mut acs, 1).await;
    let (pid, mark) = (daemon.pid(), daemon.log().mark());
    let (answer, ()) = tokio::join!(request(&mut acs, 1), daemon.crash(who));
    match &answer {
        Answer::Result { .. } => {}
        Answer::Error { condition, .. } if condition == "service-unavailable" => {}
        answer => panic!("{answer:?}"),
    }
    daemon.log().wait(mark, &["child crashed", &format!("child={who} ")], LIMIT).await;
    for id in [1, 2] {
        accepted(&mut acs, id).await;
    }
    assert_untouched(&prosody, &before, &[1, 2]);
    let mut counted = 0;
    for name in ["accepted", "notify_failed"] {
        counted += daemon.count(1, name).await;
    }
    assert_eq!(counted, 3);
    assert!(daemon.running());
    assert_eq!(daemon.pid(), pid);
    assert_eq!(started_by_root(&daemon, mark), [who]);
    assert_logged_once(&daemon, mark, who);
}

#[tokio::test]
async fn the_notifier_touches_no_stream() {
    touches_no_stream("notifier").await;
}

#[tokio::test]
async fn the_router_touches_no_stream() {
    touches_no_stream("router").await;
}

#[tokio::test]
async fn the_config_actor_touches_no_stream() {
    touches_no_stream("config").await;
}

#[tokio::test]
async fn the_control_socket_touches_no_stream() {
    touches_no_stream("control").await;
}

#[tokio::test]
async fn the_config_actor_touches_no_stream_and_follows_later_edits() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    let (pid, mark) = (daemon.pid(), daemon.log().mark());
    daemon.crash("config future").await;
    daemon.log().wait(mark, &["child crashed", "child=config "], LIMIT).await;
    assert_eq!(daemon.statuses().await.len(), 3);
    assert_eq!(started_by_root(&daemon, mark), ["config"]);
    assert_logged_once(&daemon, mark, "config");
    for id in fleet.ids() {
        accepted(&mut acs, id).await;
    }
    assert_untouched(&prosody, &before, &[1, 2, 3]);

    fleet.set_connection(3, "enable", "0");
    daemon.xmpp().commit(&fleet.text());
    assert_eq!(prosody.wait_gone(&jid(3), LIMIT).await, Some(SessionEnd::ByClient));
    daemon.set_credentials("cpe-user", "another").await;
    refused(&mut acs, 1, "not-authorized").await;
    assert_untouched(&prosody, &before, &[1, 2]);
    assert_eq!(daemon.pid(), pid);
}

/// An edit while the config actor is down is not missed; a broken one does no harm.
#[tokio::test]
async fn edits_while_the_config_actor_is_down() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    daemon.xmpp().write_in_place("config xmpp 'xmpp\n");
    crash(&daemon, "config").await;
    assert_eq!(daemon.statuses().await.len(), 2);
    daemon.wait_for_log(&["ERROR", "keeping the current settings"], LIMIT).await;
    assert_untouched(&prosody, &before, &[1, 2]);

    fleet.set_connection(2, "enable", "0");
    daemon.xmpp().commit(&fleet.text());
    crash(&daemon, "config").await;
    assert_eq!(prosody.wait_gone(&jid(2), LIMIT).await, Some(SessionEnd::ByClient));
    assert_untouched(&prosody, &before, &[1]);
}
