//! A real Prosody, with a configuration, data, certificates and ports of its own.

mod as_server;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use connreq::tls::Trust;
use connreq::{Account, Requester};
use rustix::process::Signal;
use tempfile::TempDir;

use super::ca::{Ca, Validity, ascii};
use super::process::{self, Process};
use super::sessions::{self, End, Event, Kind, Session};
use super::wait::{LIMIT, until};
use super::{ports, wire::Wire};

/// The password of every account, unless a test gives another.
pub const PASSWORD: &str = "p4ssword of the account";

/// What a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// Stream management with resumption (XEP-0198).
    pub smacks: bool,
    /// No stream without STARTTLS.
    pub require_tls: bool,
    /// No TLS 1.3.
    pub tls12_only: bool,
    /// When the hosts' certificates are valid.
    pub validity: Validity,
    /// Domains of external components (XEP-0114), which connect with [`PASSWORD`].
    pub components: &'static [&'static str],
    /// The level of the server's own log.
    pub log: &'static str,
    /// Further lines of Lua for the global section.
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
    /// Starts one that serves these hosts.
    pub async fn start(hosts: &[&str]) -> Self {
        Self::start_with(hosts, Options::default()).await
    }

    /// Starts one that serves these hosts, with these options.
    pub async fn start_with(hosts: &[&str], options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Where the console's socket is.
        std::fs::create_dir(directory.path().join("data")).unwrap();
        let ca = Ca::new();
        for &host in hosts {
            ca.server_cert(directory.path(), &[host], options.validity);
        }
        let all = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut prosody = Self { directory, hosts: all, ca, ports: Ports::default(), process: None, starts: 0 };
        for _ in 0..5 {
            prosody.ports = Ports { starttls: ports::free(), direct_tls: ports::free(), component: ports::free() };
            let text = configuration(prosody.directory.path(), hosts, &options, prosody.ports);
            std::fs::write(prosody.file("prosody.cfg.lua"), text).unwrap();
            if prosody.try_start().await {
                return prosody;
            }
        }
        panic!("Prosody does not start:\n{}", prosody.log());
    }

    /// Starts it again, on the same ports and with the same data.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "Prosody is running already");
        assert!(self.try_start().await, "Prosody does not start again:\n{}", self.log());
    }

    /// Whether it came up; not when another process took one of the ports in the meantime.
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
            let starts = self.events().iter().filter(|event| event.kind == Kind::Started).count();
            (starts == self.starts).then_some(true)
        })
        .await;
        if started {
            self.process = Some(process);
        } else {
            self.starts = self.events().iter().filter(|event| event.kind == Kind::Started).count();
        }
        started
    }

    /// SIGKILL: no stream is ended, no data written.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("Prosody is not running");
        process.end(Signal::KILL, LIMIT).await;
    }

    /// SIGTERM: the streams are ended with `system-shutdown`.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("Prosody is not running");
        process.end(Signal::TERM, LIMIT).await.0
    }

    /// SIGSTOP: connections stay, nothing is answered.
    pub fn freeze(&mut self) {
        self.process.as_mut().expect("Prosody is not running").signal(Signal::STOP);
    }

    /// SIGCONT
    pub fn thaw(&mut self) {
        self.process.as_mut().expect("Prosody is not running").signal(Signal::CONT);
    }

    /// STARTTLS, on 127.0.0.1 and `::1`.
    pub fn port(&self) -> u16 {
        self.ports.starttls
    }

    /// Direct TLS (XEP-0368), on 127.0.0.1 and `::1`.
    pub fn direct_tls_port(&self) -> u16 {
        self.ports.direct_tls
    }

    /// The authority that signed the hosts' certificates.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Creates an account with [`PASSWORD`], or sets it; the server may be running.
    pub fn account(&self, bare_jid: &str) {
        self.account_with(bare_jid, PASSWORD);
    }

    /// Creates an account, or sets its password; the server may be running. (Who is logged in stays so.)
    pub fn account_with(&self, bare_jid: &str, password: &str) {
        let path = self.account_file(bare_jid);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let escaped = password.replace('\\', "\\\\").replace('"', "\\\"");
        let new = path.with_extension("new");
        std::fs::write(&new, format!("return {{ [\"password\"] = \"{escaped}\"; }};\n")).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    /// Removes an account; the server may be running.
    pub fn remove_account(&self, bare_jid: &str) {
        std::fs::remove_file(self.account_file(bare_jid)).unwrap();
    }

    fn account_file(&self, bare_jid: &str) -> PathBuf {
        let (user, host) = bare_jid.split_once('@').expect("a bare JID");
        let file = format!("{}.dat", encode(user));
        self.directory.path().join("data").join(encode(host)).join("accounts").join(file)
    }

    /// Runs a command of the server's console, as an operator does.
    fn shell(&self, command: &[&str]) {
        let mut prosodyctl = Command::new("prosodyctl");
        prosodyctl.arg("--config").arg(self.file("prosody.cfg.lua")).args(["shell", "--quiet"]).args(command);
        let output = prosodyctl.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
    }

    /// How an account with [`PASSWORD`] reaches this server.
    pub fn access(&self, jid: &str) -> Account {
        Account {
            jid: jid.parse().expect("a JID"),
            password: PASSWORD.into(),
            server: Some(format!("127.0.0.1:{}", self.port())),
            trust: Trust::File(self.ca.pem()),
        }
    }

    /// Creates the account if need be and logs in with it.
    pub async fn requester(&self, jid: &str) -> Requester {
        self.account(jid.split('/').next().unwrap());
        match Requester::connect(self.access(jid), LIMIT).await {
            Ok(requester) => requester,
            Err(error) => panic!("{jid} cannot log in: {error}"),
        }
    }

    /// Creates the account if need be and logs in with it, as a client that says exactly what it is told to.
    pub async fn wire(&self, full_jid: &str) -> Wire {
        self.account(full_jid.split('/').next().unwrap());
        Wire::login(self.access(full_jid)).await
    }

    /// Everything that the server saw happen to its sessions.
    pub fn events(&self) -> Vec<Event> {
        sessions::parse(&std::fs::read_to_string(self.file("sessions.log")).unwrap_or_default())
    }

    /// What the server saw happen since the last time, for those who ask often and for long; `read` is how far that was.
    pub fn events_since(&self, read: &mut usize) -> Vec<Event> {
        let mut file = std::fs::File::open(self.file("sessions.log")).unwrap();
        file.seek(SeekFrom::Start(*read as u64)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        *read += text.rfind('\n').map_or(0, |end| end + 1);
        sessions::parse(&text)
    }

    /// Who is there, by full JID.
    pub fn sessions(&self) -> BTreeMap<String, Session> {
        sessions::present(&self.events())
    }

    /// The session of this full JID, as soon as there is one with a connection.
    pub async fn wait_online(&self, full_jid: &str, limit: Duration) -> Session {
        until(&format!("{full_jid} online"), limit, || {
            self.sessions().remove(full_jid).filter(|session| !session.hibernating)
        })
        .await
    }

    /// Waits until this full JID has no session, and says how its last one ended (not at all in this run of the server:
    /// `None`).
    pub async fn wait_gone(&self, full_jid: &str, limit: Duration) -> Option<End> {
        until(&format!("{full_jid} gone"), limit, || {
            let events = self.events();
            (!sessions::present(&events).contains_key(full_jid)).then(|| last_end(&events, full_jid))
        })
        .await
    }

    /// The server's own log.
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

fn last_end(events: &[Event], full_jid: &str) -> Option<End> {
    let run = events.iter().rposition(|event| event.kind == Kind::Started).unwrap_or(0);
    events[run..].iter().rev().find_map(|event| match &event.kind {
        Kind::Unbind(end) if event.jid == full_jid => Some(end.clone()),
        _ => None,
    })
}

/// Prosody's file names: everything but letters and digits as `%xx`.
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

fn configuration(directory: &Path, hosts: &[&str], options: &Options, ports: Ports) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/prosody");
    let smacks = if options.smacks { r#""smacks"; "# } else { "" };
    let mut text = format!(
        r#"run_as_root = true
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
plugin_paths = {{ "{own}" }}
certificates = "{dir}"
log = {{ {log} = "{dir}/prosody.log" }}
sessions_view_file = "{dir}/sessions.log"
interfaces = {{ "127.0.0.1", "::1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {direct_tls_port} }}
component_ports = {{ {component_port} }}
c2s_require_encryption = {require_tls}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"; "posix"; "admin_shell"; {smacks}"sessions_view" }}
modules_disabled = {{ "s2s"; "s2s_auth_certs" }}
authentication = "internal_plain"
{more}
"#,
        dir = directory.display(),
        own = own.display(),
        port = ports.starttls,
        direct_tls_port = ports.direct_tls,
        component_port = ports.component,
        require_tls = options.require_tls,
        log = options.log,
        more = options.lua,
    );
    for host in hosts {
        let _ = writeln!(
            text,
            "VirtualHost \"{host}\"\n  ssl = {{ certificate = \"{dir}/{file}.crt\"; key = \"{dir}/{file}.key\"{tls} }}",
            dir = directory.display(),
            file = ascii(host),
            tls = if options.tls12_only { "; protocol = \"tlsv1_2\"" } else { "" },
        );
    }
    for component in options.components {
        let _ = writeln!(text, "Component \"{component}\"\n  component_secret = \"{PASSWORD}\"");
    }
    text
}
