//! DNS fails: streams stay up, and lost ones are replaced when DNS works again.

use crate::faults::{CPE, accepted};
use crate::harness::{Daemon, Dns, Endpoint, LIMIT, Prosody, Record, Section, Server, Setup};

/// How DNS fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The port is closed.
    Killed,
    /// SERVFAIL
    Failing,
    /// No answers.
    Silent,
}

impl Fault {
    async fn inject(self, dns: &mut Dns) {
        match self {
            Self::Killed => dns.stop().await,
            Self::Failing => dns.fail().await,
            Self::Silent => dns.be_silent().await,
        }
    }
}

#[tokio::test]
async fn failures_of_dns_are_survived() {
    let mut server = Prosody::start(&["a.test"]).await;
    server.account("cpe@a.test");
    let records =
        [Record::starttls("a.test", "xmpp.a.test", server.port(), 0, 0), Record::host("xmpp.a.test", &["127.0.0.1"])];
    let mut dns = Dns::start(&records).await;
    // Time enough for the server's answers on a busy machine.
    let connection = Section::connection(1, CPE, &server).option("serveralgorithm", "DNS-SRV").option("interval", 3);
    let setup = Setup::new([&Section::general(&[1]), &connection]);
    let mut daemon = setup.traced().env("XMPPD_RESOLV_CONF", dns.resolv_conf_file()).start();
    server.wait_client(CPE, LIMIT).await;
    for fault in [Fault::Killed, Fault::Failing, Fault::Silent] {
        survives(fault, &mut server, &mut dns, &records, &mut daemon).await;
    }
    assert!(daemon.stop().await.success());
}

async fn survives(fault: Fault, server: &mut Prosody, dns: &mut Dns, records: &[Record], daemon: &mut Daemon) {
    // The present stream needs no DNS.
    let mark = daemon.log().mark();
    let (pid, port) = (daemon.pid(), server.client_port(CPE));
    fault.inject(dns).await;
    daemon.assert_not_busy(&format!("{fault:?}, with the stream up")).await;
    daemon.log().wait(mark, &["the server answered after"], LIMIT).await;
    let mut acs = server.acs("acs@a.test/r").await;
    accepted(&mut acs).await;
    assert_eq!(server.client_port(CPE), port);
    assert_eq!(daemon.log().since(mark, &["WARNING"]), [""; 0]);
    drop(acs);

    server.kill().await;
    server.start_again().await;
    daemon.log().wait(mark, &["WARNING connection 1 ", "attempt failed: DNS lookup of", "failed"], LIMIT).await;
    daemon.wait_for_value(1, "status", "ServerNotPresent").await;
    daemon.assert_not_busy(&format!("{fault:?}, with the stream lost")).await;
    assert!(daemon.running() && daemon.pid() == pid);

    let mark = daemon.log().mark();
    dns.serve(records).await;
    daemon.log().wait(mark, &["connection 1 ", "online as", CPE], LIMIT).await;
    accepted(&mut server.acs("acs@a.test/r").await).await;
}
