//! A single request: its output and the exit status.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::ca::Ca;
use crate::harness::connreq::{connreq, run, start};
use crate::harness::raw_client::attribute;
use crate::harness::{Endpoint, LIMIT, Prosody, Server, SessionEnd};

#[tokio::test]
async fn exit_status_0_if_the_cpe_accepts() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let mut command = connreq(&prosody, &["cpe@a.test/wan"]);
    let (output, request) = tokio::join!(run(&mut command), cpe.accept());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert!(
        output.stdout.starts_with("cpe@a.test/wan  accepted in ") && output.stdout.ends_with(" ms\n"),
        "{output:?}"
    );
    assert_eq!(output.stdout.lines().count(), 1, "no summary of a single request: {output:?}");
    assert_eq!(attribute(&request, "type"), "get");
    // It closes its stream cleanly.
    let acs = prosody.events().into_iter().rfind(|event| event.jid.starts_with("acs@")).unwrap();
    assert_eq!(prosody.wait_gone(&acs.jid, LIMIT).await, Some(SessionEnd::ByClient));
}

#[tokio::test]
async fn exit_status_1_if_the_cpe_is_offline() {
    let prosody = Prosody::start(&["a.test"]).await;
    prosody.account("cpe@a.test");
    let output = run(&mut connreq(&prosody, &["cpe@a.test/wan"])).await;
    assert_eq!((output.code, output.stderr.as_str()), (1, ""));
    assert!(output.stdout.starts_with("cpe@a.test/wan  refused: service-unavailable (503) in "), "{output:?}");
}

/// The login has a limit of its own.
#[tokio::test]
async fn exit_status_2_without_an_answer() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let output = run(&mut connreq(&prosody, &["--timeout", "0.1", "cpe@a.test/wan"])).await;
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (2, "cpe@a.test/wan  no answer in time\n", "")
    );
    // The request was sent nevertheless.
    cpe.expect("<connectionRequest").await;
}

#[tokio::test]
async fn exit_status_3_with_a_wrong_password_which_is_not_printed() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut command = connreq(&prosody, &["cpe@a.test/wan", "--interval", "0"]);
    let output = run(command.env("CONNREQ_PASSWORD", "anotherword")).await;
    assert_eq!((output.code, output.stdout.as_str()), (3, ""));
    assert!(output.stderr.contains("cannot log in as acs@a.test: the server refused the login"), "{output:?}");
    assert!(output.stderr.contains("NotAuthorized") || output.stderr.contains("not-authorized"), "{output:?}");
    assert!(!output.stderr.contains("anotherword"), "{output:?}");
}

#[tokio::test]
async fn exit_status_3_if_the_server_is_unreachable() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    prosody.stop().await;
    let output = run(&mut connreq(&prosody, &["--json", "cpe@a.test/wan"])).await;
    assert_eq!(output.code, 3);
    assert!(output.stderr.contains("cannot reach the server"), "{output:?}");
    let lines = output.json();
    assert_eq!(lines.len(), 1, "{output:?}");
    assert_eq!((&lines[0]["type"], &lines[0]["sent"], &lines[0]["exit"]), (&"summary".into(), &0.into(), &3.into()));
}

/// The message names the certificate, not the network.
#[tokio::test]
async fn exit_status_3_if_the_certificate_is_rejected() {
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
    let output = run(command.env("CONNREQ_PASSWORD", "x")).await;
    assert_eq!((output.code, output.stdout.as_str()), (3, ""));
    let expected = "connreq: cannot log in as acs@a.test: the server's certificate is not accepted: its signature";
    assert!(output.stderr.starts_with(expected), "{output:?}");
}

#[tokio::test]
async fn exit_status_3_if_the_login_takes_too_long() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    prosody.freeze();
    let output = run(&mut connreq(&prosody, &["--login-timeout", "0.3", "cpe@a.test/wan"])).await;
    prosody.thaw();
    assert_eq!((output.code, output.stdout.as_str()), (3, ""));
    assert!(output.stderr.contains("cannot log in as acs@a.test: not logged in within 300ms"), "{output:?}");
}

/// Pending requests are distinguished from those that could not be sent.
#[tokio::test]
async fn exit_status_3_if_the_connection_is_lost() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe1@a.test/wan").await;
    let arguments = ["--concurrency", "1", "--json", "cpe1@a.test/wan", "cpe2@a.test/wan"];
    let running = start(&mut connreq(&prosody, &arguments));
    cpe.expect("<connectionRequest").await;
    prosody.kill().await;
    let output = running.end(LIMIT).await;
    assert_eq!((output.code, output.stderr.as_str()), (3, ""));
    let outcomes: Vec<_> = output.json().iter().map(|line| line["outcome"].as_str().map(str::to_owned)).collect();
    assert_eq!(outcomes, [Some("lost".to_owned()), Some("not-sent".to_owned()), None]);
}

#[tokio::test]
async fn exit_status_5_if_stopped_before_the_answer() {
    for signal in [Signal::INT, Signal::TERM] {
        let prosody = Prosody::start(&["a.test"]).await;
        let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
        let mut running = start(&mut connreq(&prosody, &["cpe@a.test/wan", "cpe@a.test/lan", "--concurrency", "1"]));
        cpe.expect("<connectionRequest").await;
        running.signal(signal);
        let output = running.end(LIMIT).await;
        assert_eq!((output.code, output.stderr.as_str()), (5, ""));
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines[0], "cpe@a.test/wan  no answer when the run was stopped");
        assert!(lines[1].starts_with("--- 2 targets: 1 request sent in "), "{output:?}");
        // It closes its stream cleanly.
        let acs = prosody.events().into_iter().rfind(|event| event.jid.starts_with("acs@")).unwrap();
        assert_eq!(prosody.wait_gone(&acs.jid, LIMIT).await, Some(SessionEnd::ByClient));
    }
}

#[tokio::test]
async fn an_answer_needs_the_id_and_sender_of_the_request() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let mut other = prosody.raw_client("cpe@a.test/lan").await;
    let running = start(&mut connreq(&prosody, &["cpe@a.test/wan"]));
    let request = cpe.expect("<connectionRequest").await;
    let (id, acs) = (attribute(&request, "id"), attribute(&request, "from"));
    other.send(&format!("<iq type='result' id='{id}' to='{acs}'/>")).await;
    // The server has delivered it before it answers what follows.
    other.ask("<iq type='get' id='p' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    cpe.send(&format!("<iq type='result' id='x{id}' to='{acs}'/>")).await;
    cpe.send(&format!(
        "<iq type='error' id='{id}' to='{acs}'><error type='auth'>\
         <not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ))
    .await;
    let output = running.end(LIMIT).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.starts_with("cpe@a.test/wan  refused: not-authorized (401) in "), "{output:?}");
}

/// The request has its outcome nevertheless, but a write error is reported.
#[tokio::test]
async fn a_closed_pipe_is_ignored_and_a_full_disk_reported() {
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

/// Neither the request nor the end of the stream is read by the server.
#[tokio::test]
async fn a_frozen_server_does_not_delay_the_end() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let arguments = ["--interval", "0", "--timeout", "0.5", "--json", "cpe@a.test/wan"];
    let mut command = connreq(&prosody, &arguments);
    let mut process = crate::harness::process::Process::start("connreq", command.stdout(Stdio::piped()));
    let mut lines = BufReader::new(process.child().stdout.take().unwrap()).lines();
    cpe.expect("<connectionRequest").await;
    prosody.freeze();
    // A request already sent may have been answered.
    let silent = lines.by_ref().map(Result::unwrap).filter(|line| line.contains(r#""outcome":"timeout""#));
    assert_eq!(silent.take(2).count(), 2);
    process.signal(Signal::INT);
    let status = process.wait(LIMIT).await;
    prosody.thaw();
    assert_eq!(status.code(), Some(2));
    let last = lines.last().unwrap().unwrap();
    assert!(last.starts_with(r#"{"type":"summary""#), "{last}");
}
