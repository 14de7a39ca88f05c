//! Many connection requests.

use xmppd::cwmp::lockout::MAX_SENDERS;

use super::meter::Meter;
use super::{Progress, fleet, from_environment, options, start};
use crate::harness::fleet::jid;
use crate::harness::prosody::PASSWORD;
use crate::harness::raw_client::attribute;
use crate::harness::stanzas::{assert_result, connection_request, good_request};
use crate::harness::{ACS, Options, Prosody, RawClient, Server};

/// Connections asked in turn.
const CONNECTIONS: u32 = 3;
/// Number of measurements.
const SAMPLES: u64 = 30;
/// Requests sent at once.
const BURST: u64 = 100;
/// One in this number is sent by itself, so that the CWMP client is notified for it alone.
const ALONE: u64 = 50;
/// A domain with many users, each of which tries wrong credentials once.
const STRANGERS: &str = "strangers.test";

/// Sends these requests at once and waits for all answers, which must have this type.
async fn burst(wire: &mut RawClient, requests: &[String], kind: &str) {
    wire.send(&requests.concat()).await;
    for answer in wire.answers(requests).await {
        assert_eq!(attribute(&answer, "type"), kind, "{answer}");
    }
}

/// A request of the stranger of this number, with wrong credentials.
fn by_stranger(number: u64, to: &str) -> String {
    let from = format!("<iq from='u{number}@{STRANGERS}/r'");
    connection_request(to, "cpe-user", "wrong").replacen("<iq", &from, 1)
}

#[tokio::test]
async fn requests_do_not_leak() {
    let wanted = from_environment("SOAK_REQUESTS", 5000).next_multiple_of(SAMPLES);
    let prosody =
        Prosody::start_with(&["a.test"], Options { components: &[STRANGERS], smacks: true, ..options() }).await;
    let mut fleet = fleet(CONNECTIONS, &prosody);
    fleet.set("notify", "command");
    fleet.set("notify_command", "true");
    let mut daemon = start(&fleet).await;
    let mut acs = prosody.raw_client(ACS).await;
    let mut strangers =
        RawClient::component(crate::harness::Server::component_port(&prosody), STRANGERS, PASSWORD).await;
    // Each connection remembers a limited number of them: the measurements begin when that is reached.
    let mut strangers_seen = 0;
    for connection in 1..=CONNECTIONS {
        let first: Vec<String> =
            (0..MAX_SENDERS as u64).map(|n| by_stranger(strangers_seen + n, &jid(connection))).collect();
        burst(&mut strangers, &first, "error").await;
        strangers_seen += MAX_SENDERS as u64;
    }
    let (mut meter, mut progress) = (Meter::of(daemon.pid()), Progress::new());

    let (mut requests, mut samples, mut alone, mut wrong) = (0, 0, 0, 0);
    for round in 0.. {
        if requests * SAMPLES >= samples * wanted {
            let sample = meter.measure_daemon(&daemon).await;
            samples += 1;
            progress.print(|| format!("{requests} of {wanted} requests, {sample}"));
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
        // Each has another sender, so that none is locked out and all are remembered.
        let by_strangers: Vec<String> =
            (0..BURST / 10).map(|n| by_stranger(strangers_seen + wrong + n, &to(n))).collect();
        burst(&mut strangers, &by_strangers, "error").await;
        alone += BURST / ALONE;
        wrong += BURST / 10;
        requests += BURST + BURST / ALONE + BURST / 10;
    }
    let statuses = daemon.statuses().await;
    let sum = |name: &str| statuses.values().map(|status| status.number::<u64>(name)).sum::<u64>();
    assert_eq!((sum("accepted"), sum("refused_credentials")), (requests - wrong, strangers_seen + wrong));
    assert!(daemon.running());
    eprintln!(
        "soak: {requests} requests ({alone} one by one, {wrong} of strangers) in {} s, {}",
        progress.start.elapsed().as_secs(),
        meter.verdict().await
    );
}
