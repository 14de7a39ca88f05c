//! A real Prosody, with a configuration, data, certificates and ports of its own.

mod as_server;
mod configuration;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Pid;
use tempfile::TempDir;

use super::ca::{Ca, Validity};
use super::ports;
use super::process::{self, Process};
use super::sessions::{self, Event, EventKind, Session, SessionEnd};
use super::wait::{LIMIT, until};

/// The password of every account, unless a test gives another.
pub const PASSWORD: &str = "p4ssword of the account";

/// Options of a test.
#[derive(Debug, Clone)]
pub struct Options {
    /// Stream management with resumption (XEP-0198).
    pub smacks: bool,
    /// STARTTLS is required.
    pub require_tls: bool,
    /// TLS 1.3 is disabled.
    pub tls12_only: bool,
    /// Validity of the hosts' certificates.
    pub validity: Validity,
    /// Domains of external components (XEP-0114), which connect with [`PASSWORD`].
    pub components: &'static [&'static str],
    /// The level of the server's log.
    pub log: &'static str,
    /// Additional lines of Lua for the global section.
    pub lua: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            smacks: false,
            require_tls: true,
            tls12_only: false,
            validity: Validity::Now,
            components: &[],
            log: "debug",
            lua: String::new(),
        }
    }
}

/// A Prosody, running or not.
pub struct Prosody {
    directory: TempDir,
    hosts: Vec<String>,
    ca: Ca,
    ports: Ports,
    process: Option<Process>,
    starts: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ports {
    starttls: u16,
    direct_tls: u16,
    component: u16,
}

impl Prosody {
    /// Starts a server for these hosts.
    pub async fn start(hosts: &[&str]) -> Self {
        Self::start_with(hosts, Options::default()).await
    }

    /// Starts a server for these hosts, with these options.
    pub async fn start_with(hosts: &[&str], options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // For the console's socket.
        std::fs::create_dir(directory.path().join("data")).unwrap();
        let ca = Ca::new();
        for &host in hosts {
            ca.server_cert(directory.path(), &[host], options.validity);
        }
        let all = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut prosody = Self { directory, hosts: all, ca, ports: Ports::default(), process: None, starts: 0 };
        for _ in 0..5 {
            prosody.ports = Ports { starttls: ports::free(), direct_tls: ports::free(), component: ports::free() };
            let text = configuration::text(prosody.directory.path(), hosts, &options, prosody.ports);
            std::fs::write(prosody.file("prosody.cfg.lua"), text).unwrap();
            if prosody.try_start().await {
                return prosody;
            }
        }
        panic!("Prosody does not start:\n{}", prosody.log());
    }

    /// Returns whether it started; false if another process has taken one of its ports.
    async fn try_start(&mut self) -> bool {
        let logged = self.log().len();
        let console = std::fs::File::create(self.file("console.log")).unwrap();
        let mut command = process::command("prosody");
        command
            .args(["-F", "--config"])
            .arg(self.file("prosody.cfg.lua"))
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console);
        let mut process = Process::start("prosody", &mut command);
        self.starts += 1;
        let started = until("Prosody's start", LIMIT, || {
            let log = self.log();
            if log[logged..].contains("Failed to open server port") || process.exited().is_some() {
                return Some(false);
            }
            let starts = self.events().iter().filter(|event| event.kind == EventKind::Started).count();
            (starts == self.starts).then_some(true)
        })
        .await;
        if started {
            self.process = Some(process);
        } else {
            self.starts = self.events().iter().filter(|event| event.kind == EventKind::Started).count();
        }
        started
    }

    fn account_file(&self, bare_jid: &str) -> PathBuf {
        let (user, host) = bare_jid.split_once('@').expect("a bare JID");
        let file = format!("{}.dat", encode(user));
        self.directory.path().join("data").join(encode(host)).join("accounts").join(file)
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("Prosody is not running")
    }

    /// The process of a running server.
    pub fn process_id(&self) -> Pid {
        self.process.as_ref().expect("Prosody is not running").pid()
    }

    /// Runs a command of the server's console.
    fn shell(&self, command: &[&str]) {
        let mut prosodyctl = Command::new("prosodyctl");
        prosodyctl.arg("--config").arg(self.file("prosody.cfg.lua")).args(["shell", "--quiet"]).args(command);
        let output = prosodyctl.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
    }

    /// All events of the server's sessions.
    pub fn events(&self) -> Vec<Event> {
        sessions::parse(&std::fs::read_to_string(self.file("sessions.log")).unwrap_or_default())
    }

    /// The events since the last call, for long tests. `read` is the position in the file.
    pub fn events_since(&self, read: &mut usize) -> Vec<Event> {
        let mut file = std::fs::File::open(self.file("sessions.log")).unwrap();
        file.seek(SeekFrom::Start(*read as u64)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        *read += text.rfind('\n').map_or(0, |end| end + 1);
        sessions::parse(&text)
    }

    /// The present sessions, by full JID.
    pub fn sessions(&self) -> BTreeMap<String, Session> {
        sessions::present(&self.events())
    }

    /// Waits until this full JID has a session with a connection, and returns it.
    pub async fn wait_online(&self, full_jid: &str, limit: Duration) -> Session {
        until(&format!("{full_jid} online"), limit, || {
            self.sessions().remove(full_jid).filter(|session| !session.hibernating)
        })
        .await
    }

    /// Waits until this full JID has no session. Returns how its last one in this run of the server ended.
    pub async fn wait_gone(&self, full_jid: &str, limit: Duration) -> Option<SessionEnd> {
        until(&format!("{full_jid} gone"), limit, || {
            let events = self.events();
            (!sessions::present(&events).contains_key(full_jid)).then(|| last_end(&events, full_jid))
        })
        .await
    }

    /// The server's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("prosody.log")).unwrap_or_default()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Prosody {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of Prosody's log:");
            for line in &lines[lines.len().saturating_sub(40)..] {
                eprintln!("{line}");
            }
            eprintln!("--- its sessions: {:?}", self.sessions());
        }
    }
}

fn last_end(events: &[Event], full_jid: &str) -> Option<SessionEnd> {
    let run = events.iter().rposition(|event| event.kind == EventKind::Started).unwrap_or(0);
    events[run..].iter().rev().find_map(|event| match &event.kind {
        EventKind::Unbind(end) if event.jid == full_jid => Some(end.clone()),
        _ => None,
    })
}

/// Encodes a file name as Prosody does: everything but letters and digits as `%xx`.
fn encode(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02x}");
        }
        text
    })
}
