//! The memory of each further connection, with the trusted certificates shared by all. What is allocated is a test; what
//! is resident is a measurement, run by name:
//!
//! ```text
//! XMPPD_TEST_PROGRAM=$PWD/target/release/xmppd cargo test -p xmppd-integration --test integration -- certificates::memory --ignored --nocapture
//! ```

use std::path::Path;
use std::time::Duration;

use super::openssl::Workshop;
use super::prosody;
use crate::harness::{Daemon, Endpoint, LIMIT, Prosody, Section, Server, Setup, Validity, proc};

const MANY: u32 = 100;
/// Connections besides the first one where what is allocated is counted.
const FURTHER: u32 = 8;
/// KiB
const GOAL: u64 = 44;

/// What each further connection may allocate, bytes.
const ALLOCATION_GOAL: u64 = 32 * 1024;

/// Starts a daemon, and waits until this number of connections is online.
async fn online(server: &Prosody, ca: Option<&Path>, store: &Path, connections: u32) -> Daemon {
    let mut sections = vec![Section::general(&[1]).option("loglevel", "INFO")];
    for id in 1..=connections {
        let connection = Section::connection(id, &format!("cpe@a.test/wan{id}"), server).without("tls_ca");
        sections.extend([
            ca.iter().fold(connection, |connection, ca| connection.option("tls_ca", ca.display())),
            Section::server(id, server),
        ]);
    }
    let daemon = Setup::new(&sections).env("SSL_CERT_FILE", store).start();
    for id in 1..=connections {
        daemon.wait_for_log(&[&format!("online as cpe@a.test/wan{id} ")], LIMIT).await;
    }
    daemon
}

/// Returns `RssAnon` and `Pss`, in KiB, with this number of connections online.
async fn memory(server: &Prosody, ca: Option<&Path>, store: &Path, connections: u32) -> (u64, u64) {
    let daemon = online(server, ca, store, connections).await;
    let number = |file, name| proc::number(&proc::read(daemon.pid(), file), name);
    (number("status", "RssAnon"), number("smaps_rollup", "Pss"))
}

#[tokio::test]
#[ignore = "a measurement, to be run by name"]
async fn a_further_connection_stays_within_the_memory_goal() {
    let server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let made = Workshop::new();
    let ca = server.ca_pem();
    let store = made.joined("store.pem", &[Path::new("/etc/ssl/certs/ca-certificates.crt"), &ca]);
    let mut over = Vec::new();
    for (name, ca) in [("the system's store", None), ("tls_ca", Some(ca.as_path()))] {
        let one = memory(&server, ca, &store, 1).await;
        let many = memory(&server, ca, &store, MANY).await;
        let each = |one: u64, many: u64| many.saturating_sub(one) / u64::from(MANY - 1);
        let (anon, pss) = (each(one.0, many.0), each(one.1, many.1));
        println!(
            "{name}: RssAnon {} and {} KiB, Pss {} and {} KiB: each further connection {anon}, {pss} KiB",
            one.0, many.0, one.1, many.1
        );
        if anon > GOAL {
            over.push(format!("{name}: {anon} KiB for each further connection"));
        }
    }
    assert!(over.is_empty(), "{over:?}");
}

/// An idle stream holds neither the parser's buffer for the longest token nor the futures of its login.
#[tokio::test]
async fn a_further_connection_allocates_little() {
    let server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let ca = server.ca_pem();
    let start = |connections| online(&server, Some(&ca), Path::new("/nonexistent"), connections);
    let one = start(1).await.allocated().await.unwrap();
    let daemon = start(FURTHER + 1).await;
    let each = async || daemon.allocated().await.unwrap().saturating_sub(one) / u64::from(FURTHER);
    // The last login may have elements to read after it is logged.
    let settled = async {
        while each().await > ALLOCATION_GOAL {
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    };
    let in_time = tokio::time::timeout(LIMIT, settled).await.is_ok();
    let each = each().await;
    println!("each further connection has allocated {each} bytes");
    assert!(in_time, "{each} bytes for each further connection");
}
