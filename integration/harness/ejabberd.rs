//! A real ejabberd, with a configuration, data, certificates and ports of its own.
//!
//! It runs as an Erlang node without a name: it uses neither epmd nor a cookie, so concurrent tests do not interfere.
//! While it runs it is controlled by `mod_http_api` on loopback.

mod as_server;
mod configuration;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ca::{Ca, Validity};
use super::ports;
use super::process::{self, Process};
use super::prosody::PASSWORD;
use super::server::Server;
use super::wait::{LIMIT, until};

/// An Erlang node takes longer to start than a Lua program.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Options of a test.
#[derive(Debug, Clone)]
pub struct Options {
    /// Stream management with resumption (XEP-0198).
    pub smacks: bool,
    /// STARTTLS is required.
    pub require_tls: bool,
    /// TLS options of OpenSSL, such as `no_tlsv1_3`.
    pub without_tls: Vec<&'static str>,
    /// SASL mechanisms to disable.
    pub disabled_mechanisms: Vec<&'static str>,
    /// Stores passwords as SCRAM hashes of this kind (`sha`, `sha256`, `sha512`) instead of plain text.
    pub scram: Option<&'static str>,
    /// Domains of external components (XEP-0114), which connect with [`PASSWORD`].
    pub components: &'static [&'static str],
    /// Additional lines of YAML for the top level.
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
    /// The length of the log at the last start.
    log_before: usize,
    /// Bare JIDs and passwords.
    accounts: RefCell<BTreeMap<String, String>>,
    /// Passwords are stored as hashes.
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
    /// Starts a server for these hosts.
    pub async fn start(hosts: &[&str]) -> Self {
        Self::start_with(hosts, Options::default()).await
    }

    /// Starts a server for these hosts, with these options.
    pub async fn start_with(hosts: &[&str], options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("spool")).unwrap();
        // No helper process for lookups: the node resolves no names.
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

    /// Returns whether it started; false if another process has taken one of its ports.
    async fn try_start(&mut self) -> bool {
        self.log_before = self.log().len();
        let console = std::fs::File::create(self.file("console.log")).unwrap();
        let mut command = process::command("erl");
        command
            // One scheduler that does not spin: many nodes share the machine.
            .args(["-noinput", "+S", "1:1", "+sbwt", "none"])
            // Write to the disk at once.
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
            // Listeners are opened in the order of the file, the API's last.
            self.ask("status", &json!({})).is_ok().then_some(true)
        })
        .await;
        if started {
            self.process = Some(process);
        }
        started
    }

    /// Ends the session of this full JID with the stream error `policy-violation`.
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

    /// Returns whether all accounts are in the database files, as Erlang terms `{passwd, {User, Host}, Password}` in which
    /// a binary is `m`, its length and its bytes.
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

    /// The server's log, at level debug.
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

/// Returns the directory of Erlang libraries that contains ejabberd; on Debian it depends on the architecture.
fn libraries() -> PathBuf {
    let is_ejabberd = |entry: io::Result<DirEntry>| entry.is_ok_and(|entry| name(&entry).starts_with("ejabberd-"));
    let mut directories = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = directories.find(|path| std::fs::read_dir(path).is_ok_and(|mut entries| entries.any(is_ejabberd)));
    found.expect("Debian's package ejabberd is installed")
}

fn name(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

/// Sends an HTTP request on loopback and reads until the server closes the connection.
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
