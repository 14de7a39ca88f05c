//! Round after round.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::connreq::{connreq, said, start};
use crate::harness::process::Process;
use crate::harness::prosody::PASSWORD;
use crate::harness::{LIMIT, Prosody};

#[tokio::test]
async fn with_an_interval_it_asks_until_it_is_stopped_and_sums_up() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let mut running = start(&mut connreq(&prosody, &["--interval", "0.05", "cpe@a.test/wan"]));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(crate::harness::wire::attribute(&cpe.accept().await, "id"));
    }
    let arguments = running.cmdline();
    assert!(arguments.contains("cpe@a.test/wan"), "{arguments}");
    assert!(!arguments.contains(PASSWORD) && !arguments.contains("cpe-secret"), "{arguments}");
    // The fourth is under way.
    cpe.expect("<connectionRequest").await;
    running.signal(Signal::INT);
    let said = running.end(LIMIT).await;
    // Of those that were waited for, all were accepted.
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert_eq!(said.stdout.matches("cpe@a.test/wan  accepted in ").count(), 3, "{said:?}");
    assert!(said.stdout.contains("\n--- 1 target, 4 rounds: 4 requests sent in "), "{said:?}");
    assert!(said.stdout.contains("\nno answer when the run was stopped  1   25.0 %\n"), "{said:?}");
    ids.dedup();
    assert_eq!(ids.len(), 3, "an id of its own for each");
}

#[tokio::test]
async fn it_asks_so_many_times() {
    let prosody = Prosody::start(&["a.test"]).await;
    let arguments = ["--count", "3", "--interval", "0", "--json", "x@a.test/wan", "y@a.test/wan"];
    let said = said(&mut connreq(&prosody, &arguments)).await;
    assert_eq!(said.code, 1, "{said:?}");
    let lines = said.json();
    let rounds: Vec<u64> = lines.iter().filter_map(|line| line["round"].as_u64()).collect();
    assert_eq!(rounds, [1, 1, 2, 2, 3, 3]);
    assert_eq!((&lines[6]["rounds"], &lines[6]["refused"]), (&3.into(), &6.into()));
}

/// What was lost stays lost; the rounds after it have a session of their own, as soon as there can be one.
#[tokio::test]
async fn after_a_lost_connection_it_logs_in_anew() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    let mut running = start(&mut connreq(&prosody, &["--interval", "0.2", "--json", "cpe@a.test/wan"]));
    cpe.accept().await;
    cpe.expect("<connectionRequest").await;
    prosody.kill().await;
    drop(cpe);
    prosody.start_again().await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
    cpe.accept().await;
    // Its answer was written when the next request comes.
    cpe.expect("<connectionRequest").await;
    running.signal(Signal::TERM);
    let said = running.end(LIMIT).await;
    assert_eq!(said.code, 3, "something was lost: {said:?}");
    let outcomes: Vec<String> =
        said.json().iter().filter_map(|line| line["outcome"].as_str().map(str::to_owned)).collect();
    assert_eq!(outcomes[..2], ["accepted", "lost"], "{said:?}");
    assert_eq!(outcomes[outcomes.len() - 2..], ["accepted", "interrupted"], "{said:?}");
}

/// As `connreq ... | head -n 1` does.
#[tokio::test]
async fn it_ends_when_nobody_reads_its_answers_any_more() {
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
