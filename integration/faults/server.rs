//! The server's faults, and those of the account on it: one table, on both servers.

use Fault::{
    AccountDeleted, CertificateChanged, CertificateChangedAtRestart, Frozen, Killed, LoggedInElsewhere, NetworkGone,
    PasswordChanged, Restarted,
};
use connreq::Requester;
use rustix::process::Pid;

use super::{CPE, accepted};
use crate::harness::prosody::PASSWORD;
use crate::harness::{
    Bystander, Daemon, Gate, LIMIT, Section, Server, Setup, Status, Validity, Wanted, Wire, on_each_server, uci,
};

on_each_server!(the_server_is_away, the_network_is_away, the_certificate_is_changed, the_account_is_changed);

/// What happens on the server's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Without a word.
    Killed,
    /// In good order.
    Restarted,
    /// Connections stay, and nobody answers.
    Frozen,
    /// Nothing arrives any more, in neither direction.
    NetworkGone,
    /// The server goes on with a certificate that is not valid.
    CertificateChanged,
    /// It comes back with one.
    CertificateChangedAtRestart,
    AccountDeleted,
    /// On the server; the file still has the old one.
    PasswordChanged,
    /// Somebody else binds the resource.
    LoggedInElsewhere,
}

/// What an operator looks for.
struct Signs {
    /// Words of lines of the log.
    log: &'static [&'static [&'static str]],
    /// The status, as TR-181 has it: one of these, while it waits.
    status: &'static [&'static str],
    /// What the error in the status says.
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
                (&[&["stream lost", "no sign of life", "next try in"]], &["Dormant", "Connecting"], "no sign of life")
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

/// A daemon with a connection to this server, and a bystander.
struct Scene<S> {
    server: S,
    /// Where the network can be taken away.
    gate: Option<Gate>,
    bystander: Bystander,
    connection: Section,
    daemon: Daemon,
    pid: Pid,
    acs: Requester,
    /// Who logged in elsewhere.
    other: Option<Wire>,
}

impl<S: Server> Scene<S> {
    async fn start(faults: &[Fault]) -> Self {
        let server = S::launch(&["a.test"], Wanted::default()).await;
        server.add_account("cpe@a.test", PASSWORD);
        let gate = if faults.contains(&NetworkGone) { Some(Gate::before(server.port()).await) } else { None };
        let mut bystander = Bystander::start().await;
        // A frozen server is noticed after 2 s; after `conflict` at least 3 s are waited.
        let connection = Section::connection(1, CPE, &server).option("interval", 1).option("retry_max_interval", 6);
        let daemon = Setup::new(&sections(&server, gate.as_ref(), &bystander, &connection)).traced().start();
        bystander.online().await;
        daemon.wait_for_value(1, "status", "Enabled").await;
        let acs = server.acs("acs@a.test/r").await;
        Self { server, gate, bystander, connection, pid: daemon.pid(), daemon, acs, other: None }
    }

    async fn inject(&mut self, fault: Fault) {
        match fault {
            Killed => self.server.kill().await,
            Restarted => assert!(self.server.stop().await.success()),
            Frozen => self.server.freeze(),
            NetworkGone => self.gate.as_ref().unwrap().lose(),
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
            LoggedInElsewhere => self.other = Some(Wire::login(self.server.account_of(CPE)).await),
        }
    }

    async fn undo(&mut self, fault: Fault) {
        match fault {
            Killed | Restarted => self.server.start_again().await,
            Frozen => self.server.thaw(),
            NetworkGone => self.gate.as_ref().unwrap().find(),
            CertificateChanged => {
                self.server.renew_certificates(Validity::Now);
                self.server.reload().await;
            }
            CertificateChangedAtRestart => {
                self.server.stop().await;
                self.server.renew_certificates(Validity::Now);
                self.server.start_again().await;
            }
            AccountDeleted => self.server.add_account("cpe@a.test", PASSWORD),
            PasswordChanged => {
                self.connection = self.connection.clone().option("password", "another password");
                let text = uci::text(&sections(&self.server, self.gate.as_ref(), &self.bystander, &self.connection));
                self.daemon.xmpp().commit(&text);
            }
            LoggedInElsewhere => self.other.take().unwrap().close().await,
        }
    }

    /// The fault comes and goes.
    async fn survives(&mut self, fault: Fault) {
        let mark = self.daemon.log().mark();
        self.inject(fault).await;

        // It says so.
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

        // It stays up, nobody else notices, and it does no more than it has to.
        self.daemon.assert_not_busy(&format!("{fault:?}")).await;
        self.bystander.undisturbed().await;
        assert!(self.daemon.running() && self.daemon.pid() == self.pid);

        // It comes back.
        let mark = self.daemon.log().mark();
        self.undo(fault).await;
        self.daemon.log().wait(mark, &["connection 1 ", "online as", CPE], LIMIT).await;
        let status = self.daemon.wait_for_value(1, "status", "Enabled").await;
        assert_eq!((status.get("tls"), status.get("error"), status.next_attempt()), (Some("true"), None, None));
        self.acs = self.server.acs("acs@a.test/r").await;
        accepted(&mut self.acs).await;
        self.bystander.undisturbed().await;
        self.daemon.assert_not_busy(&format!("after {fault:?}")).await;
    }
}

fn sections<S: Server>(server: &S, gate: Option<&Gate>, bystander: &Bystander, connection: &Section) -> Vec<Section> {
    let row = Section::server(1, server).option("port", gate.map_or(server.port(), Gate::port));
    let mut sections = vec![Section::general(&[1, 2]), connection.clone(), row];
    sections.extend(bystander.sections());
    sections
}

/// One after the other, on one daemon: what one leaves behind must not be in the way of the next.
async fn survives_all<S: Server>(faults: &[Fault]) {
    let mut scene = Scene::<S>::start(faults).await;
    for &fault in faults {
        scene.survives(fault).await;
    }
    let (status, _) = scene.daemon.stop().await;
    assert!(status.success(), "{status:?}");
    assert_eq!(scene.daemon.log().since(0, &["ERROR"]), [""; 0]);
    for password in [PASSWORD, "another password"] {
        assert_eq!(scene.daemon.log().since(0, &[password]), [""; 0]);
    }
}

async fn the_server_is_away<S: Server>() {
    survives_all::<S>(&[Killed, Restarted, Frozen]).await;
}

async fn the_network_is_away<S: Server>() {
    survives_all::<S>(&[NetworkGone]).await;
}

async fn the_certificate_is_changed<S: Server>() {
    survives_all::<S>(&[CertificateChanged, CertificateChangedAtRestart]).await;
}

async fn the_account_is_changed<S: Server>() {
    survives_all::<S>(&[AccountDeleted, LoggedInElsewhere, PasswordChanged]).await;
}
