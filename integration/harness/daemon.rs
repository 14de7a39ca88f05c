//! Runs xmppd with configuration files, a control socket and a bus of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::log::Log;
use super::process::{self, Process};
use super::program;
use super::trace::{Activity, Trace};
use super::ubus::Ubus;
use super::uci::{self, Section, UciFile};
use super::wait::LIMIT;

/// Maximum time until a daemon has exited after a signal: 3 s are promised; the rest is for a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Everything that an xmppd needs before it is started.
pub struct Setup {
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
    arguments: Vec<OsString>,
    /// By default the xmppd built for the tests.
    program: Option<PathBuf>,
    /// A command that executes the program, with its arguments.
    launcher: Vec<OsString>,
    traced: bool,
    socket: PathBuf,
    /// /etc/config/xmpp
    pub xmpp: UciFile,
    /// /etc/config/cwmp
    pub cwmp: UciFile,
    /// The bus with the CWMP client.
    pub ubus: Ubus,
}

impl Setup {
    /// Writes these sections to /etc/config/xmpp, and the credentials `cpe-user`, `cpe-secret` to /etc/config/cwmp.
    pub fn new<'a>(xmpp: impl IntoIterator<Item = &'a Section>) -> Self {
        let setup = Self::empty();
        setup.xmpp.write_in_place(&uci::text(xmpp));
        setup.cwmp.write_in_place(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
        setup
    }

    /// Writes neither file.
    pub fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config");
        std::fs::create_dir(&config).unwrap();
        Self {
            xmpp: UciFile::at(config.join("xmpp")),
            cwmp: UciFile::at(config.join("cwmp")),
            ubus: Ubus::new(&directory.path().join("ubus")),
            socket: directory.path().join("xmppd.sock"),
            directory,
            environment: Vec::new(),
            arguments: Vec::new(),
            program: None,
            launcher: Vec::new(),
            traced: false,
        }
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Adds an argument, after those that name the files.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Replaces the xmppd built for the tests by another program.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Starts it by this command, which executes the program with its arguments: `prlimit`, a shell.
    #[must_use]
    pub fn launched_by<const N: usize>(mut self, command: [&str; N]) -> Self {
        self.launcher = command.map(OsString::from).into();
        self
    }

    /// Records its system calls; see [`Daemon::trace`].
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Uses another path for the control socket.
    #[must_use]
    pub fn control_at(mut self, socket: impl Into<PathBuf>) -> Self {
        self.socket = socket.into();
        self
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// A directory that is deleted with the daemon. Its `bin` is first in the daemon's PATH.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it.
    pub fn start(self) -> Daemon {
        let (process, log) = self.run();
        Daemon { setup: self, process, log }
    }

    fn run(&self) -> (Process, Log) {
        self.ubus.start_with_daemon();
        let system = std::env::var_os("PATH").unwrap_or_default();
        let own = self.directory.path().join("bin");
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&system))).unwrap();
        let (log, end) = Log::create(self.directory.path().join(format!("log-{:08x}", rand::random::<u32>())));
        let mut words = if self.traced { self.trace().words() } else { Vec::new() };
        words.extend(self.launcher.iter().cloned());
        words.push(self.program.clone().unwrap_or_else(|| program::xmppd().into()).into());
        let mut command = process::command(&words[0]);
        command
            .args(&words[1..])
            .arg("run")
            .arg("--config")
            .arg(self.xmpp.path())
            .arg("--cwmp-config")
            .arg(self.cwmp.path())
            .arg("--socket")
            .arg(self.socket())
            .arg("--ubus-socket")
            .arg(self.ubus.socket())
            .args(&self.arguments)
            .env("PATH", path)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(end);
        (Process::start("xmppd", &mut command), log)
    }

    /// In a directory that the daemon does not watch, since each line of the trace would be an event.
    fn trace(&self) -> Trace {
        Trace::at(self.ubus.directory().join("trace"))
    }
}

/// A started xmppd.
pub struct Daemon {
    setup: Setup,
    process: Process,
    log: Log,
}

impl Daemon {
    /// Starts one with these sections; see [`Setup::new`].
    pub fn start<'a>(xmpp: impl IntoIterator<Item = &'a Section>) -> Self {
        Setup::new(xmpp).start()
    }

    /// /etc/config/xmpp
    pub fn xmpp(&self) -> &UciFile {
        &self.setup.xmpp
    }

    /// /etc/config/cwmp
    pub fn cwmp(&self) -> &UciFile {
        &self.setup.cwmp
    }

    /// The bus with the CWMP client.
    pub fn ubus(&self) -> &Ubus {
        &self.setup.ubus
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.setup.socket()
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its system calls, if it is [traced](Setup::traced).
    pub fn trace(&self) -> Trace {
        self.setup.trace()
    }

    /// Fails if it does more within the next second than its attempts to connect need. It must be
    /// [traced](Setup::traced), and must get no requests meanwhile.
    pub async fn assert_not_busy(&self, when: &str) {
        let work = Activity::watch(&self.trace(), &self.log).await;
        if let Some(excess) = work.excess() {
            panic!("{when}: {excess}");
        }
    }

    /// A directory that is deleted with the daemon.
    pub fn directory(&self) -> &Path {
        self.setup.directory()
    }

    /// Waits for a line, anywhere in the log, that contains all of these texts.
    pub async fn wait_for_log(&self, words: &[&str], limit: Duration) -> String {
        self.log.wait(0, words, limit).await
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Returns whether it runs.
    pub fn running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Sends SIGTERM and waits. The log is complete then.
    pub async fn stop(&mut self) -> ExitStatus {
        self.end(Signal::TERM).await
    }

    /// Sends a signal that ends it, and waits; fails if that takes longer than a stop may. The log is complete then.
    pub async fn end(&mut self, signal: Signal) -> ExitStatus {
        self.process.end(signal, STOP_LIMIT).await
    }

    /// Sends a signal that stops it, and fails unless it exits with 0, its socket is removed, and its last line says so.
    pub async fn assert_stops(&mut self, signal: Signal) {
        let status = self.end(signal).await;
        assert_eq!(status.code(), Some(0), "{status:?}");
        assert_eq!(self.log.lines().last().map(String::as_str), Some("xmppd: NOTICE stopped"));
        assert!(!self.socket().exists(), "the control socket is left behind");
    }

    /// Stops it, and fails if its log contains any of these texts.
    pub async fn stop_and_assert_not_logged(&mut self, secrets: &[&str]) {
        assert!(self.stop().await.success());
        self.log.assert_without(secrets);
    }

    /// Changes /etc/config/cwmp to these credentials, and waits until they are applied.
    pub async fn set_credentials(&self, user: &str, password: &str) {
        let mark = self.log.mark();
        self.cwmp().commit(&uci::text([&Section::cpe(user, password)]));
        self.log.wait(mark, &["credentials applied"], LIMIT).await;
    }

    /// Waits until it exits by itself. The log is complete then.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit).await
    }

    /// Limits the descriptors of the process that is [started next](Self::start_again).
    pub fn limit_descriptors(&mut self, limit: u64) {
        self.setup.launcher = vec!["prlimit".into(), format!("--nofile={limit}:").into()];
    }

    /// Starts the daemon again after it has exited, with the same files and a new log.
    pub fn start_again(&mut self) {
        assert!(!self.running(), "xmppd is running already");
        (self.process, self.log) = self.setup.run();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- xmppd's log:");
            for line in self.log.lines() {
                eprintln!("{line}");
            }
            eprintln!("--- calls of the CWMP client: {:?}", self.setup.ubus.calls());
        }
    }
}
