//! Connection requests as `GenieACS` sends them, through real servers. It may try several credentials.

use crate::harness::genieacs::{Answer, GenieAcs, Login};
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Section, Server, ServerOptions, on_each_server};

const CPE: &str = "cpe@a.test/wan";
const ACS: &str = "acs@a.test";
const RIGHT: (&str, &str) = ("cpe-user", "cpe-secret");
/// Credentials of other devices.
const OTHERS: [(&str, &str); 5] =
    [("", ""), ("cpe-user", "of-another"), ("another", "cpe-secret"), ("admin", "admin"), ("cpe-user", "")];

on_each_server!(
    an_answer_has_its_own_segment,
    four_wrong_credentials_before_the_right_ones_are_accepted_each_time,
    the_fifth_wrong_credentials_lock_out_only_that_account
);

async fn start<S: Server>() -> (S, Daemon) {
    let server = S::launch(&["a.test"], ServerOptions::default()).await;
    server.account("cpe@a.test");
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

async fn an_answer_has_its_own_segment<S: Server>() {
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

/// Four wrong credentials and then the right ones are accepted, in the next session as well: success resets the count.
async fn four_wrong_credentials_before_the_right_ones_are_accepted_each_time<S: Server>() {
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
    daemon.stop_and_assert_not_logged(&["cpe-secret", "of-another", PASSWORD]).await;
}

async fn the_fifth_wrong_credentials_lock_out_only_that_account<S: Server>() {
    let (server, daemon) = start::<S>().await;
    let mut acs = GenieAcs::login(&server, ACS, Login::ScramSha1).await;
    // The fifth is answered `not-authorized`; after it even the right credentials are refused.
    assert_eq!(acs.try_all(CPE, &OTHERS).await, (not_authorized(), 5));
    assert_eq!(acs.try_all(CPE, &[RIGHT]).await, (unavailable(), 1));
    acs.leave();
    // The lockout applies to the account, not to the session.
    let mut again = GenieAcs::login(&server, ACS, Login::Plain).await;
    assert_eq!(again.try_all(CPE, &[OTHERS[0], RIGHT]).await, (unavailable(), 1));
    assert_eq!(daemon.ubus().calls(), []);
    let mut other = GenieAcs::login(&server, "other@a.test", Login::Plain).await;
    assert_eq!(other.try_all(CPE, &[OTHERS[0], RIGHT]).await, (Answer::Accepted, 2));
    let status = daemon.status(1).await;
    let counts = ["accepted", "refused_credentials", "refused_locked"].map(|name| status.number::<usize>(name));
    assert_eq!(counts, [1, 6, 2]);
}
