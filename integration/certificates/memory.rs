//! What each further connection costs, with what is trusted shared by all. A measurement, run by name:
//!
//! ```text
//! SOAK_PROGRAM=$PWD/target/release/xmppd cargo test -p xmppd-integration --test integration -- certificates::memory --ignored --nocapture
//! ```

use std::path::{Path, PathBuf};

use super::openssl::Workshop;
use super::prosody;
use crate::harness::{LIMIT, Prosody, Section, Setup, Validity};

const MANY: u32 = 100;
/// KiB
const GOAL: u64 = 48;

/// `RssAnon` and `Pss` of so many connections that are online, KiB.
async fn memory(server: &Prosody, ca: Option<&Path>, store: &Path, connections: u32) -> (u64, u64) {
    let mut sections = vec![Section::general(&[1]).option("loglevel", "INFO")];
    for id in 1..=connections {
        let connection = Section::connection(id, &format!("cpe@a.test/wan{id}"), server).without("tls_ca");
        sections.extend([
            ca.iter().fold(connection, |connection, ca| connection.option("tls_ca", ca.display())),
            Section::server(id, server),
        ]);
    }
    let mut setup = Setup::new(&sections).env("SSL_CERT_FILE", store);
    if let Some(program) = std::env::var_os("SOAK_PROGRAM") {
        setup = setup.program(std::fs::canonicalize(program).unwrap());
    }
    let daemon = setup.start();
    for id in 1..=connections {
        daemon.wait_for_log(&[&format!("online as cpe@a.test/wan{id} ")], LIMIT).await;
    }
    let process = PathBuf::from(format!("/proc/{}", daemon.pid().as_raw_nonzero()));
    let number = |file: &str, name: &str| -> u64 {
        let text = std::fs::read_to_string(process.join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (number("status", "RssAnon:"), number("smaps_rollup", "Pss:"))
}

#[tokio::test]
#[ignore = "a measurement, to be run by name"]
async fn each_further_connection() {
    let server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let made = Workshop::new();
    let ca = server.ca().pem();
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
