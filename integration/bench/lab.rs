//! What all measurements share: the server, the two programs, and how one of them is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Pid;
use tempfile::TempDir;

use super::{bus, flash};
use crate::harness::process::{self, Process};
use crate::harness::program;
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, Endpoint, Options, Prosody, Section, Server, Setup, until};

/// How long a step may take: thousands of logins are slow.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The full JID of the CPE.
pub const CPE: &str = "cpe@a.test/wan";

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Candidate {
    /// xmppd, with a CWMP client on a bus that answers at once.
    Xmppd,
    /// The client in C, which starts `/bin/true` for each request.
    Libstrophe,
}

/// Both.
pub const CANDIDATES: [Candidate; 2] = [Candidate::Xmppd, Candidate::Libstrophe];

/// The server and the programs.
pub struct Lab {
    /// The server.
    pub prosody: Prosody,
    /// xmppd's program.
    pub xmppd: PathBuf,
    /// The C client's program.
    pub client: PathBuf,
    /// The number of rounds.
    pub rounds: usize,
    /// The figures mean nothing.
    pub short: bool,
    /// With copies of the C client's libraries: no CPE shares their pages with Prosody, which has OpenSSL mapped.
    directory: TempDir,
}

/// One running CPE.
pub struct Peer {
    program: Running,
    /// When it was started, in seconds since 1970.
    started: f64,
}

enum Running {
    Xmppd(Box<Daemon>),
    Libstrophe(Process),
}

impl Lab {
    /// Starts the server.
    pub async fn start() -> Self {
        let short = std::env::var_os("BENCH_SHORT").is_some_and(|value| !value.is_empty());
        let rounds = std::env::var("BENCH_ROUNDS").ok().filter(|text| !text.is_empty());
        let directory = tempfile::tempdir().unwrap();
        let lua = format!("presence_view_file = {:?}", presences(directory.path()).display().to_string());
        let prosody = Prosody::start_with(&["a.test"], Options { log: "warn", lua, ..Options::default() }).await;
        prosody.account("cpe@a.test");
        let client = fs::canonicalize(std::env::var_os("BENCH_CLIENT").expect("BENCH_CLIENT")).unwrap();
        for library in flash::libraries(&client) {
            fs::copy(&library, directory.path().join(library.file_name().unwrap())).unwrap();
        }
        let xmppd = std::env::var_os("BENCH_XMPPD").map(PathBuf::from);
        let xmppd = xmppd.unwrap_or_else(|| if short { program::xmppd() } else { program::shipped_xmppd() }.into());
        let xmppd = fs::canonicalize(xmppd).unwrap();
        // The pages of a program that was just built count as dirty until they are stored.
        fs::File::open(&xmppd).unwrap().sync_all().unwrap();
        Self {
            prosody,
            xmppd,
            client,
            rounds: rounds.map_or(if short { 1 } else { 5 }, |text| text.parse().expect("a number of rounds")),
            short,
            directory,
        }
    }

    /// Waits until what a login has left behind is released.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(if self.short { 50 } else { 2000 })).await;
    }

    /// One of two numbers, by whether the run is short.
    pub fn repetitions(&self, full: usize, short: usize) -> usize {
        if self.short { short } else { full }
    }

    /// An xmppd with these sections that is to be started, with its bus.
    pub fn setup<'a>(&self, sections: impl IntoIterator<Item = &'a Section>) -> Setup {
        let setup = Setup::new(sections).program(&self.xmppd);
        setup.ubus.leave_out();
        bus::serve(&setup.ubus.socket());
        setup
    }

    /// The sections of one connection that accepts requests without a limit.
    pub fn sections(&self) -> [Section; 3] {
        [general(&[1]), Section::connection(1, CPE, &self.prosody), Section::server(1, &self.prosody)]
    }

    /// Starts one of the programs, without waiting for it.
    pub fn launch(&self, candidate: Candidate) -> Peer {
        match candidate {
            Candidate::Xmppd => {
                let setup = self.setup(&self.sections());
                let started = now();
                Peer { program: Running::Xmppd(Box::new(setup.start())), started }
            }
            Candidate::Libstrophe => {
                let mut command = process::command(&self.client);
                command.args([CPE, PASSWORD, "127.0.0.1", &self.prosody.port().to_string()]);
                command.arg(self.prosody.ca_pem()).args(["cpe-user", "cpe-secret", "/bin/true"]);
                command.env("LD_LIBRARY_PATH", self.directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
                let started = now();
                Peer { program: Running::Libstrophe(Process::start("the C client", &mut command)), started }
            }
        }
    }

    /// Waits for the peer's presence. Returns how long after its start the server saw it.
    pub async fn online(&self, peer: &Peer) -> Duration {
        let seen = until("the CPE's presence", LIMIT, || self.presences_since(peer.started).into_iter().next()).await;
        Duration::from_secs_f64(seen - peer.started)
    }

    /// The times of the presences after this time, in seconds since 1970.
    pub fn presences_since(&self, start: f64) -> Vec<f64> {
        let text = fs::read_to_string(presences(self.directory.path())).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let times = whole.lines().rev().map(|line| line.split('\t').next().unwrap().parse().expect("a time"));
        let mut times: Vec<f64> = times.take_while(|time| *time > start).collect();
        times.reverse();
        times
    }

    /// Ends a peer, and waits until the server has noticed.
    pub async fn end(&self, peer: Peer) {
        drop(peer);
        self.prosody.wait_gone(CPE, LIMIT).await;
    }
}

impl Peer {
    /// Its process.
    pub fn pid(&self) -> Pid {
        match &self.program {
            Running::Xmppd(daemon) => daemon.pid(),
            Running::Libstrophe(process) => process.pid(),
        }
    }
}

/// The section `xmpp` as a device has it, without a limit of requests.
pub fn general(accepting: &[u32]) -> Section {
    Section::general(accepting).without("loglevel").without("notify_timeout_ms").option("connreq_limit", 0)
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn presences(directory: &Path) -> PathBuf {
    directory.join("presences")
}
