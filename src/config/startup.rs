//! The paths of the files that the daemon uses, and where it logs.
//!
//! Three layers, each over the one before: built-in defaults, the `XMPPD_*` environment variables, the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider, providers::Serialized};
use serde::{Deserialize, Serialize};

/// The paths of the daemon's files and sockets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Startup {
    /// `--config`, `XMPPD_CONFIG`: default `/etc/config/xmpp`.
    pub config: PathBuf,
    /// `--cwmp-config`, `XMPPD_CWMP_CONFIG`: default `/etc/config/cwmp`.
    pub cwmp_config: PathBuf,
    /// `--socket`, `XMPPD_SOCKET`: the control socket, default `/var/run/xmppd/xmppd.sock`.
    pub socket: PathBuf,
    /// `--ubus-socket`, `XMPPD_UBUS_SOCKET`: the socket of `ubusd`; none: the default paths.
    pub ubus_socket: Option<PathBuf>,
    /// `XMPPD_RESOLV_CONF`: default `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
    /// `XMPPD_HOSTS`: default `/etc/hosts`.
    pub hosts: PathBuf,
    /// `--log`, `XMPPD_LOG`: default `auto`.
    pub log: LogOutput,
    /// `XMPPD_SYSLOG_SOCKET`: the socket of the syslog daemon, default `/dev/log`.
    pub syslog_socket: PathBuf,
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogOutput {
    /// Standard error, in the form that suits it.
    #[default]
    Auto,
    /// Standard error, in bare lines.
    Stderr,
    /// The local syslog daemon.
    Syslog,
}

impl Default for Startup {
    fn default() -> Self {
        Self {
            config: "/etc/config/xmpp".into(),
            cwmp_config: "/etc/config/cwmp".into(),
            socket: "/var/run/xmppd/xmppd.sock".into(),
            ubus_socket: None,
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            log: LogOutput::default(),
            syslog_socket: "/dev/log".into(),
        }
    }
}

/// What is given on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Arguments {
    /// `--config`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// `--cwmp-config`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwmp_config: Option<PathBuf>,
    /// `--socket`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// `--ubus-socket`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ubus_socket: Option<PathBuf>,
    /// `--log`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogOutput>,
}

/// An environment variable or an argument is invalid.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// An environment variable or an argument is empty.
    #[error("{0} is empty: expected a path")]
    Empty(String),
    /// A path is not UTF-8, or a value is not one of the words that it may be.
    #[error("{0}")]
    Invalid(Box<Error>),
}

/// The environment variables, and the fields of [`Startup`] that they set.
const VARIABLES: [(&str, &str); 8] = [
    ("XMPPD_CONFIG", "config"),
    ("XMPPD_CWMP_CONFIG", "cwmp_config"),
    ("XMPPD_SOCKET", "socket"),
    ("XMPPD_UBUS_SOCKET", "ubus_socket"),
    ("XMPPD_RESOLV_CONF", "resolv_conf"),
    ("XMPPD_HOSTS", "hosts"),
    ("XMPPD_LOG", "log"),
    ("XMPPD_SYSLOG_SOCKET", "syslog_socket"),
];

impl Startup {
    /// Combines the defaults, an environment ([`std::env::vars_os`]) and a command line. Other variables are ignored.
    ///
    /// # Errors
    /// A path is empty or not UTF-8, or a value is unknown. The message names the variable or the argument.
    pub fn from_layers(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        arguments: &Arguments,
    ) -> Result<Self, StartupError> {
        let environment = Environment(environment.into_iter().collect());
        let figment =
            Figment::from(Serialized::defaults(Self::default())).merge(environment).merge(CommandLine(arguments));
        let startup: Self = figment.extract().map_err(|error| StartupError::Invalid(Box::new(error)))?;
        for (name, path) in [
            ("config", Some(&startup.config)),
            ("cwmp_config", Some(&startup.cwmp_config)),
            ("socket", Some(&startup.socket)),
            ("ubus_socket", startup.ubus_socket.as_ref()),
            ("resolv_conf", Some(&startup.resolv_conf)),
            ("hosts", Some(&startup.hosts)),
            ("syslog_socket", Some(&startup.syslog_socket)),
        ] {
            if path.is_some_and(|path| path.as_os_str().is_empty()) {
                let source = figment.find_metadata(name);
                let name = source.map(|source| source.interpolate(&Profile::Default, &[name]));
                return Err(StartupError::Empty(name.unwrap_or_default()));
            }
        }
        Ok(startup)
    }
}

/// The environment as a layer. figment's own would turn a path such as `1` into a number.
struct Environment(Vec<(OsString, OsString)>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment").interpolater(|_, keys| {
            let variable = |key: &&str| VARIABLES.iter().find(|(_, setting)| setting == key);
            keys.iter().filter_map(variable).map(|(variable, _)| *variable).collect()
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut settings = Dict::new();
        for (name, value) in &self.0 {
            let Some((variable, setting)) = VARIABLES.iter().find(|(variable, _)| name == variable) else {
                continue;
            };
            let text = value.to_str().ok_or_else(|| Error::from(format!("{variable} is not UTF-8")))?;
            settings.insert((*setting).to_owned(), Value::from(text));
        }
        Ok(Profile::Default.collect(settings))
    }
}

/// The command line as a layer.
struct CommandLine<'a>(&'a Arguments);

impl Provider for CommandLine<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("the command line").interpolater(|_, keys| format!("--{}", keys.join(".").replace('_', "-")))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Serialized::defaults(self.0).data()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::{Arguments, LogOutput, OsString, PathBuf, Startup};

    fn startup(environment: &[(&str, &str)], arguments: &Arguments) -> Result<Startup, String> {
        let variables = environment.iter().map(|(name, value)| (name.into(), value.into()));
        Startup::from_layers(variables, arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_over_the_environment_is_over_the_defaults() {
        let none = Arguments::default();
        assert_eq!(startup(&[], &none), Ok(Startup::default()));
        let variables = [
            ("XMPPD_CONFIG", "/c"),
            ("XMPPD_CWMP_CONFIG", "123"),
            ("XMPPD_SOCKET", "true"),
            ("XMPPD_UBUS_SOCKET", "/u"),
            ("XMPPD_RESOLV_CONF", "[1]"),
            ("XMPPD_HOSTS", "/h"),
            ("XMPPD_LOG", "syslog"),
            ("XMPPD_SYSLOG_SOCKET", "/l"),
            ("XMPPD_OTHER", "x"),
            ("CONFIG", "x"),
        ];
        let mut expected = Startup {
            config: "/c".into(),
            cwmp_config: "123".into(),
            socket: "true".into(),
            ubus_socket: Some("/u".into()),
            resolv_conf: "[1]".into(),
            hosts: "/h".into(),
            log: LogOutput::Syslog,
            syslog_socket: "/l".into(),
        };
        assert_eq!(startup(&variables, &none).as_ref(), Ok(&expected));
        expected.config = "/d".into();
        expected.log = LogOutput::Stderr;
        let arguments = Arguments { config: Some("/d".into()), log: Some(LogOutput::Stderr), ..none };
        assert_eq!(startup(&variables, &arguments), Ok(expected));
    }

    #[test]
    fn errors_name_the_variable_or_the_argument() {
        let none = Arguments::default();
        let message = startup(&[("XMPPD_SOCKET", "")], &none).unwrap_err();
        assert_eq!(message, "XMPPD_SOCKET is empty: expected a path");
        let arguments = Arguments { cwmp_config: Some("".into()), ..none };
        assert_eq!(startup(&[], &arguments).unwrap_err(), "--cwmp-config is empty: expected a path");
        let message = startup(&[("XMPPD_LOG", "journal")], &Arguments::default()).unwrap_err();
        assert!(message.contains("journal") && message.contains("`auto`, `stderr`, `syslog`"), "{message}");
        assert!(message.contains("XMPPD_LOG"), "{message}");
        let variable = ("XMPPD_CONFIG".into(), OsString::from_vec(vec![b'/', 0xff]));
        let error = Startup::from_layers([variable], &Arguments::default()).unwrap_err();
        assert!(error.to_string().contains("XMPPD_CONFIG is not UTF-8"), "{error}");
        let path = PathBuf::from(OsString::from_vec(vec![b'/', 0xff]));
        let arguments = Arguments { socket: Some(path), ..Arguments::default() };
        assert!(startup(&[], &arguments).unwrap_err().contains("the command line"));
    }
}
