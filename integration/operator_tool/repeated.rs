//! Several rounds.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::connreq::{connreq, run, start};
use crate::harness::process::Process;
use crate::harness::prosody::PASSWORD;
use crate::harness::{LIMIT, Prosody, Server};

#[tokio::test]
async fn with_an_interval_rounds_are_repeated_until_stopped() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let mut running = start(&mut connreq(&prosody, &["--interval", "0.05", "cpe@a.test/wan"]));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(crate::harness::raw_client::attribute(&cpe.accept().await, "id"));
    }
    let arguments = running.cmdline();
    assert!(arguments.contains("cpe@a.test/wan"), "{arguments}");
    assert!(!arguments.contains(PASSWORD) && !arguments.contains("cpe-secret"), "{arguments}");
    // The fourth request is pending.
    cpe.expect("<connectionRequest").await;
    running.signal(Signal::INT);
    let output = running.end(LIMIT).await;
    // All requests that had an outcome were accepted.
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(output.stdout.matches("cpe@a.test/wan  accepted in ").count(), 3, "{output:?}");
    assert!(output.stdout.contains("\n--- 1 target, 4 rounds: 4 requests sent in "), "{output:?}");
    assert!(output.stdout.contains("\nno answer when the run was stopped  1   25.0 %\n"), "{output:?}");
    ids.dedup();
    assert_eq!(ids.len(), 3, "an id of its own for each");
}

#[tokio::test]
async fn count_sets_the_number_of_rounds() {
    let prosody = Prosody::start(&["a.test"]).await;
    let arguments = ["--count", "3", "--interval", "0", "--json", "x@a.test/wan", "y@a.test/wan"];
    let output = run(&mut connreq(&prosody, &arguments)).await;
    assert_eq!(output.code, 1, "{output:?}");
    let lines = output.json();
    let rounds: Vec<u64> = lines.iter().filter_map(|line| line["round"].as_u64()).collect();
    assert_eq!(rounds, [1, 1, 2, 2, 3, 3]);
    assert_eq!((&lines[6]["rounds"], &lines[6]["refused"]), (&3.into(), &6.into()));
}

/// Lost requests stay lost; later rounds log in again.
#[tokio::test]
async fn a_lost_connection_is_followed_by_a_new_login() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let mut running = start(&mut connreq(&prosody, &["--interval", "0.2", "--json", "cpe@a.test/wan"]));
    cpe.accept().await;
    cpe.expect("<connectionRequest").await;
    prosody.kill().await;
    drop(cpe);
    prosody.start_again().await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    cpe.accept().await;
    // The answer was printed before the next request arrives.
    cpe.expect("<connectionRequest").await;
    running.signal(Signal::TERM);
    let output = running.end(LIMIT).await;
    assert_eq!(output.code, 3, "something was lost: {output:?}");
    let outcomes: Vec<String> =
        output.json().iter().filter_map(|line| line["outcome"].as_str().map(str::to_owned)).collect();
    assert_eq!(outcomes[..2], ["accepted", "lost"], "{output:?}");
    assert_eq!(outcomes[outcomes.len() - 2..], ["accepted", "interrupted"], "{output:?}");
}

/// As in `connreq ... | head -n 1`.
#[tokio::test]
async fn a_closed_pipe_ends_the_run() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut command = connreq(&prosody, &["--interval", "0.05", "cpe@a.test/wan"]);
    let mut process = Process::start("connreq", command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut output = BufReader::new(process.child().stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("cpe@a.test/wan  refused: "), "{line}");
    drop(output);
    assert_eq!(process.wait(LIMIT).await.code(), Some(1));
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut process.child().stderr.take().unwrap(), &mut errors).unwrap();
    assert_eq!(errors, "");
}
