//! The command line.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::{Arguments, Startup, check_with_trust};
use crate::file::read;

/// Exit status: stopped as asked.
pub const SUCCESS: u8 = 0;
/// Exit status of `check` for a file with errors, and of a command that fails.
pub const FAILED: u8 = 1;
/// Exit status of the daemon when its actors crashed too often; procd starts it anew.
pub const CRASHED: u8 = 3;

/// How long the daemon may take to answer on its socket.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

const ENVIRONMENT: &str = "\
Environment:
  XMPPD_CONFIG, XMPPD_CWMP_CONFIG, XMPPD_SOCKET, XMPPD_UBUS_SOCKET
                      the same as --config, --cwmp-config, --socket and
                      --ubus-socket, which win
  XMPPD_RESOLV_CONF   the resolver's configuration [/etc/resolv.conf]
  XMPPD_HOSTS         the hosts file [/etc/hosts]

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
    /// Where the files are.
    #[command(flatten)]
    pub files: Files,
}

/// Where the files are.
#[derive(Debug, Clone, Default, Args)]
pub struct Files {
    /// The UCI file to follow [default: /etc/config/xmpp]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The CWMP client's UCI file, for its credentials [default: /etc/config/cwmp]
    #[arg(long, value_name = "FILE")]
    pub cwmp_config: Option<PathBuf>,
    /// The control socket [default: /var/run/xmppd/xmppd.sock]
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// The socket of ubusd [default: /var/run/ubus/ubus.sock, then /var/run/ubus.sock]
    #[arg(long, value_name = "FILE")]
    pub ubus_socket: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon, in the foreground
    Run(Files),
    /// Say what is wrong with a UCI file, as the daemon would
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show what the running daemon's connections are doing
    Status {
        /// The control socket [default: /var/run/xmppd/xmppd.sock]
        #[arg(long, value_name = "FILE")]
        socket: Option<PathBuf>,
    },
    /// Tell the running daemon that the network is back: waits before a retry are cut short
    Reconnect {
        /// The control socket [default: /var/run/xmppd/xmppd.sock]
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
        Some(Command::Check { file }) => exit(check_file(&file)),
        Some(Command::Status { socket }) => exit(ask(socket, "status")),
        Some(Command::Reconnect { socket }) => exit(ask(socket, "reconnect")),
    }
}

fn startup(files: &Files) -> Result<Startup, String> {
    let arguments = Arguments {
        config: files.config.clone(),
        cwmp_config: files.cwmp_config.clone(),
        socket: files.socket.clone(),
        ubus_socket: files.ubus_socket.clone(),
    };
    Startup::from_layers(std::env::vars_os(), &arguments).map_err(|error| error.to_string())
}

fn check_file(file: &Path) -> Result<ExitCode, String> {
    let contents = read(file).map_err(|error| error.to_string())?;
    let report = check_with_trust(file, &contents);
    print(&report.to_string())?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// One question to the running daemon.
fn ask(socket: Option<PathBuf>, question: &str) -> Result<ExitCode, String> {
    let path = startup(&Files { socket, ..Files::default() })?.socket;
    let failed = |error: io::Error| match error.kind() {
        // It listens, and has been stopped, or hangs.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("{}: no answer within {} s", path.display(), ANSWER_LIMIT.as_secs())
        }
        _ => format!("{}: {error}; is xmppd running, and does it use this socket?", path.display()),
    };
    let mut stream = UnixStream::connect(&path).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(failed)?;
    stream.write_all(format!("{question}\n").as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    if let Some(error) = answer.strip_prefix("error: ") {
        return Err(error.trim().to_owned());
    }
    print(&answer)?;
    Ok(ExitCode::SUCCESS)
}

/// Whoever reads may have gone already: that is no error of ours. A full disk is.
fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "xmppd: {message}");
}
