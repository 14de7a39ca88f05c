//! `GenieACS`'s side of a connection request, through real servers: it may have a handful of credentials to try.

use crate::harness::genieacs::{Answer, GenieAcs, Login};
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Section, Server, Wanted, on_each_server};

const CPE: &str = "cpe@a.test/wan";
const ACS: &str = "acs@a.test";
const RIGHT: (&str, &str) = ("cpe-user", "cpe-secret");
/// What is right for other devices.
const OTHERS: [(&str, &str); 5] =
    [("", ""), ("cpe-user", "of-another"), ("another", "cpe-secret"), ("admin", "admin"), ("cpe-user", "")];

on_each_server!(
    a_request_is_answered_in_a_segment_of_its_own,
    a_handful_of_credentials_may_be_tried_again_and_again,
    the_fifth_wrong_ones_lock_it_out_and_nobody_else
);

async fn start<S: Server>() -> (S, Daemon) {
    let server = S::launch(&["a.test"], Wanted::default()).await;
    server.add_account("cpe@a.test", PASSWORD);
    let daemon = Daemon::start([
        &Section::general(&[1]).list("allowed_jid", "acs@a.test").list("allowed_jid", "other@a.test"),
        &Section::connection(1, CPE, &server),
        &Section::server(1, &server),
    ]);
    server.wait_client(CPE, LIMIT).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    (server, daemon)
}

fn unavailable() -> Answer {
    Answer::Refused("service-unavailable".to_owned())
}

fn not_authorized() -> Answer {
    Answer::Refused("not-authorized".to_owned())
}

async fn a_request_is_answered_in_a_segment_of_its_own<S: Server>() {
    let (server, daemon) = start::<S>().await;
    for (n, login) in [Login::ScramSha1, Login::Plain].into_iter().enumerate() {
        let mut acs = GenieAcs::login(&server, ACS, login).await;
        assert_eq!(acs.request(CPE, RIGHT.0, RIGHT.1).await, Answer::Accepted, "{login:?}");
        let mut stranger = GenieAcs::login(&server, "stranger@a.test", login).await;
        assert_eq!(stranger.request(CPE, RIGHT.0, RIGHT.1).await, unavailable());
        assert_eq!(daemon.ubus().calls().len(), 2 * n + 1);
        daemon.ubus().fail_with(1);
        assert_eq!(acs.request(CPE, RIGHT.0, RIGHT.1).await, unavailable());
        daemon.ubus().behave();
        assert_eq!(daemon.ubus().calls().len(), 2 * n + 2);
    }
}

/// Four wrong ones, then the right one: accepted at once, and in the next session too, because that ended the count.
async fn a_handful_of_credentials_may_be_tried_again_and_again<S: Server>() {
    let (server, mut daemon) = start::<S>().await;
    let handful = [&OTHERS[..4], &[RIGHT]].concat();
    let mut sessions = 0;
    for login in [Login::ScramSha1, Login::Plain, Login::ScramSha1] {
        let mut acs = GenieAcs::login(&server, ACS, login).await;
        for _ in 0..2 {
            sessions += 1;
            assert_eq!(acs.try_all(CPE, &handful).await, (Answer::Accepted, 5), "{login:?}, session {sessions}");
            assert_eq!(daemon.ubus().calls().len(), sessions);
        }
        acs.leave();
    }
    let status = daemon.status(1).await;
    let counts = ["accepted", "refused_credentials", "refused_locked"].map(|name| status.number::<usize>(name));
    assert_eq!(counts, [sessions, 4 * sessions, 0]);
    daemon.stop_and_look_for(&["cpe-secret", "of-another", PASSWORD]).await;
}

async fn the_fifth_wrong_ones_lock_it_out_and_nobody_else<S: Server>() {
    let (server, daemon) = start::<S>().await;
    let mut acs = GenieAcs::login(&server, ACS, Login::ScramSha1).await;
    // The fifth is still told that it is wrong; the right one that follows is not even looked at.
    assert_eq!(acs.try_all(CPE, &OTHERS).await, (not_authorized(), 5));
    assert_eq!(acs.try_all(CPE, &[RIGHT]).await, (unavailable(), 1));
    acs.leave();
    // It is the account that is locked out, not the session.
    let mut again = GenieAcs::login(&server, ACS, Login::Plain).await;
    assert_eq!(again.try_all(CPE, &[OTHERS[0], RIGHT]).await, (unavailable(), 1));
    assert_eq!(daemon.ubus().calls(), []);
    let mut other = GenieAcs::login(&server, "other@a.test", Login::Plain).await;
    assert_eq!(other.try_all(CPE, &[OTHERS[0], RIGHT]).await, (Answer::Accepted, 2));
    let status = daemon.status(1).await;
    let counts = ["accepted", "refused_credentials", "refused_locked"].map(|name| status.number::<usize>(name));
    assert_eq!(counts, [1, 6, 2]);
}
