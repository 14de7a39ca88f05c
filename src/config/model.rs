//! The typed and validated settings of `/etc/config/xmpp`.

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
    /// The password itself.
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

/// The settings of `/etc/config/xmpp`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Section `config xmpp 'xmpp'`.
    pub general: General,
    /// The `config connection` sections by `con_inst`, disabled ones included, each with its server rows.
    pub connections: BTreeMap<ConnectionId, ConnectionSettings>,
}

impl Settings {
    /// The enabled connections; none if `enable` of the section `xmpp` is 0.
    pub fn enabled(&self) -> impl Iterator<Item = &ConnectionSettings> {
        self.connections.keys().filter_map(|id| self.enabled_connection(*id))
    }

    /// The connection with this number, if it is enabled.
    #[must_use]
    pub fn enabled_connection(&self, id: ConnectionId) -> Option<&ConnectionSettings> {
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
    pub accepts_requests: BTreeSet<ConnectionId>,
    /// `allowed_jid`: the senders that may send connection requests; empty = all
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

/// `loglevel`, from least to most verbose.
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

/// How the CWMP client is notified of a connection request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Notify {
    /// Calls `tr069` `inform` on ubus.
    #[default]
    Ubus,
    /// `notify_command`: program and arguments, run without a shell. Never empty.
    Command(Vec<String>),
}

/// A `config connection` section with its server rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
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
    /// `resource`; none = chosen by the server.
    pub resource: Option<String>,
    /// `usetls`.
    pub use_tls: bool,
    /// `tls_ca`: a file or directory; none = the system's store.
    pub tls_ca: Option<PathBuf>,
    /// `tls_verify`.
    pub tls_verify: bool,
    /// `interval`.
    pub keepalive: KeepAlive,
    /// `attempt` and the three retry options.
    pub retry: Retry,
    /// `serveralgorithm`.
    pub algorithm: ServerAlgorithm,
    /// The connection's server rows by `con_srv_inst`, disabled ones included.
    pub servers: Vec<Server>,
}

/// `interval` (`KeepAliveInterval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// -1: the default of this implementation.
    #[default]
    Automatic,
    /// 0
    Off,
    /// Time without received data after which the server is probed.
    Every(Duration),
}

/// `attempt`, `initial_retry_interval`, `retry_interval_multiplier`, `retry_max_interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// `attempt` (`ServerConnectAttempts`): passes through the server list before the domain itself is tried; 0 = this
    /// implementation's own schedule.
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
    /// `server_address`: host name or IP address. Every enabled row has one.
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
            accepts_requests: BTreeSet::new(),
            allowed: Vec::new(),
            log_level: LogLevel::default(),
            notify: Notify::default(),
            notify_timeout: Duration::from_millis(1500),
            limit: 10,
            period: Duration::from_secs(60),
        }
    }
}
