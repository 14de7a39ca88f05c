//! The xmppd program, as it is installed: configuration files, a control socket, a bus, signals.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::log::Log;
use super::process::{self, Process};
use super::program;
use super::trace::{Trace, Work};
use super::ubus::Ubus;
use super::uci::{self, Section, UciFile};
use super::wait::LIMIT;

/// Everything an xmppd needs, before it is started.
pub struct Setup {
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
    arguments: Vec<OsString>,
    program: PathBuf,
    /// The words before the program's name.
    through: Vec<OsString>,
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
    /// With these sections in /etc/config/xmpp, and the credentials `cpe-user`, `cpe-secret` in /etc/config/cwmp.
    pub fn new<'a>(xmpp: impl IntoIterator<Item = &'a Section>) -> Self {
        let setup = Self::empty();
        setup.xmpp.write_in_place(&uci::text(xmpp));
        setup.cwmp.write_in_place(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
        setup
    }

    /// With neither file there.
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
            program: program::xmppd().into(),
            through: Vec::new(),
            traced: false,
        }
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// With this argument after those that name the files.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// With this program in place of the xmppd that was built for the tests.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = path.into();
        self
    }

    /// Started by this command, which is given the program and its arguments and becomes it: `prlimit`, a shell.
    #[must_use]
    pub fn through<const N: usize>(mut self, command: [&str; N]) -> Self {
        self.through = command.map(OsString::from).into();
        self
    }

    /// With its system calls written down; see [`Daemon::trace`].
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// With its control socket in another place.
    #[must_use]
    pub fn control_at(mut self, socket: impl Into<PathBuf>) -> Self {
        self.socket = socket.into();
        self
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// A directory that is gone with the daemon. Its `bin` comes first in the daemon's PATH.
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
        words.extend(self.through.iter().cloned());
        words.push(self.program.clone().into());
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

    /// In a directory that the daemon does not watch: it would see itself at work.
    fn trace(&self) -> Trace {
        Trace::at(self.ubus.directory().join("trace"))
    }
}

/// An xmppd that was started.
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

    /// What it wrote so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its system calls, if it was [started](Setup::traced) so.
    pub fn trace(&self) -> Trace {
        self.setup.trace()
    }

    /// Fails if it does more within the next second than its attempts to connect take. It must be
    /// [traced](Setup::traced), and not be asked anything meanwhile.
    pub async fn assert_not_busy(&self, when: &str) {
        let work = Work::watch(&self.trace(), &self.log).await;
        if let Some(excess) = work.excess() {
            panic!("{when}: {excess}");
        }
    }

    /// A directory that is gone with the daemon.
    pub fn directory(&self) -> &Path {
        self.setup.directory()
    }

    /// Waits for a line that holds all of these words, anywhere in the log.
    pub async fn wait_for_log(&self, words: &[&str], limit: Duration) -> String {
        self.log.wait(0, words, limit).await
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether it runs.
    pub fn running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// The process's number.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// SIGTERM; says how it ended, and after how long. The log is complete then.
    pub async fn stop(&mut self) -> (ExitStatus, Duration) {
        self.end(Signal::TERM).await
    }

    /// Sends a signal that ends it; says how it ended, and after how long. The log is complete then.
    pub async fn end(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        self.process.end(signal, LIMIT).await
    }

    /// Stops it, and fails if any of these is anywhere in the whole of its log.
    pub async fn stop_and_look_for(&mut self, secrets: &[&str]) {
        assert!(self.stop().await.0.success());
        for line in self.log.lines() {
            for secret in secrets {
                assert!(!line.contains(secret), "{secret:?} in the log: {line}");
            }
        }
    }

    /// Waits for it to end by itself. The log is complete then.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit).await
    }

    /// Has the process that is [started next](Self::start_again) begin with room for so many descriptors.
    pub fn limit_descriptors(&mut self, limit: u64) {
        self.setup.through = vec!["prlimit".into(), format!("--nofile={limit}:").into()];
    }

    /// Starts a process anew that has ended, with the same files and a log of its own.
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
