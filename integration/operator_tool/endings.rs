//! One request: what is said of it, and the exit status.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::ca::Ca;
use crate::harness::connreq::{connreq, said, start};
use crate::harness::wire::attribute;
use crate::harness::{End, LIMIT, Prosody};

#[tokio::test]
async fn it_ends_with_0_when_the_cpe_accepts() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let mut command = connreq(&prosody, &["cpe@a.test/wan"]);
    let (said, request) = tokio::join!(said(&mut command), cpe.accept());
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.starts_with("cpe@a.test/wan  accepted in ") && said.stdout.ends_with(" ms\n"), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 1, "no summary of a single request: {said:?}");
    assert_eq!(attribute(&request, "type"), "get");
    // It leaves its server as one should.
    let acs = prosody.events().into_iter().rfind(|event| event.jid.starts_with("acs@")).unwrap();
    assert_eq!(prosody.wait_gone(&acs.jid, LIMIT).await, Some(End::ByClient));
}

#[tokio::test]
async fn it_ends_with_1_when_the_cpe_is_offline() {
    let prosody = Prosody::start(&["a.test"]).await;
    prosody.account("cpe@a.test");
    let said = said(&mut connreq(&prosody, &["cpe@a.test/wan"])).await;
    assert_eq!((said.code, said.stderr.as_str()), (1, ""));
    assert!(said.stdout.starts_with("cpe@a.test/wan  refused: service-unavailable (503) in "), "{said:?}");
}

/// The login's time is another one, and may be longer.
#[tokio::test]
async fn it_ends_with_2_when_no_answer_comes() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let said = said(&mut connreq(&prosody, &["--timeout", "0.1", "cpe@a.test/wan"])).await;
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (2, "cpe@a.test/wan  no answer in time\n", ""));
    // It was sent, all the same.
    cpe.expect("<connectionRequest").await;
}

#[tokio::test]
async fn it_ends_with_3_when_the_password_is_wrong_and_does_not_print_it() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut command = connreq(&prosody, &["cpe@a.test/wan", "--interval", "0"]);
    let said = said(command.env("CONNREQ_PASSWORD", "anotherword")).await;
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    assert!(said.stderr.contains("cannot log in as acs@a.test: the server refused the login"), "{said:?}");
    assert!(said.stderr.contains("NotAuthorized") || said.stderr.contains("not-authorized"), "{said:?}");
    assert!(!said.stderr.contains("anotherword"), "{said:?}");
}

#[tokio::test]
async fn it_ends_with_3_when_nobody_listens_there() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    prosody.stop().await;
    let said = said(&mut connreq(&prosody, &["--json", "cpe@a.test/wan"])).await;
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("cannot reach the server"), "{said:?}");
    let lines = said.json();
    assert_eq!(lines.len(), 1, "{said:?}");
    assert_eq!((&lines[0]["type"], &lines[0]["sent"], &lines[0]["exit"]), (&"summary".into(), &0.into(), &3.into()));
}

/// In words, and not as if nobody were there.
#[tokio::test]
async fn it_ends_with_3_when_the_certificate_is_not_accepted() {
    let prosody = Prosody::start(&["a.test"]).await;
    let other = Ca::new();
    let mut command = crate::harness::process::command(crate::harness::program::connreq());
    let server = format!("localhost:{}", prosody.port());
    command.args([
        "--jid",
        "acs@a.test",
        "--server",
        &server,
        "--ca",
        &other.pem().display().to_string(),
        "cpe@a.test/wan",
    ]);
    let said = said(command.env("CONNREQ_PASSWORD", "x")).await;
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    let expected = "connreq: cannot log in as acs@a.test: the server's certificate is not accepted: its signature";
    assert!(said.stderr.starts_with(expected), "{said:?}");
}

#[tokio::test]
async fn it_ends_with_3_when_the_login_takes_too_long() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    prosody.freeze();
    let said = said(&mut connreq(&prosody, &["--login-timeout", "0.3", "cpe@a.test/wan"])).await;
    prosody.thaw();
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    assert!(said.stderr.contains("cannot log in as acs@a.test: not logged in within 300ms"), "{said:?}");
}

/// What was under way is told apart from what could not be sent any more.
#[tokio::test]
async fn it_ends_with_3_when_the_connection_is_lost() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe1@a.test/wan").await;
    let arguments = ["--concurrency", "1", "--json", "cpe1@a.test/wan", "cpe2@a.test/wan"];
    let running = start(&mut connreq(&prosody, &arguments));
    cpe.expect("<connectionRequest").await;
    prosody.kill().await;
    let said = running.end(LIMIT).await;
    assert_eq!((said.code, said.stderr.as_str()), (3, ""));
    let outcomes: Vec<_> = said.json().iter().map(|line| line["outcome"].as_str().map(str::to_owned)).collect();
    assert_eq!(outcomes, [Some("lost".to_owned()), Some("not-sent".to_owned()), None]);
}

#[tokio::test]
async fn it_ends_with_5_when_it_is_stopped_before_the_answer() {
    for signal in [Signal::INT, Signal::TERM] {
        let prosody = Prosody::start(&["a.test"]).await;
        let mut cpe = prosody.wire("cpe@a.test/wan").await;
        let mut running = start(&mut connreq(&prosody, &["cpe@a.test/wan", "cpe@a.test/lan", "--concurrency", "1"]));
        cpe.expect("<connectionRequest").await;
        running.signal(signal);
        let said = running.end(LIMIT).await;
        assert_eq!((said.code, said.stderr.as_str()), (5, ""));
        let lines: Vec<&str> = said.stdout.lines().collect();
        assert_eq!(lines[0], "cpe@a.test/wan  no answer when the run was stopped");
        assert!(lines[1].starts_with("--- 2 targets: 1 request sent in "), "{said:?}");
        // It took its leave.
        let acs = prosody.events().into_iter().rfind(|event| event.jid.starts_with("acs@")).unwrap();
        assert_eq!(prosody.wait_gone(&acs.jid, LIMIT).await, Some(End::ByClient));
    }
}

#[tokio::test]
async fn an_answer_of_somebody_else_or_to_something_else_does_not_count() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let mut other = prosody.wire("cpe@a.test/lan").await;
    let running = start(&mut connreq(&prosody, &["cpe@a.test/wan"]));
    let request = cpe.expect("<connectionRequest").await;
    let (id, acs) = (attribute(&request, "id"), attribute(&request, "from"));
    other.send(&format!("<iq type='result' id='{id}' to='{acs}'/>")).await;
    // The server has passed it on when it answers what came after it.
    other.ask("<iq type='get' id='p' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    cpe.send(&format!("<iq type='result' id='x{id}' to='{acs}'/>")).await;
    cpe.send(&format!(
        "<iq type='error' id='{id}' to='{acs}'><error type='auth'>\
         <not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ))
    .await;
    let said = running.end(LIMIT).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.starts_with("cpe@a.test/wan  refused: not-authorized (401) in "), "{said:?}");
}

/// The answer is known all the same; what can't be written is another matter.
#[tokio::test]
async fn a_closed_output_changes_nothing_and_a_full_one_is_told() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut command = connreq(&prosody, &["cpe@a.test/wan"]);
    let mut closed = crate::harness::process::Process::start("connreq", command.stdout(Stdio::piped()));
    drop(closed.child().stdout.take());
    assert_eq!(closed.wait(LIMIT).await.code(), Some(1));

    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = connreq(&prosody, &["cpe@a.test/wan"]);
    let process = crate::harness::process::Process::start("connreq", command.stdout(full).stderr(Stdio::piped()));
    let mut process = process;
    assert_eq!(process.wait(LIMIT).await.code(), Some(5));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut process.child().stderr.take().unwrap(), &mut text).unwrap();
    assert_eq!(text, "connreq: standard output: No space left on device (os error 28)\n");
}

/// Neither the requests nor its leave reach the server.
#[tokio::test]
async fn a_server_that_stands_still_does_not_keep_it() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let arguments = ["--interval", "0", "--timeout", "0.5", "--json", "cpe@a.test/wan"];
    let mut command = connreq(&prosody, &arguments);
    let mut process = crate::harness::process::Process::start("connreq", command.stdout(Stdio::piped()));
    let mut lines = BufReader::new(process.child().stdout.take().unwrap()).lines();
    cpe.expect("<connectionRequest").await;
    prosody.freeze();
    // What was on the way may have been answered yet.
    let silent = lines.by_ref().map(Result::unwrap).filter(|line| line.contains(r#""outcome":"timeout""#));
    assert_eq!(silent.take(2).count(), 2);
    process.signal(Signal::INT);
    let status = process.wait(LIMIT).await;
    prosody.thaw();
    assert_eq!(status.code(), Some(2));
    let last = lines.last().unwrap().unwrap();
    assert!(last.starts_with(r#"{"type":"summary""#), "{last}");
}
