//! Faults of the server and of the account, in one table for both servers.

use Fault::{
    AccountDeleted, CertificateChanged, CertificateChangedAtRestart, Frozen, Killed, LoggedInElsewhere, NetworkGone,
    PasswordChanged, Restarted,
};
use connreq::Requester;
use rustix::process::Pid;

use super::{CPE, accepted};
use crate::harness::prosody::PASSWORD;
use crate::harness::{
    Daemon, FaultProxy, LIMIT, RawClient, Section, Server, ServerOptions, Setup, Status, UnaffectedConnection,
    Validity, on_each_server, uci,
};

on_each_server!(
    an_absent_server_is_survived,
    an_absent_network_is_survived,
    a_changed_certificate_is_survived,
    a_changed_account_is_survived
);

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server is killed.
    Killed,
    /// The server is stopped in good order.
    Restarted,
    /// The server is frozen: connections stay, nothing is answered.
    Frozen,
    /// The network drops everything, in both directions.
    NetworkGone,
    /// The server switches to an invalid certificate while running.
    CertificateChanged,
    /// The server restarts with an invalid certificate.
    CertificateChangedAtRestart,
    AccountDeleted,
    /// The password is changed on the server; the file still has the old one.
    PasswordChanged,
    /// Another client binds the resource.
    LoggedInElsewhere,
}

/// What an operator sees of a fault.
struct Signs {
    /// Texts in lines of the log.
    log: &'static [&'static [&'static str]],
    /// Statuses of TR-181, one of which is shown while the connection waits.
    status: &'static [&'static str],
    /// Text in the error of the status.
    error: &'static str,
}

impl Fault {
    fn signs(self) -> Signs {
        let (log, status, error): (&[&[&str]], &[&str], _) = match self {
            Killed | Restarted => (
                &[&["stream lost", "next try in"], &["attempt failed", "Connection refused", "next try in"]],
                &["Dormant", "ServerNotPresent"],
                "refused",
            ),
            Frozen | NetworkGone => {
                (&[&["stream lost", "nothing received", "next try in"]], &["Dormant", "Connecting"], "nothing received")
            }
            CertificateChanged | CertificateChangedAtRestart => (
                &[&["attempt failed", "the server's certificate is not accepted", "expired"]],
                &["Error_Misconfigured"],
                "the server's certificate is not accepted",
            ),
            AccountDeleted | PasswordChanged => (
                &[&["attempt failed", "the server refuses the login", "not-authorized"]],
                &["Error_AuthenticationFailure"],
                "not-authorized",
            ),
            LoggedInElsewhere => (&[&["stream lost", "the server ends the stream: conflict"]], &["Error"], "conflict"),
        };
        Signs { log, status, error }
    }
}

/// A daemon with a connection to this server, and an unaffected one to another server.
struct Fixture<S> {
    server: S,
    /// Only for faults of the network.
    proxy: Option<FaultProxy>,
    unaffected: UnaffectedConnection,
    connection: Section,
    daemon: Daemon,
    pid: Pid,
    acs: Requester,
    /// The client that bound the resource.
    other: Option<RawClient>,
}

impl<S: Server> Fixture<S> {
    async fn start(faults: &[Fault]) -> Self {
        let server = S::launch(&["a.test"], ServerOptions::default()).await;
        server.account("cpe@a.test");
        let proxy = if faults.contains(&NetworkGone) { Some(FaultProxy::to_port(server.port()).await) } else { None };
        let mut unaffected = UnaffectedConnection::start().await;
        // A frozen server is noticed after 2 s. The wait after `conflict` is 10 s, and must be longer than what is checked before
        // the end of the fault; the other waits are at most 1 s.
        let connection = Section::connection(1, CPE, &server).option("interval", 1).option("retry_max_interval", 20);
        let daemon = Setup::new(&sections(&server, proxy.as_ref(), &unaffected, &connection)).traced().start();
        unaffected.online().await;
        daemon.wait_for_value(1, "status", "Enabled").await;
        let acs = server.acs("acs@a.test/r").await;
        Self { server, proxy, unaffected, connection, pid: daemon.pid(), daemon, acs, other: None }
    }

    async fn inject(&mut self, fault: Fault) {
        match fault {
            Killed => self.server.kill().await,
            Restarted => assert!(self.server.stop().await.success()),
            Frozen => self.server.freeze(),
            NetworkGone => self.proxy.as_ref().unwrap().go_silent(),
            CertificateChanged => {
                self.server.renew_certificates(Validity::Expired);
                self.server.reload().await;
                self.server.end_session(CPE);
            }
            CertificateChangedAtRestart => {
                self.server.stop().await;
                self.server.renew_certificates(Validity::Expired);
                self.server.start_again().await;
            }
            AccountDeleted => self.server.delete_account("cpe@a.test"),
            PasswordChanged => self.server.change_password(CPE, "another password"),
            LoggedInElsewhere => self.other = Some(RawClient::login(self.server.account_of(CPE)).await),
        }
    }

    async fn undo(&mut self, fault: Fault) {
        match fault {
            Killed | Restarted => self.server.start_again().await,
            Frozen => self.server.thaw(),
            NetworkGone => self.proxy.as_ref().unwrap().restore(),
            CertificateChanged => {
                self.server.renew_certificates(Validity::Now);
                self.server.reload().await;
            }
            CertificateChangedAtRestart => {
                self.server.stop().await;
                self.server.renew_certificates(Validity::Now);
                self.server.start_again().await;
            }
            AccountDeleted => self.server.account("cpe@a.test"),
            PasswordChanged => {
                self.connection = self.connection.clone().option("password", "another password");
                let text = uci::text(&sections(&self.server, self.proxy.as_ref(), &self.unaffected, &self.connection));
                self.daemon.xmpp().commit(&text);
            }
            LoggedInElsewhere => self.other.take().unwrap().close().await,
        }
    }

    /// Injects the fault and ends it again.
    async fn survives(&mut self, fault: Fault) {
        let mark = self.daemon.log().mark();
        self.inject(fault).await;

        // It is reported.
        let signs = fault.signs();
        for words in signs.log {
            self.daemon.log().wait(mark, &[&["WARNING", "connection 1 "], *words].concat(), LIMIT).await;
        }
        let what = format!("{fault:?} in its status");
        let shows = |status: &Status| {
            signs.status.contains(&status.word()) && status.get("error").is_some_and(|said| said.contains(signs.error))
        };
        let status = self.daemon.wait_for_status(1, &what, shows).await;
        assert_eq!((status.get("tls"), status.get("jid")), (Some("false"), Some(CPE)), "{status:?}");

        // xmppd keeps running, the other connection is unaffected, and the daemon is not busy.
        self.daemon.assert_not_busy(&format!("{fault:?}")).await;
        self.unaffected.assert_unaffected().await;
        assert!(self.daemon.running() && self.daemon.pid() == self.pid);

        // The connection recovers.
        let mark = self.daemon.log().mark();
        self.undo(fault).await;
        self.daemon.log().wait(mark, &["connection 1 ", "online as", CPE], LIMIT).await;
        let status = self.daemon.wait_for_value(1, "status", "Enabled").await;
        assert_eq!((status.get("tls"), status.get("error"), status.next_attempt()), (Some("true"), None, None));
        self.acs = self.server.acs("acs@a.test/r").await;
        accepted(&mut self.acs).await;
        self.unaffected.assert_unaffected().await;
        self.daemon.assert_not_busy(&format!("after {fault:?}")).await;
    }
}

fn sections<S: Server>(
    server: &S,
    proxy: Option<&FaultProxy>,
    unaffected: &UnaffectedConnection,
    connection: &Section,
) -> Vec<Section> {
    let row = Section::server(1, server).option("port", proxy.map_or(server.port(), FaultProxy::port));
    let mut sections = vec![Section::general(&[1, 2]), connection.clone(), row];
    sections.extend(unaffected.sections());
    sections
}

/// Injects the faults one after the other on one daemon, so that leftovers of one would disturb the next.
async fn survives_all<S: Server>(faults: &[Fault]) {
    let mut fixture = Fixture::<S>::start(faults).await;
    for &fault in faults {
        fixture.survives(fault).await;
    }
    let status = fixture.daemon.stop().await;
    assert!(status.success(), "{status:?}");
    fixture.daemon.log().assert_without(&["ERROR", PASSWORD, "another password"]);
}

async fn an_absent_server_is_survived<S: Server>() {
    survives_all::<S>(&[Killed, Restarted, Frozen]).await;
}

async fn an_absent_network_is_survived<S: Server>() {
    survives_all::<S>(&[NetworkGone]).await;
}

async fn a_changed_certificate_is_survived<S: Server>() {
    survives_all::<S>(&[CertificateChanged, CertificateChangedAtRestart]).await;
}

async fn a_changed_account_is_survived<S: Server>() {
    survives_all::<S>(&[AccountDeleted, LoggedInElsewhere, PasswordChanged]).await;
}
