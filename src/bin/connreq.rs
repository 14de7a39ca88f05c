//! Sends one TR-069 Annex K connection request, as an ACS does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use secrecy::SecretString;
use xmpp::jid::{FullJid, Jid};
use xmppd::connreq::tls::Trust;
use xmppd::connreq::{Account, Answer, Credentials, Requester, Silence};

/// The request was refused.
const REFUSED: u8 = 1;
/// No answer came, or the request could not even be sent.
const NO_ANSWER: u8 = 2;

/// Send one TR-069 Annex K connection request and print the answer.
#[derive(Debug, Parser)]
#[command(
    name = "connreq",
    version,
    after_help = "Exit status: 0 the CPE said yes, 1 it (or a server) said no, 2 no answer, or no login.\n\n\
        Passwords are read from files, or from the environment: CONNREQ_PASSWORD for the account,\n\
        CONNREQ_SECRET for the connection request. In a file a line break at the end is not part of it."
)]
struct Arguments {
    /// The CPE: its full JID, with the resource.
    to: FullJid,
    /// The ACS's account; with a resource, that one is asked for.
    #[arg(long)]
    jid: Jid,
    /// File with the account's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Server to connect to, instead of the one that DNS names.
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// PEM file with the certificates to trust, instead of the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Accept any server certificate (for tests).
    #[arg(long)]
    insecure: bool,
    /// Connection request user name, as the CPE knows it.
    #[arg(long, value_name = "NAME", default_value = "")]
    connreq_user: String,
    /// File with the connection request password.
    #[arg(long, value_name = "FILE")]
    connreq_secret_file: Option<PathBuf>,
    /// Seconds for the login, and again for the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
}

fn main() -> ExitCode {
    // Clap's own exit status for wrong arguments is 2 as well: nothing was answered.
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start: {error}")),
    };
    // As a task of its own, since the XMPP library may panic over what a server sends: that is no answer, too.
    let outcome = runtime.block_on(async { tokio::spawn(run(arguments)).await });
    match outcome {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(message)) => complain(&message),
        Err(_) => complain("the XMPP library gave up"),
    }
}

async fn run(arguments: Arguments) -> Result<u8, String> {
    let password = secret(arguments.password_file.as_deref(), "CONNREQ_PASSWORD")?
        .ok_or("no password for the account: give --password-file or CONNREQ_PASSWORD")?;
    let secret = secret(arguments.connreq_secret_file.as_deref(), "CONNREQ_SECRET")?.unwrap_or_default();
    let credentials = Credentials { username: arguments.connreq_user, password: secret };
    let trust = match (arguments.insecure, arguments.ca) {
        (true, _) => Trust::Anything,
        (false, Some(path)) => Trust::File(path),
        (false, None) => Trust::System,
    };
    let limit = Duration::from_secs(arguments.timeout.into());
    let to = Jid::from(arguments.to);
    let jid = arguments.jid;
    let account = Account { jid: jid.clone(), password, server: arguments.server, trust };
    let mut requester =
        Requester::connect(account, limit).await.map_err(|error| format!("cannot log in as {jid}: {error}"))?;
    let answer = requester.request(&to, &credentials, limit).await;
    let code = match &answer {
        Answer::Result { rtt } => {
            say(&format!("result from {to} in {}", milliseconds(*rtt)));
            0
        }
        Answer::Error { condition, text, rtt } => {
            let text = text.as_deref().map(|text| format!(": {text:?}")).unwrap_or_default();
            say(&format!("error {condition} from {to} in {}{text}", milliseconds(*rtt)));
            REFUSED
        }
        Answer::None(Silence::TimedOut) => {
            return Err(format!("no answer from {to} within {limit:?}"));
        }
        Answer::None(Silence::Lost) => {
            return Err(format!("no answer from {to}: the connection to the server was lost"));
        }
    };
    requester.close().await;
    Ok(code)
}

/// A secret from a file, or else from the environment: never from the arguments, which everyone on the machine can read.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<SecretString>, String> {
    let Some(path) = file else {
        return Ok(std::env::var(variable).ok().map(SecretString::from));
    };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(SecretString::from(text.trim_end_matches(['\r', '\n']))))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A closed standard output changes nothing about the answer, which the exit status tells as well.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn complain(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "connreq: {message}");
    ExitCode::from(NO_ANSWER)
}
