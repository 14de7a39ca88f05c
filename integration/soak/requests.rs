//! Connection requests, many of them.

use std::collections::BTreeSet;

use super::meter::Meter;
use super::{Progress, fleet, options, start, wanted};
use crate::harness::fleet::jid;
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{assert_result, connection_request, good_request, id};
use crate::harness::wire::attribute;
use crate::harness::{ACS, LIMIT, Options, Prosody, Wire};

/// How many connections are asked in turn.
const CONNECTIONS: u32 = 3;
/// How many times the whole is measured.
const SAMPLES: u64 = 30;
/// Requests that are sent at once.
const BURST: u64 = 100;
/// One in so many is sent by itself, so that the CWMP client is told for it alone.
const ALONE: u64 = 50;
/// A domain with many users, each of whom tries wrong credentials once.
const STRANGERS: &str = "strangers.test";

/// Sends these at once and waits for all answers, which are of this type.
async fn burst(wire: &mut Wire, requests: &[String], kind: &str) {
    let mut missing: BTreeSet<String> = requests.iter().map(|request| id(request)).collect();
    wire.send(&requests.concat()).await;
    while !missing.is_empty() {
        let answer = wire.next(LIMIT).await.expect("an answer");
        assert_eq!(attribute(&answer, "type"), kind, "{answer}");
        assert!(missing.remove(&attribute(&answer, "id")), "answered twice, or not asked: {answer}");
    }
}

#[tokio::test]
async fn requests_leave_nothing_behind() {
    let wanted = wanted("SOAK_REQUESTS", 5000).next_multiple_of(SAMPLES);
    let prosody =
        Prosody::start_with(&["a.test"], Options { components: &[STRANGERS], smacks: true, ..options() }).await;
    let mut fleet = fleet(CONNECTIONS, &prosody);
    fleet.general = fleet.general.option("notify", "command").option("notify_command", "true");
    let mut daemon = start(&fleet).await;
    let mut acs = prosody.wire(ACS).await;
    let mut strangers = Wire::component(crate::harness::Server::component_port(&prosody), STRANGERS, PASSWORD).await;
    let (mut meter, mut progress) = (Meter::of(daemon.pid()), Progress::new());

    let (mut requests, mut samples, mut alone, mut wrong) = (0, 0, 0, 0);
    for round in 0.. {
        if requests * SAMPLES >= samples * wanted {
            let sample = meter.measure_daemon(&daemon).await;
            samples += 1;
            progress.say(|| format!("{requests} of {wanted} requests, {sample}"));
        }
        if requests >= wanted {
            break;
        }
        let to = |n: u64| jid(u32::try_from((round + n) % u64::from(CONNECTIONS)).unwrap() + 1);
        let shared: Vec<String> = (0..BURST).map(|n| good_request(&to(n))).collect();
        burst(&mut acs, &shared, "result").await;
        for n in 0..BURST / ALONE {
            assert_result(&acs.ask(&good_request(&to(n))).await);
        }
        // Each of them is somebody else, so that none is locked out and all of them want to be remembered.
        let by_strangers: Vec<String> = (0..BURST / 10)
            .map(|n| {
                let from = format!("<iq from='u{}@{STRANGERS}/r'", wrong + n);
                connection_request(&to(n), "cpe-user", "wrong").replacen("<iq", &from, 1)
            })
            .collect();
        burst(&mut strangers, &by_strangers, "error").await;
        alone += BURST / ALONE;
        wrong += BURST / 10;
        requests += BURST + BURST / ALONE + BURST / 10;
    }
    let statuses = daemon.statuses().await;
    let sum = |name: &str| statuses.values().map(|status| status.number::<u64>(name)).sum::<u64>();
    assert_eq!((sum("accepted"), sum("refused_credentials")), (requests - wrong, wrong));
    assert!(daemon.running());
    eprintln!(
        "soak: {requests} requests ({alone} one by one, {wrong} of strangers) in {} s, {}",
        progress.start.elapsed().as_secs(),
        meter.verdict().await
    );
}
