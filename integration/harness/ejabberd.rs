//! A real ejabberd, with a configuration, data, certificates and ports of its own.
//!
//! It runs as an Erlang node without a name: no epmd, no cookie, nothing that another test's server could meet. What is
//! asked of it while it runs is asked by `mod_http_api` on loopback.

mod configuration;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ca::{Ca, Validity};
use super::ports;
use super::process::{self, Process};
use super::prosody::PASSWORD;
use super::server::{Endpoint, Entries, Server, Wanted};
use super::wait::{LIMIT, until};

/// An Erlang node takes longer to start than a Lua program.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// Stream management with resumption (XEP-0198).
    pub smacks: bool,
    /// No stream without STARTTLS.
    pub require_tls: bool,
    /// OpenSSL's words for what TLS is not to do, such as `no_tlsv1_3`.
    pub without_tls: Vec<&'static str>,
    /// SASL mechanisms that are not offered.
    pub disabled_mechanisms: Vec<&'static str>,
    /// Passwords are kept as SCRAM hashes of this kind (`sha`, `sha256`, `sha512`); none = as they are.
    pub scram: Option<&'static str>,
    /// Domains of external components (XEP-0114), which connect with [`PASSWORD`].
    pub components: &'static [&'static str],
    /// Further lines of YAML for the top level.
    pub yaml: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            smacks: false,
            require_tls: true,
            without_tls: Vec::new(),
            disabled_mechanisms: Vec::new(),
            scram: None,
            components: &[],
            yaml: String::new(),
        }
    }
}

/// An ejabberd, running or not.
pub struct Ejabberd {
    directory: TempDir,
    hosts: Vec<String>,
    ca: Ca,
    ports: Ports,
    process: Option<Process>,
    /// The length of the log when it was started last.
    log_before: usize,
    /// Bare JIDs and passwords.
    accounts: RefCell<BTreeMap<String, String>>,
    /// Passwords are kept as hashes.
    hashed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ports {
    starttls: u16,
    direct_tls: u16,
    component: u16,
    api: u16,
}

impl Ejabberd {
    /// Starts one that serves these hosts.
    pub async fn start(hosts: &[&str]) -> Self {
        Self::start_with(hosts, Options::default()).await
    }

    /// Starts one that serves these hosts, with these options.
    pub async fn start_with(hosts: &[&str], options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("spool")).unwrap();
        // No lookups by a helper process: the node needs no names.
        std::fs::write(directory.path().join("inetrc"), "{lookup, [file]}.\n").unwrap();
        let hashed = options.scram.is_some();
        let mut ejabberd = Self {
            directory,
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            ca: Ca::new(),
            ports: Ports::default(),
            process: None,
            log_before: 0,
            accounts: RefCell::default(),
            hashed,
        };
        ejabberd.renew_certificates(Validity::Now);
        for _ in 0..5 {
            ejabberd.ports = Ports {
                starttls: ports::free(),
                direct_tls: ports::free(),
                component: ports::free(),
                api: ports::free(),
            };
            let text =
                configuration::text(ejabberd.directory.path(), &ejabberd.ca.pem(), hosts, &options, ejabberd.ports);
            std::fs::write(ejabberd.file("ejabberd.yml"), text).unwrap();
            if ejabberd.try_start().await {
                return ejabberd;
            }
        }
        panic!("ejabberd does not start:\n{}\n{}", ejabberd.console(), ejabberd.log());
    }

    /// Whether it came up; not when another process took one of the ports in the meantime.
    async fn try_start(&mut self) -> bool {
        self.log_before = self.log().len();
        let console = std::fs::File::create(self.file("console.log")).unwrap();
        let mut command = process::command("erl");
        command
            // One scheduler that does not spin while it waits: many of these share a machine.
            .args(["-noinput", "+S", "1:1", "+sbwt", "none"])
            // What is written goes to the disk at once.
            .args(["-mnesia", "dump_log_write_threshold", "1", "-mnesia", "dir"])
            .arg(format!("{:?}", self.file("spool").display().to_string()))
            .args(["-s", "ejabberd"])
            .env("EJABBERD_CONFIG_PATH", self.file("ejabberd.yml"))
            .env("EJABBERD_LOG_PATH", self.file("ejabberd.log"))
            .env("ERL_INETRC", self.file("inetrc"))
            .env("ERL_LIBS", libraries())
            .env("ERL_CRASH_DUMP_BYTES", "0")
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console);
        let mut process = Process::start("ejabberd", &mut command);
        let started = until("ejabberd's start", START_LIMIT, || {
            if self.log()[self.log_before..].contains("Failed to open socket") || process.exited().is_some() {
                return Some(false);
            }
            // The listeners are opened in the order of the file, and the API's is its last.
            self.ask("status", &json!({})).is_ok().then_some(true)
        })
        .await;
        if started {
            self.process = Some(process);
        }
        started
    }

    /// Ends the session of this full JID, with the stream error `policy-violation`.
    pub fn kick(&self, full_jid: &str) {
        let (user, host, resource) = parts(full_jid);
        let arguments = json!({"user": user, "host": host, "resource": resource, "reason": "test"});
        self.ask("kick_session", &arguments).unwrap();
    }

    /// Calls a command of ejabberd's API.
    fn ask(&self, command: &str, arguments: &Value) -> Result<Value, String> {
        let body = arguments.to_string();
        let request = format!(
            "POST /api/{command} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = http(self.ports.api, &request).map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if head.split(' ').nth(1) != Some("200") {
            return Err(answer);
        }
        serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))
    }

    /// Whether all accounts are in the files of the database, as Erlang writes terms:
    /// `{passwd, {User, Host}, Password}`, with each binary as `m`, its length, its bytes.
    fn accounts_are_written(&self) -> bool {
        let files = ["passwd.DCD", "passwd.DCL", "passwd.DAT", "LATEST.LOG"];
        let data: Vec<u8> =
            files.iter().flat_map(|file| std::fs::read(self.file("spool").join(file)).unwrap_or_default()).collect();
        let accounts = self.accounts.borrow();
        accounts.iter().all(|(bare_jid, password)| {
            let (user, host, _) = parts(bare_jid);
            let binary = |text: &str| {
                let length = u32::try_from(text.len()).unwrap().to_be_bytes();
                [b"m", length.as_slice(), text.as_bytes()].concat()
            };
            let record = [binary(user), binary(host), if self.hashed { Vec::new() } else { binary(password) }].concat();
            data.windows(record.len()).any(|window| window == record)
        })
    }

    /// The server's own log, at level debug.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.file("ejabberd.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn console(&self) -> String {
        std::fs::read_to_string(self.file("console.log")).unwrap_or_default()
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("ejabberd is not running")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Endpoint for Ejabberd {
    fn port(&self) -> u16 {
        self.ports.starttls
    }

    fn ca_pem(&self) -> PathBuf {
        self.ca.pem()
    }
}

impl Server for Ejabberd {
    const PASSES_MALFORMED_IQS: bool = true;

    async fn launch(hosts: &[&str], wanted: Wanted) -> Self {
        let options = Options {
            smacks: wanted.smacks,
            require_tls: wanted.require_tls,
            without_tls: if wanted.tls12_only { vec!["no_tlsv1_3"] } else { Vec::new() },
            disabled_mechanisms: wanted.disabled_mechanisms.to_vec(),
            components: wanted.components,
            ..Options::default()
        };
        Self::start_with(hosts, options).await
    }

    fn acknowledgement_requests(&self) -> usize {
        let request = |line: &&str| line.contains("Received XML") && line.contains("<r xmlns='urn:xmpp:sm:3'");
        self.log().lines().filter(request).count()
    }

    fn hibernates(&self, full_jid: &str) -> bool {
        let log = self.log();
        let last = |line: &&str| line.contains(full_jid) && (line.contains("Closing c2s") || line.contains("Resumed"));
        log.lines().rfind(last).is_some_and(|line| line.contains("waiting"))
    }

    fn direct_tls_port(&self) -> u16 {
        self.ports.direct_tls
    }

    fn component_port(&self) -> u16 {
        self.ports.component
    }

    fn ca(&self) -> &Ca {
        &self.ca
    }

    fn add_account(&self, bare_jid: &str, password: &str) {
        let (user, host, _) = parts(bare_jid);
        if self.ask("register", &json!({"user": user, "host": host, "password": password})).is_err() {
            let change = json!({"user": user, "host": host, "newpass": password});
            self.ask("change_password", &change).unwrap_or_else(|error| panic!("{bare_jid}: {error}"));
        }
        self.accounts.borrow_mut().insert(bare_jid.to_owned(), password.to_owned());
    }

    fn delete_account(&self, bare_jid: &str) {
        let (user, host, _) = parts(bare_jid);
        self.ask("unregister", &json!({"user": user, "host": host})).unwrap();
        self.accounts.borrow_mut().remove(bare_jid);
    }

    fn change_password(&self, full_jid: &str, password: &str) {
        self.add_account(full_jid.split('/').next().unwrap(), password);
        self.kick(full_jid);
    }

    fn end_session(&self, full_jid: &str) {
        self.kick(full_jid);
    }

    fn renew_certificates(&self, validity: Validity) {
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let certificate = self.ca.server_cert(self.directory.path(), &hosts, validity);
        let both = [&certificate.certificate, &certificate.key].map(|file| std::fs::read_to_string(file).unwrap());
        std::fs::write(self.file("certificate.pem"), both.concat()).unwrap();
    }

    async fn reload(&mut self) {
        self.ask("reload_config", &json!({})).unwrap();
    }

    fn client_port(&self, full_jid: &str) -> Option<u16> {
        let sessions = self.ask("connected_users_info", &json!({})).expect("the API answers");
        let session = sessions.as_array()?.iter().find(|session| session["jid"] == full_jid)?;
        u16::try_from(session["port"].as_u64()?).ok()
    }

    fn entries(&self, full_jid: &str) -> Entries {
        let log = self.log();
        let count = |what: &str| {
            let line = format!("{what} {full_jid}");
            log[self.log_before..].lines().filter(|logged| logged.ends_with(&line)).count()
        };
        Entries { bound: count("Opened c2s session for"), resumed: count("Resumed session for") }
    }

    fn freeze(&mut self) {
        self.running().signal(Signal::STOP);
    }

    fn thaw(&mut self) {
        self.running().signal(Signal::CONT);
    }

    /// Not before the accounts are on the disk, where a server that is not killed within a second has them.
    async fn kill(&mut self) {
        until("the accounts on the disk", LIMIT, || self.accounts_are_written().then_some(())).await;
        self.process.take().expect("ejabberd is not running").end(Signal::KILL, LIMIT).await;
    }

    async fn stop(&mut self) -> ExitStatus {
        self.process.take().expect("ejabberd is not running").end(Signal::TERM, LIMIT).await.0
    }

    async fn start_again(&mut self) {
        assert!(self.process.is_none(), "ejabberd is running already");
        assert!(self.try_start().await, "ejabberd does not start again:\n{}", self.log());
    }
}

impl Drop for Ejabberd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("[debug]")).collect();
            eprintln!("--- the end of ejabberd's log:");
            for line in &lines[lines.len().saturating_sub(40)..] {
                eprintln!("{line}");
            }
        }
    }
}

/// Where ejabberd is among Erlang's libraries: Debian has a directory for each architecture.
fn libraries() -> PathBuf {
    let is_ejabberd = |entry: io::Result<DirEntry>| entry.is_ok_and(|entry| name(&entry).starts_with("ejabberd-"));
    let mut directories = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = directories.find(|path| std::fs::read_dir(path).is_ok_and(|mut entries| entries.any(is_ejabberd)));
    found.expect("Debian's package ejabberd is installed")
}

fn name(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

/// One exchange on loopback; the server ends the connection.
fn http(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn parts(jid: &str) -> (&str, &str, &str) {
    let (user, rest) = jid.split_once('@').expect("a JID");
    let (host, resource) = rest.split_once('/').unwrap_or((rest, ""));
    (user, host, resource)
}
