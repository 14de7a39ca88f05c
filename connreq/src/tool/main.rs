//! The tool from its start to its exit status.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use clap::Parser;
use secrecy::SecretString;
use tokio_xmpp::error::AuthError;
use xmpp_parsers::sasl::DefinedCondition;

use super::super::{Account, Courier, Credentials, LoginError, Requester};
use super::arguments::Arguments;
use super::outcome::Outcome;
use super::output::{self, Report};
use super::progress::Progress;
use super::prompt::{self, NotTyped};
use super::run::{self, End, NoLogin, World};
use super::secrets::{self, Source};
use super::stop::Stop;
use super::summary::{NO_SESSION, STOPPED, Summary, WRONG};
use super::targets::{self, Targets};
use xmppd::xmpp::tls::TlsSetupError;

/// Does what the process's arguments say.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { WRONG } else { 0 });
        }
    };
    let prepared = match prepare(&arguments) {
        Ok(prepared) => prepared,
        Err(lines) => {
            for line in lines {
                complain(&line);
            }
            return ExitCode::from(WRONG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(NO_SESSION);
        }
    };
    let status = runtime.block_on(go(arguments, prepared));
    // A thread that waits for something to be typed is not waited for.
    runtime.shutdown_background();
    ExitCode::from(status)
}

/// What the arguments name, read and checked.
struct Prepared {
    targets: Targets,
    password: Source,
    secret: Source,
}

/// # Errors
/// Lines that say what is wrong.
fn prepare(arguments: &Arguments) -> Result<Prepared, Vec<String>> {
    let one = |line: String| vec![line];
    let file = arguments.targets.as_deref().map(read_targets).transpose().map_err(one)?;
    let file = file.as_ref().map(|(name, content)| (name.as_str(), content.as_slice()));
    let targets = targets::collect(&arguments.to, file, arguments.resource.as_ref())?;
    if arguments.jid.node().is_none() {
        return Err(one(format!(
            "--jid {}: no user name before an @; expected an account, such as acs@isp.example",
            arguments.jid
        )));
    }
    arguments.trust().client_config().map_err(|error| one(in_ca(&error)))?;
    let find = |file: &Option<PathBuf>, variable| {
        secrets::find(file.as_deref(), variable, std::env::var_os(variable)).map_err(one)
    };
    let (password, warning) = find(&arguments.password_file, secrets::PASSWORD)?;
    let (secret, other) = find(&arguments.connreq_secret_file, secrets::SECRET)?;
    for warning in targets.warnings.iter().chain(&warning).chain(&other) {
        complain(&format!("warning: {warning}"));
    }
    Ok(Prepared { targets, password, secret })
}

/// The daemon's settings know the file by another name.
fn in_ca(error: &TlsSetupError) -> String {
    match error {
        TlsSetupError::TrustFile { path, why } => format!("--ca: {}: {why}", path.display()),
        other => format!("--ca: {other}"),
    }
}

/// A longer file is no list of CPEs, bytes; a million of them fit in.
const LONGEST_LIST: u64 = 64 << 20;

fn read_targets(path: &Path) -> Result<(String, Vec<u8>), String> {
    let mut content = Vec::new();
    let (name, read) = if path == Path::new("-") {
        ("standard input".to_owned(), io::stdin().take(LONGEST_LIST + 1).read_to_end(&mut content))
    } else {
        let read = File::open(path).and_then(|file| file.take(LONGEST_LIST + 1).read_to_end(&mut content));
        (path.display().to_string(), read)
    };
    match read {
        Err(error) => Err(format!("{name}: {error}")),
        Ok(_) if content.len() as u64 > LONGEST_LIST => {
            Err(format!("{name}: more than {LONGEST_LIST} bytes: expected a list of CPEs"))
        }
        Ok(_) => Ok((name, content)),
    }
}

/// From the first question to the summary; gives the exit status.
async fn go(arguments: Arguments, prepared: Prepared) -> u8 {
    let stop = match Stop::new() {
        Ok(stop) => stop,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return NO_SESSION;
        }
    };
    let mut tool = match Tool::new(arguments, prepared, stop).await {
        Ok(tool) => tool,
        Err(status) => return status,
    };
    let start = Instant::now();
    let pace = tool.arguments.pace();
    let jids = tool.targets.jids.clone();
    let end = run::run(&jids, pace, &mut tool).await;
    tool.progress.finish();
    let planned = pace.rounds.map(|rounds| rounds.saturating_mul(jids.len() as u64));
    let status = tool.exit_status(end, planned);
    let summed = if tool.arguments.json {
        output::json_summary(&tool.summary, jids.len(), start.elapsed(), status)
            .map_or_else(|_| Ok(()), |line| say(&line))
    } else if tool.arguments.quiet || (tool.summary.total() > 0 && planned != Some(1)) {
        say(tool.summary.text(jids.len(), start.elapsed()).trim_end())
    } else {
        Ok(())
    };
    if let Err(error) = summed {
        tool.output_failed(&error);
    }
    if tool.output_lost { STOPPED } else { status }
}

struct Tool {
    arguments: Arguments,
    targets: Targets,
    account: Account,
    credentials: Credentials,
    stop: Stop,
    width: usize,
    progress: Progress,
    summary: Summary,
    /// How many outcomes the present round has.
    done: usize,
    /// Nobody reads standard output any more.
    output_closed: bool,
    /// Something could not be written to it.
    output_lost: bool,
}

impl Tool {
    /// # Errors
    /// The exit status; what is to be said was said.
    async fn new(arguments: Arguments, prepared: Prepared, mut stop: Stop) -> Result<Self, u8> {
        let Prepared { targets, password, secret } = prepared;
        let mut typed =
            async |question: &str, option: &str, variable: &str| match prompt::ask(question, &mut stop).await {
                Ok(secret) => Ok(secret),
                Err(NotTyped::Stopped) => {
                    complain("stopped");
                    Err(STOPPED)
                }
                Err(NotTyped::Failed(why)) => {
                    complain(&format!("{why}: give {option}, or {variable} in the environment"));
                    Err(WRONG)
                }
            };
        let password = match password {
            Source::Known(password) => password,
            Source::Ask => {
                typed(&format!("Password of {}", arguments.jid), "--password-file", secrets::PASSWORD).await?
            }
        };
        let secret = match secret {
            Source::Known(secret) => secret,
            Source::Ask if arguments.connreq_user.is_empty() => SecretString::default(),
            Source::Ask => {
                let question = format!("Connection request password of {:?}", arguments.connreq_user);
                typed(&question, "--connreq-secret-file", secrets::SECRET).await?
            }
        };
        Ok(Self {
            account: Account {
                jid: arguments.jid.clone(),
                password,
                server: arguments.server.clone(),
                trust: arguments.trust(),
            },
            credentials: Credentials { username: arguments.connreq_user.clone(), password: secret },
            width: output::width(&targets.jids),
            progress: Progress::new(!arguments.quiet, targets.jids.len()),
            arguments,
            targets,
            stop,
            summary: Summary::default(),
            done: 0,
            output_closed: false,
            output_lost: false,
        })
    }

    fn exit_status(&self, end: End, planned: Option<u64>) -> u8 {
        let all = self.summary.interrupted == 0 && planned == Some(self.summary.total());
        match end {
            End::NoLogin => NO_SESSION,
            // Without a number of rounds there is no other end.
            End::Stopped if self.summary.total() == 0 => STOPPED,
            End::Stopped => self.summary.exit_status(planned.is_none() || all),
            End::Done => self.summary.exit_status(true),
        }
    }

    fn output_failed(&mut self, error: &io::Error) {
        // A reader that has seen enough is no failure.
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.output_closed = true;
        } else if !self.output_lost {
            self.output_lost = true;
            self.progress.suspend(|| complain(&format!("standard output: {error}")));
        }
    }
}

impl World for Tool {
    async fn login(&mut self) -> Result<Courier, NoLogin> {
        // As a task of its own, since the XMPP library may panic over what a server sends.
        let login = tokio::spawn(Requester::connect(self.account.clone(), self.arguments.login_timeout));
        let outcome = tokio::select! {
            () = self.stop.come() => return Err(NoLogin::Stopped),
            outcome = login => outcome,
        };
        let (why, no_login) = match outcome {
            Ok(Ok(requester)) => {
                return Ok(Courier::new(requester, self.credentials.clone(), self.arguments.timeout));
            }
            Ok(Err(error)) => {
                // The same password would be as wrong the next time, and might lock the account.
                let hopeless = matches!(&error, LoginError::Refused(tokio_xmpp::Error::Auth(why))
                    if !matches!(why, AuthError::Fail(DefinedCondition::TemporaryAuthFailure)));
                (error.to_string(), if hopeless { NoLogin::Hopeless } else { NoLogin::Failed })
            }
            Err(_) => ("the XMPP library gave up".to_owned(), NoLogin::Failed),
        };
        self.progress.suspend(|| complain(&format!("cannot log in as {}: {why}", self.account.jid)));
        Err(no_login)
    }

    fn report(&mut self, round: u64, number: usize, outcome: Outcome) -> ControlFlow<()> {
        if self.summary.rounds < round {
            self.summary.rounds = round;
            self.done = 0;
        }
        self.summary.count(&outcome);
        self.done += 1;
        let to = &self.targets.jids[number];
        let report = Report { round, to, outcome: &outcome, time: SystemTime::now() };
        let written = if self.arguments.quiet || self.output_closed {
            Ok(())
        } else {
            let line = if self.arguments.json { output::json(&report) } else { Ok(output::line(&report, self.width)) };
            line.map_err(io::Error::from).and_then(|line| self.progress.around(|| say(&line)))
        };
        if let Err(error) = written {
            self.output_failed(&error);
            return ControlFlow::Break(());
        }
        self.progress.show(round, self.done, &self.summary);
        ControlFlow::Continue(())
    }

    async fn stopped(&mut self) {
        self.stop.come().await;
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "connreq: {line}");
}
