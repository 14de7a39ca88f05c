//! The command line.

mod client;
mod output;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::client::{Client, status_request};
use self::output::print;
use crate::config::check::check_with_trust;
use crate::config::startup::{Arguments, LogOutput, Startup};
use crate::file::read;
use crate::text::OneLine;

/// Exit status: stopped as asked.
pub const SUCCESS: u8 = 0;
/// Exit status of `check` for a file with errors, and of a command that fails.
pub const FAILED: u8 = 1;
/// Exit status of the daemon when its actors crashed too often; procd starts it anew.
pub const CRASHED: u8 = 3;

const ENVIRONMENT: &str = "\
Environment:
  XMPPD_CONFIG, XMPPD_CWMP_CONFIG, XMPPD_SOCKET, XMPPD_UBUS_SOCKET
                      the same as --config, --cwmp-config, --socket and
                      --ubus-socket, which win
  XMPPD_LOG           the same as --log, which wins
  XMPPD_RESOLV_CONF   the resolver's configuration [/etc/resolv.conf]
  XMPPD_HOSTS         the hosts file [/etc/hosts]
  XMPPD_SYSLOG_SOCKET the socket of the syslog daemon [/dev/log]

Exit status:
  0  stopped by a signal, or the command succeeded
  1  the command failed, or the file that was checked has errors
  2  the command line is wrong
  3  actors of the daemon crashed too often";

/// Answers the connection requests of TR-069 Annex K over XMPP
///
/// Logs in to the XMPP servers that the UCI file names, and tells the CWMP client
/// to call home when its ACS asks for it. Changes of the file take effect while
/// xmppd runs.
#[derive(Debug, Parser)]
#[command(name = "xmppd", version, verbatim_doc_comment, after_help = ENVIRONMENT, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without it: run
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What the daemon uses.
    #[command(flatten)]
    pub files: Files,
}

/// What the daemon uses.
#[derive(Debug, Clone, Default, Args)]
pub struct Files {
    /// The UCI file to follow [default: /etc/config/xmpp]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The CWMP client's file [default: /etc/config/cwmp]
    #[arg(long, value_name = "FILE")]
    pub cwmp_config: Option<PathBuf>,
    /// Control socket [default: /var/run/xmppd/xmppd.sock]
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// ubusd's socket [default: /var/run/ubus/ubus.sock]
    #[arg(long, value_name = "FILE")]
    pub ubus_socket: Option<PathBuf>,
    /// Where to log: auto, stderr, syslog [default: auto]
    #[arg(long, value_name = "WHERE", hide_possible_values = true)]
    pub log: Option<LogOutput>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon, in the foreground
    Run(Files),
    /// Say what is wrong with a UCI file, as the daemon would
    Check {
        /// As a JSON document, see docs/ubus.md
        #[arg(long)]
        json: bool,
        /// The file [default: the one that the daemon follows, /etc/config/xmpp]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show what the running daemon and its connections are doing
    Status {
        /// The number of a connection [default: all]
        #[arg(value_name = "CONNECTION")]
        connection: Option<u32>,
        /// As a JSON document, see docs/status.md
        #[arg(long)]
        json: bool,
        /// Show it again every 2 seconds, until Ctrl-C
        #[arg(long, conflicts_with = "json")]
        watch: bool,
        /// Control socket [default: /var/run/xmppd/xmppd.sock]
        #[arg(long, value_name = "FILE")]
        socket: Option<PathBuf>,
    },
    /// Show the parameters of TR-181, a path and its value a line
    Tr181 {
        /// Control socket [default: /var/run/xmppd/xmppd.sock]
        #[arg(long, value_name = "FILE")]
        socket: Option<PathBuf>,
        /// A parameter or an object [default: all parameters]
        #[arg(value_name = "PATH", default_value = "", hide_default_value = true)]
        path: String,
    },
    /// Have the running daemon read its files now, and show what changed
    Reload {
        /// Control socket [default: /var/run/xmppd/xmppd.sock]
        #[arg(long, value_name = "FILE")]
        socket: Option<PathBuf>,
    },
    /// Tell the running daemon that the network is back
    ///
    /// Waits before a retry are cut short.
    Reconnect {
        /// Control socket [default: /var/run/xmppd/xmppd.sock]
        #[arg(long, value_name = "FILE")]
        socket: Option<PathBuf>,
    },
}

/// The result of parsing the command line.
pub enum Invocation {
    /// Run the daemon.
    Run(Startup),
    /// Exit: the command is done.
    Exit(ExitCode),
}

/// Carries out every command except running the daemon.
#[must_use]
pub fn begin(cli: Cli) -> Invocation {
    let failed = |message: String| {
        complain(&message);
        Invocation::Exit(ExitCode::from(FAILED))
    };
    let exit = |result: Result<ExitCode, String>| result.map_or_else(failed, Invocation::Exit);
    match cli.command {
        None => startup(&cli.files).map_or_else(failed, Invocation::Run),
        Some(Command::Run(files)) => startup(&files).map_or_else(failed, Invocation::Run),
        Some(Command::Check { json, file }) => exit(checked_file(file).and_then(|file| check_file(&file, json))),
        Some(Command::Status { connection, json, watch, socket }) => {
            let request = status_request(json, connection);
            exit(client(socket).and_then(|client| if watch { client.watch(&request) } else { client.show(&request) }))
        }
        Some(Command::Tr181 { socket, path }) => exit(tr181(socket, &path)),
        Some(Command::Reload { socket }) => exit(client(socket).and_then(|client| client.show("reload"))),
        Some(Command::Reconnect { socket }) => exit(client(socket).and_then(|client| client.show("reconnect"))),
    }
}

fn startup(files: &Files) -> Result<Startup, String> {
    let arguments = Arguments {
        config: files.config.clone(),
        cwmp_config: files.cwmp_config.clone(),
        socket: files.socket.clone(),
        ubus_socket: files.ubus_socket.clone(),
        log: files.log,
    };
    Startup::from_layers(std::env::vars_os(), &arguments).map_err(|error| error.to_string())
}

/// The file to check: the daemon's, if none is named.
fn checked_file(file: Option<PathBuf>) -> Result<PathBuf, String> {
    file.map_or_else(|| Ok(startup(&Files::default())?.config), Ok)
}

fn check_file(file: &Path, json: bool) -> Result<ExitCode, String> {
    let contents = read(file).map_err(|error| error.to_string())?;
    let report = check_with_trust(file, &contents);
    print(&if json { format!("{}\n", report.document()) } else { report.to_string() })?;
    Ok(if report.is_accepted() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn tr181(socket: Option<PathBuf>, path: &str) -> Result<ExitCode, String> {
    // Blanks and line breaks separate the words of a request; no parameter has them.
    if path.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(format!("there is no parameter or object '{}'", OneLine(path)));
    }
    client(socket)?.show(&format!("tr181 {path}"))
}

/// A client of the running daemon.
fn client(socket: Option<PathBuf>) -> Result<Client, String> {
    Ok(Client::new(startup(&Files { socket, ..Files::default() })?.socket))
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "xmppd: {message}");
}
