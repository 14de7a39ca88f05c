//! Starts the tool and returns its exit status.

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

use crate::payload::Credentials;
use crate::request_pipeline::RequestPipeline;
use crate::requester::{Account, LoginError, Requester};

use super::arguments::Arguments;
use super::outcome::Outcome;
use super::output::{self, Report};
use super::progress::Progress;
use super::prompt::{self, PromptError};
use super::run::{self, LoginFailure, RunDriver, RunEnd};
use super::secrets::{self, Source};
use super::stop_signals::StopSignals;
use super::summary::{NO_SESSION, STOPPED, Summary, WRONG};
use super::targets::{self, Targets};
use xmppd::xmpp::tls::TlsSetupError;

/// Runs the tool with the process's arguments.
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
                print_error(&line);
            }
            return ExitCode::from(WRONG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("cannot start: {error}"));
            return ExitCode::from(NO_SESSION);
        }
    };
    let status = runtime.block_on(run_tool(arguments, prepared));
    // Does not wait for a thread that reads from the terminal.
    runtime.shutdown_background();
    ExitCode::from(status)
}

/// The contents of the files and variables that the arguments name.
struct Prepared {
    targets: Targets,
    password: Source,
    secret: Source,
}

/// Reads what the arguments name.
///
/// # Errors
/// The lines to print.
fn prepare(arguments: &Arguments) -> Result<Prepared, Vec<String>> {
    let one = |line: String| vec![line];
    let file = arguments.targets.as_deref().map(read_targets).transpose().map_err(one)?;
    let file = file.as_ref().map(|(name, content)| (name.as_str(), content.as_slice()));
    let targets = targets::collect(&arguments.to, file, arguments.resource.as_ref())?;
    if arguments.jid.node().is_none() {
        return Err(one(format!(
            "--jid {}: no user name; expected an account, such as acs@isp.example",
            arguments.jid
        )));
    }
    arguments.trust().client_config().map_err(|error| one(ca_error(&error)))?;
    let find = |file: &Option<PathBuf>, variable| {
        secrets::find(file.as_deref(), variable, std::env::var_os(variable)).map_err(one)
    };
    let (password, warning) = find(&arguments.password_file, secrets::PASSWORD)?;
    let (secret, other) = find(&arguments.connreq_secret_file, secrets::SECRET)?;
    for warning in targets.warnings.iter().chain(&warning).chain(&other) {
        print_error(&format!("warning: {warning}"));
    }
    Ok(Prepared { targets, password, secret })
}

/// Names the option instead of the daemon's setting.
fn ca_error(error: &TlsSetupError) -> String {
    match error {
        TlsSetupError::TrustFile { path, why } => format!("--ca: {}: {why}", path.display()),
        other => format!("--ca: {other}"),
    }
}

/// Maximum size of a list of CPEs, bytes: about a million CPEs.
const MAX_LIST: u64 = 64 << 20;

fn read_targets(path: &Path) -> Result<(String, Vec<u8>), String> {
    let mut content = Vec::new();
    let (name, read) = if path == Path::new("-") {
        ("standard input".to_owned(), io::stdin().take(MAX_LIST + 1).read_to_end(&mut content))
    } else {
        let read = File::open(path).and_then(|file| file.take(MAX_LIST + 1).read_to_end(&mut content));
        (path.display().to_string(), read)
    };
    match read {
        Err(error) => Err(format!("{name}: {error}")),
        Ok(_) if content.len() as u64 > MAX_LIST => {
            Err(format!("{name}: more than {MAX_LIST} bytes: expected a list of CPEs"))
        }
        Ok(_) => Ok((name, content)),
    }
}

/// Asks for passwords, runs all rounds and prints the summary. Returns the exit status.
async fn run_tool(arguments: Arguments, prepared: Prepared) -> u8 {
    let stop = match StopSignals::new() {
        Ok(stop) => stop,
        Err(error) => {
            print_error(&format!("cannot start: {error}"));
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
            .map_or_else(|_| Ok(()), |line| print(&line))
    } else if tool.arguments.quiet || (tool.summary.total() > 0 && planned != Some(1)) {
        print(tool.summary.text(jids.len(), start.elapsed()).trim_end())
    } else {
        Ok(())
    };
    if let Err(error) = summed {
        tool.handle_output_error(&error);
    }
    if tool.output_failed { STOPPED } else { status }
}

struct Tool {
    arguments: Arguments,
    targets: Targets,
    account: Account,
    credentials: Credentials,
    stop: StopSignals,
    width: usize,
    progress: Progress,
    summary: Summary,
    /// Outcomes in the present round.
    done: usize,
    /// The reader of standard output has closed it.
    output_closed: bool,
    /// Writing to standard output failed.
    output_failed: bool,
}

impl Tool {
    /// Asks for the passwords that are not known yet.
    ///
    /// # Errors
    /// The exit status, after printing the error.
    async fn new(arguments: Arguments, prepared: Prepared, mut stop: StopSignals) -> Result<Self, u8> {
        let Prepared { targets, password, secret } = prepared;
        let mut typed =
            async |question: &str, option: &str, variable: &str| match prompt::ask(question, &mut stop).await {
                Ok(secret) => Ok(secret),
                Err(PromptError::Stopped) => {
                    print_error("stopped");
                    Err(STOPPED)
                }
                Err(PromptError::Failed(why)) => {
                    print_error(&format!("{why}: use {option}, or set {variable}"));
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
            output_failed: false,
        })
    }

    fn exit_status(&self, end: RunEnd, planned: Option<u64>) -> u8 {
        let all = self.summary.interrupted == 0 && planned == Some(self.summary.total());
        match end {
            RunEnd::NoLogin => NO_SESSION,
            // Stopping is the normal end of a run without a number of rounds.
            RunEnd::Stopped if self.summary.total() == 0 => STOPPED,
            RunEnd::Stopped => self.summary.exit_status(planned.is_none() || all),
            RunEnd::Done => self.summary.exit_status(true),
        }
    }

    fn handle_output_error(&mut self, error: &io::Error) {
        // A reader such as head(1) may close the pipe early.
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.output_closed = true;
        } else if !self.output_failed {
            self.output_failed = true;
            self.progress.suspend_for_stderr(|| print_error(&format!("standard output: {error}")));
        }
    }
}

impl RunDriver for Tool {
    async fn login(&mut self) -> Result<RequestPipeline, LoginFailure> {
        // In a task, because the XMPP library may panic on what a server sends.
        let login = tokio::spawn(Requester::connect(self.account.clone(), self.arguments.login_timeout));
        let outcome = tokio::select! {
            () = self.stop.received() => return Err(LoginFailure::Stopped),
            outcome = login => outcome,
        };
        let (why, failure) = match outcome {
            Ok(Ok(requester)) => {
                return Ok(RequestPipeline::new(requester, self.credentials.clone(), self.arguments.timeout));
            }
            Ok(Err(error)) => {
                // Repeating a wrong password is useless and might lock the account.
                let permanent = matches!(&error, LoginError::Refused(tokio_xmpp::Error::Auth(why))
                    if !matches!(why, AuthError::Fail(DefinedCondition::TemporaryAuthFailure)));
                (error.to_string(), if permanent { LoginFailure::Permanent } else { LoginFailure::Temporary })
            }
            Err(_) => ("the XMPP library panicked".to_owned(), LoginFailure::Temporary),
        };
        self.progress.suspend_for_stderr(|| print_error(&format!("cannot log in as {}: {why}", self.account.jid)));
        Err(failure)
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
            line.map_err(io::Error::from).and_then(|line| self.progress.suspend_for_stdout(|| print(&line)))
        };
        if let Err(error) = written {
            self.handle_output_error(&error);
            return ControlFlow::Break(());
        }
        self.progress.show(round, self.done, &self.summary);
        ControlFlow::Continue(())
    }

    async fn stopped(&mut self) {
        self.stop.received().await;
    }
}

fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn print_error(line: &str) {
    let _ = writeln!(io::stderr(), "connreq: {line}");
}
