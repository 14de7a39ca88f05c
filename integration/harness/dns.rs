//! A real DNS server (dnsmasq) on a loopback address of its own, which can be replaced by one that fails or does not answer.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rand::RngExt as _;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::process::{self, Process};
use super::wait::{LIMIT, until};

/// A record of the server. For all other names and types the answer is negative.
#[derive(Debug, Clone)]
pub enum Record {
    /// `SERVICE DOMAIN TARGET PORT PRIORITY WEIGHT`
    Srv(String, String, String, u16, u16, u16),
    /// SRV with the target `.`: the service is not available.
    NoService(String, String),
    /// A and AAAA
    Host(String, Vec<IpAddr>),
    /// Queries for this name and the names below it are answered with REFUSED.
    Refused(String),
}

impl Record {
    /// SRV record of the STARTTLS service.
    pub fn starttls(domain: &str, target: &str, port: u16, priority: u16, weight: u16) -> Self {
        Self::Srv("_xmpp-client._tcp".into(), domain.into(), target.into(), port, priority, weight)
    }

    /// SRV record of the direct TLS service (XEP-0368).
    pub fn direct_tls(domain: &str, target: &str, port: u16, priority: u16, weight: u16) -> Self {
        Self::Srv("_xmpps-client._tcp".into(), domain.into(), target.into(), port, priority, weight)
    }

    /// SRV records by which neither service is available.
    pub fn no_service(domain: &str) -> [Self; 2] {
        ["_xmpp-client._tcp", "_xmpps-client._tcp"].map(|service| Self::NoService(service.into(), domain.into()))
    }

    /// The addresses of a name.
    pub fn host(name: &str, addresses: &[&str]) -> Self {
        Self::Host(name.into(), addresses.iter().map(|address| address.parse().expect("an IP address")).collect())
    }
}

/// A line of dnsmasq's configuration.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Srv(service, domain, target, port, priority, weight) => {
                write!(f, "srv-host={service}.{domain},{target},{port},{priority},{weight}")
            }
            Self::NoService(service, domain) => write!(f, "srv-host={service}.{domain}"),
            // dnsmasq forwards them, and has no upstream server.
            Self::Refused(name) => write!(f, "server=/{name}/#"),
            Self::Host(name, addresses) => {
                // A line may have one address of each family.
                for (n, address) in addresses.iter().enumerate() {
                    write!(f, "{}host-record={name},{address}", if n == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
        }
    }
}

/// The DNS server.
pub struct Dns {
    directory: TempDir,
    address: Ipv4Addr,
    serving: Serving,
    starts: usize,
    /// The questions received while dnsmasq was replaced.
    unanswered: Arc<Mutex<Vec<String>>>,
}

enum Serving {
    Nothing,
    Records(Process),
    Answers(JoinHandle<()>),
}

impl Dns {
    /// Starts a server with these records.
    pub async fn start(records: &[Record]) -> Self {
        Self::start_at(own_address(), records).await
    }

    /// Starts a server with these records at this address.
    pub async fn start_at(address: Ipv4Addr, records: &[Record]) -> Self {
        let mut dns = Self::idle(address);
        dns.serve(records).await;
        dns
    }

    fn idle(address: Ipv4Addr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, address, serving: Serving::Nothing, starts: 0, unanswered: Arc::default() }
    }

    /// Its address, on port 53: one of 127.0.0.0/8 that is not in use elsewhere.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The text of a resolv.conf that names it, with a short timeout.
    pub fn resolv_conf(&self) -> String {
        self.resolv_conf_with("timeout:1 attempts:1")
    }

    fn resolv_conf_with(&self, options: &str) -> String {
        format!("nameserver {}\noptions {options}\n", self.address)
    }

    /// Writes [`resolv_conf`](Self::resolv_conf) to a file.
    pub fn resolv_conf_file(&self) -> PathBuf {
        self.write_resolv_conf(&self.resolv_conf())
    }

    /// The same with a long timeout, for tests in which a lookup that fails on a busy machine would count as a failed attempt.
    pub fn patient_resolv_conf_file(&self) -> PathBuf {
        self.write_resolv_conf(&self.resolv_conf_with("timeout:4 attempts:2"))
    }

    fn write_resolv_conf(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join("resolv.conf");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Replaces all records.
    pub async fn serve(&mut self, records: &[Record]) {
        self.stop().await;
        let mut text = "local=/#/\n".to_owned();
        for record in records {
            let _ = writeln!(text, "{record}");
        }
        self.run(&text).await;
    }

    /// Starts a server with these lines in dnsmasq's configuration.
    pub async fn with_lines(lines: &str) -> Self {
        let mut dns = Self::idle(own_address());
        dns.run(lines).await;
        dns
    }

    async fn run(&mut self, lines: &str) {
        let text = format!(
            "no-resolv\nno-hosts\nno-poll\nbind-interfaces\nlisten-address={}\nport=53\nuser=root\npid-file\n\
             local-ttl=0\nlog-queries\nlog-facility={}\n{lines}",
            self.address,
            self.log_file().display()
        );
        let configuration = self.directory.path().join("dnsmasq.conf");
        std::fs::write(&configuration, text).unwrap();
        let console = std::fs::File::create(self.directory.path().join("console.log")).unwrap();
        let mut command = process::command("dnsmasq");
        command
            .arg("--keep-in-foreground")
            .arg(format!("--conf-file={}", configuration.display()))
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console);
        let mut process = Process::start("dnsmasq", &mut command);
        self.starts += 1;
        until("dnsmasq's start", LIMIT, || {
            if let Some(status) = process.exited() {
                panic!("dnsmasq: {status}: {}", self.console());
            }
            let started = self.log().iter().filter(|line| line.contains("started, version")).count();
            (started == self.starts).then_some(())
        })
        .await;
        self.serving = Serving::Records(process);
    }

    /// Answers all questions with SERVFAIL from now on.
    pub async fn fail(&mut self) {
        self.answer(Some(2)).await;
    }

    /// Does not answer any more, without network errors.
    pub async fn be_silent(&mut self) {
        self.answer(None).await;
    }

    async fn answer(&mut self, code: Option<u8>) {
        self.stop().await;
        let socket = UdpSocket::bind((self.address, 53)).await.unwrap();
        let unanswered = Arc::clone(&self.unanswered);
        self.serving = Serving::Answers(tokio::spawn(async move {
            let mut message = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut message).await {
                unanswered.lock().unwrap().push(question(&message[..length]));
                if let Some(code) = code {
                    // RFC 1035 4.1.1: the question goes back with QR set, and RCODE in the last four bits.
                    message[2] |= 0x80;
                    message[3] = message[3] & 0xf0 | code;
                    let _ = socket.send_to(&message[..length], from).await;
                }
            }
        }));
    }

    /// Stops the server: its port is closed.
    pub async fn stop(&mut self) {
        match std::mem::replace(&mut self.serving, Serving::Nothing) {
            Serving::Nothing => {}
            Serving::Records(mut process) => _ = process.end(Signal::TERM, LIMIT).await,
            Serving::Answers(task) => {
                task.abort();
                let _ = task.await;
            }
        }
    }

    /// The questions received while failing or silent, as `TYPE NAME`.
    pub fn unanswered(&self) -> Vec<String> {
        self.unanswered.lock().unwrap().clone()
    }

    /// The questions to dnsmasq so far, as `TYPE NAME`.
    pub fn questions(&self) -> Vec<String> {
        let question = |line: &String| {
            let (_, question) = line.split_once(": query[")?;
            let (kind, rest) = question.split_once("] ")?;
            Some(format!("{kind} {}", rest.split(' ').next()?))
        };
        self.log().iter().filter_map(question).collect()
    }

    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    fn console(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("console.log")).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("dnsmasq.log")
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        if let Serving::Answers(task) = &self.serving {
            task.abort();
        }
        if std::thread::panicking() {
            eprintln!("--- questions to the DNS server: {:?}", self.questions());
        }
    }
}

/// Parses a question (RFC 1035 4.1.2) into the form of dnsmasq's log.
fn question(message: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = &message[12..];
    while let Some((&length, after)) = rest.split_first() {
        let (label, after) = after.split_at(usize::from(length));
        rest = after;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(label).into_owned());
    }
    let kind = match u16::from_be_bytes([rest[0], rest[1]]) {
        1 => "A".to_owned(),
        28 => "AAAA".to_owned(),
        33 => "SRV".to_owned(),
        other => format!("type={other}"),
    };
    format!("{kind} {}", labels.join("."))
}

/// Returns an address of 127.0.0.0/8 whose DNS port is free.
pub fn own_address() -> Ipv4Addr {
    let mut rng = rand::rng();
    for _ in 0..100 {
        let address = Ipv4Addr::new(127, rng.random_range(1..=254), rng.random(), rng.random_range(1..=254));
        match StdUdpSocket::bind(SocketAddr::from((address, 53))) {
            Ok(_) => return address,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => panic!("port 53 of {address}: {error} (it takes root, or CAP_NET_BIND_SERVICE)"),
        }
    }
    panic!("no address of 127.0.0.0/8 without a DNS server");
}
