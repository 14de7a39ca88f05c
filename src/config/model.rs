//! Typed and validated settings: what `/etc/config/xmpp` means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jid::Jid;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The instance number of a connection (`con_inst`), 1..4294967295.
///
/// TR-181: the `{i}` of `Device.XMPP.Connection.{i}.`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A password: compared by value, never printed, wiped when dropped.
#[derive(Clone, Default)]
pub struct Password(SecretString);

impl Password {
    /// The password itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(SecretString::from(text))
    }
}

/// Wipes the string.
impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::from(Zeroizing::new(text).as_str())
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Everything that `/etc/config/xmpp` says, valid as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Section `config xmpp 'xmpp'`.
    pub general: General,
    /// The `config connection` sections by `con_inst`, each with its server rows. Disabled ones are in it too.
    pub connections: BTreeMap<ConnectionId, Connection>,
}

impl Settings {
    /// The connections that are to run.
    pub fn enabled(&self) -> impl Iterator<Item = &Connection> {
        self.connections.keys().filter_map(|id| self.enabled_connection(*id))
    }

    /// The connection of this number, if it is to run.
    #[must_use]
    pub fn enabled_connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id).filter(|connection| self.general.enable && connection.enable)
    }
}

/// Section `config xmpp 'xmpp'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct General {
    /// `enable`: 0 stops all connections.
    pub enable: bool,
    /// `id`: the connections that accept connection requests
    /// (`ManagementServer.ConnReqXMPPConnection`).
    pub accepting: BTreeSet<ConnectionId>,
    /// `allowed_jid`: who may send connection requests; empty = everyone
    /// (`ManagementServer.ConnReqAllowedJabberIDs`).
    pub allowed: Vec<Jid>,
    /// `loglevel`.
    pub log_level: LogLevel,
    /// `notify` and `notify_command`.
    pub notify: Notify,
    /// `notify_timeout_ms`: 100 ms to 10 s.
    pub notify_timeout: Duration,
    /// `connreq_limit`: 0 = no limit.
    pub limit: u16,
    /// `connreq_period`: 1 s to 1 day.
    pub period: Duration,
}

/// `loglevel`, least to most talkative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// EMERG
    Emergency,
    /// ALERT
    Alert,
    /// CRITIC, 0
    Critical,
    /// ERROR
    Error,
    /// WARNING, 1
    Warning,
    /// NOTICE, 2
    Notice,
    /// INFO, 3
    #[default]
    Info,
    /// DEBUG, 4
    Debug,
}

/// How the CWMP client is told of a connection request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Notify {
    /// `ubus -t 1 call tr069 inform {"event":"6 connection request"}`
    #[default]
    Ubus,
    /// `notify_command`: program and arguments, run without a shell. Never empty.
    Command(Vec<String>),
}

/// A `config connection` section with its server rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// `con_inst`.
    pub id: ConnectionId,
    /// `enable`.
    pub enable: bool,
    /// `con_alias`.
    pub alias: String,
    /// `username`: the local part of the account's JID.
    pub username: String,
    /// `password`.
    pub password: Password,
    /// `domain`, a valid JID domain-part.
    pub domain: String,
    /// `resource`; none = the server chooses.
    pub resource: Option<String>,
    /// `usetls`.
    pub use_tls: bool,
    /// `tls_ca`; none = the system's store.
    pub tls_ca: Option<PathBuf>,
    /// `tls_verify`.
    pub tls_verify: bool,
    /// `interval`.
    pub keepalive: KeepAlive,
    /// `attempt` and the three retry options.
    pub retry: Retry,
    /// `serveralgorithm`.
    pub algorithm: ServerAlgorithm,
    /// The connection's server rows, disabled ones too, by `con_srv_inst`.
    pub servers: Vec<Server>,
}

/// `interval` (`KeepAliveInterval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// -1: this implementation's own choice.
    #[default]
    Automatic,
    /// 0
    Off,
    /// Seconds of silence after which the server is asked for a sign of life.
    Every(Duration),
}

/// `attempt`, `initial_retry_interval`, `retry_interval_multiplier`, `retry_max_interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// `attempt` (`ServerConnectAttempts`): passes through the server list before the fallback has one; 0 leaves the schedule
    /// to this implementation.
    pub attempts: u32,
    /// `initial_retry_interval`: 1 s to 65535 s.
    pub initial: Duration,
    /// `retry_interval_multiplier` in thousandths: 1000 to 65535.
    pub multiplier: u16,
    /// `retry_max_interval`: at least 1 s.
    pub max: Duration,
}

/// `serveralgorithm` (`ServerConnectAlgorithm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerAlgorithm {
    /// `DNS-SRV`
    #[default]
    DnsSrv,
    /// `DNS`
    Dns,
    /// `ServerTable`
    ServerTable,
}

/// A `config connection_server` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `con_srv_inst`.
    pub instance: u32,
    /// `enable`.
    pub enable: bool,
    /// `con_srv_alias`.
    pub alias: String,
    /// `server_address`: host name or IP address; given in every enabled row.
    pub address: Option<String>,
    /// `port`.
    pub port: u16,
    /// `priority`.
    pub priority: u16,
    /// `weight`; none = -1, not used.
    pub weight: Option<u16>,
}

impl Default for General {
    fn default() -> Self {
        Self {
            enable: false,
            accepting: BTreeSet::new(),
            allowed: Vec::new(),
            log_level: LogLevel::default(),
            notify: Notify::default(),
            notify_timeout: Duration::from_millis(1500),
            limit: 10,
            period: Duration::from_secs(60),
        }
    }
}
