mod night;

use std::io;
use std::path::Path;

use super::*;
use crate::config::load::load;
use crate::config::model::ConnectionId;
use crate::testing::Log;
use crate::xmpp::attempt::Step;
use crate::xmpp::error_condition::ErrorCondition;
use crate::xmpp::sasl::SaslError;

/// Shorter than 60 s: the counts stay.
const SHORT: Duration = Duration::from_secs(10);

/// TR-181's schedule; a wait of less than a second is improbable after several passes only.
fn settings() -> ConnectionSettings {
    let text = "config connection\n option username u\n option domain a.test\n option enable 1\n";
    load(Path::new("xmpp"), text.as_bytes()).unwrap().settings.connections[&ConnectionId(1)].clone()
}

fn servers(hosts: &[&str]) -> Vec<ResolvedServer> {
    hosts.iter().map(|host| ResolvedServer::new(Target::domain(host), &[[127, 0, 0, 1].into()])).collect()
}

/// A search that attempts the first of these servers.
fn attempting(hosts: &[&str]) -> ServerSearch {
    let mut search = ServerSearch::new(settings().retry);
    search.begin_pass(&settings(), "a.test");
    assert_eq!(search.resolved(Ok(servers(hosts)), &settings()), Transition::Attempt);
    search
}

fn condition(name: &str, content: &str) -> ErrorCondition {
    ErrorCondition { condition: Some(name.to_owned()), content: content.to_owned(), text: None }
}

fn stream_error(name: &str, content: &str) -> StreamEnd {
    StreamEnd::StreamError(condition(name, content))
}

fn attempt_failed(search: &mut ServerSearch, cause: Cause) -> Transition {
    search.attempt_failed(&"x", &AttemptError { step: Step::Login, cause }, &settings())
}

fn unreachable() -> Cause {
    Cause::Io(io::Error::from(io::ErrorKind::ConnectionRefused))
}

fn present(search: &ServerSearch) -> &str {
    &search.present().expect("a server").target.host
}

/// A wait, what follows it, and the status through it.
fn waits(transition: Transition) -> (Duration, AfterWait, Status) {
    let Transition::Wait { wait, then, failure } = transition else { panic!("{transition:?}") };
    (wait, then, failure.status)
}

fn waits_for(transition: Transition) -> (AfterWait, Status) {
    let (_, then, status) = waits(transition);
    (then, status)
}

#[test]
fn a_pass_attempts_each_server_once_and_then_waits() {
    let mut search = attempting(&["a", "b"]);
    let Transition::NextServer { error } = attempt_failed(&mut search, unreachable()) else { panic!("no next server") };
    assert!(error.contains("login"), "{error}");
    assert_eq!((present(&search), search.policy.pass()), ("b", 1));
    assert_eq!(waits_for(attempt_failed(&mut search, unreachable())), (AfterWait::NewPass, Status::ServerNotPresent));
    assert_eq!(search.policy.pass(), 2);
}

#[test]
fn a_failed_lookup_is_a_failed_pass() {
    let mut search = ServerSearch::new(settings().retry);
    search.begin_pass(&settings(), "a.test");
    let error = ResolveError::NoAddress("a.test".to_owned());
    assert_eq!(waits_for(search.resolved(Err(error), &settings())), (AfterWait::NewPass, Status::ServerNotPresent));
    assert_eq!(search.policy.pass(), 2);
}

#[test]
fn a_long_text_of_the_server_is_cut() {
    let log = Log::capture();
    let mut search = attempting(&["a"]);
    let error = ErrorCondition { text: Some("x".repeat(1_000_000)), ..condition("not-authorized", "") };
    let Transition::Wait { failure, .. } = attempt_failed(&mut search, Cause::StreamError(error.clone())) else {
        panic!("no wait")
    };
    let end = StreamEnd::StreamError(error);
    let Transition::Wait { failure: lost, .. } = search.stream_ended(&end, SHORT, &settings()) else {
        panic!("no wait")
    };
    for text in [failure.error, lost.error].into_iter().chain(log.lines(tracing::Level::WARN)) {
        assert!(text.contains("not-authorized") && text.contains("xxx...") && text.len() < 1200, "{text}");
    }
}

#[test]
fn a_refused_login_waits_before_the_next_server() {
    let mut search = attempting(&["a", "b"]);
    let refused = Cause::Sasl(SaslError::Impostor("x"));
    let (wait, then, status) = waits(attempt_failed(&mut search, refused));
    assert_eq!((then, status), (AfterWait::NextServer, Status::ErrorAuthenticationFailure));
    assert_eq!(wait, settings().retry.initial / 2);
    assert_eq!(present(&search), "b");
}

#[test]
fn a_conflict_waits_long_during_an_attempt_and_on_a_stream() {
    let mut search = attempting(&["a"]);
    let attempt = waits(attempt_failed(&mut search, Cause::StreamError(condition("conflict", ""))));
    let stream = waits(search.stream_ended(&stream_error("conflict", ""), SHORT, &settings()));
    for (wait, then, status) in [attempt, stream] {
        assert_eq!((then, status), (AfterWait::NewPass, Status::Error));
        assert!(wait >= Duration::from_secs(300), "{wait:?}");
    }
}

#[test]
fn three_redirects_in_a_row_are_followed() {
    let other = || stream_error("see-other-host", "b.test");
    let redirect = || Transition::Redirect(Target::domain("b.test"));
    let mut search = attempting(&["a"]);
    // Streams and attempts count alike.
    assert_eq!(search.stream_ended(&other(), SHORT, &settings()), redirect());
    assert_eq!(search.redirect_resolved(Ok(servers(&["b"])), &settings()), Transition::Attempt);
    assert_eq!(present(&search), "b");
    for _ in 0..2 {
        let condition = condition("see-other-host", "b.test");
        assert_eq!(attempt_failed(&mut search, Cause::StreamError(condition)), redirect());
    }
    assert_eq!(waits_for(search.stream_ended(&other(), SHORT, &settings())), (AfterWait::NewPass, Status::Dormant));
    // The row ended with that.
    assert_eq!(search.stream_ended(&other(), SHORT, &settings()), redirect());
}

#[test]
fn the_rest_of_the_pass_follows_a_redirect_that_fails() {
    let mut search = attempting(&["a", "c"]);
    let condition = condition("see-other-host", "b.test");
    assert!(matches!(attempt_failed(&mut search, Cause::StreamError(condition)), Transition::Redirect(_)));
    let error = ResolveError::NoAddress("b.test".to_owned());
    let next = search.redirect_resolved(Err(error), &settings());
    assert_eq!(next, Transition::NextServer { error: "b.test has no address".to_owned() });
    assert_eq!(present(&search), "c");
}

#[test]
fn a_second_reset_without_a_lost_stream_in_between_is_a_lost_stream() {
    let mut search = attempting(&["a"]);
    for _ in 0..2 {
        assert_eq!(search.stream_ended(&stream_error("reset", ""), SHORT, &settings()), Transition::Reset);
        let second = search.stream_ended(&stream_error("reset", ""), SHORT, &settings());
        assert_eq!(waits_for(second), (AfterWait::NewPass, Status::Dormant));
    }
}

#[test]
fn a_stream_error_of_this_server_alone_is_followed_by_the_next_server() {
    let mut search = attempting(&["a", "b"]);
    let next = search.stream_ended(&stream_error("host-gone", ""), SHORT, &settings());
    assert!(matches!(next, Transition::NextServer { .. }), "{next:?}");
    assert_eq!(present(&search), "b");
}

#[test]
fn a_pass_does_not_go_on_after_a_stream_that_lived_long() {
    let mut search = attempting(&["a", "b"]);
    let next = search.stream_ended(&stream_error("host-gone", ""), Duration::from_secs(60), &settings());
    assert_eq!(waits_for(next), (AfterWait::NewPass, Status::Error));
    assert!(search.present().is_none());
}

#[test]
fn a_lost_stream_is_followed_by_a_wait() {
    let mut search = attempting(&["a", "b"]);
    let next = search.stream_ended(&StreamEnd::ClosedByServer, SHORT, &settings());
    assert_eq!(waits_for(next), (AfterWait::NewPass, Status::Dormant));
}

#[test]
fn a_wait_is_never_lengthened() {
    let search = attempting(&["a"]);
    assert!(search.shorten_wait(Duration::from_secs(7)) <= Duration::from_secs(7));
    assert!(search.shorten_wait(Duration::from_secs(100_000)) <= settings().retry.initial);
}
