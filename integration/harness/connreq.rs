//! The tool `connreq`, run as an operator does.

use std::io::Read;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::process::{self, Process};
use super::program;
use super::prosody::{PASSWORD, Prosody};
use super::wait::LIMIT;

/// The tool as `acs@a.test`, with the right passwords in its environment; the account is made.
pub fn connreq(prosody: &Prosody, arguments: &[&str]) -> Command {
    prosody.account("acs@a.test");
    let mut command = process::command(program::connreq());
    command
        .args(login(prosody))
        .args(arguments)
        .env("CONNREQ_PASSWORD", PASSWORD)
        .env("CONNREQ_SECRET", "cpe-secret")
        .stdin(Stdio::null());
    command
}

/// Its arguments for the login, and the connection request's user name.
pub fn login(prosody: &Prosody) -> Vec<String> {
    let (server, ca) = (format!("localhost:{}", prosody.port()), prosody.ca().pem().display().to_string());
    ["--jid", "acs@a.test", "--server", &server, "--ca", &ca, "--connreq-user", "cpe-user"].map(str::to_owned).to_vec()
}

/// What a program said, and its exit status.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Its standard output as JSON lines.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
            .collect()
    }
}

/// A program under way, whose outputs are read.
pub struct Running {
    process: Process,
    outputs: tokio::task::JoinHandle<(String, String)>,
}

/// Starts a command.
pub fn start(command: &mut Command) -> Running {
    let mut process = Process::start("connreq", command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (stdout, stderr) = (process.child().stdout.take().unwrap(), process.child().stderr.take().unwrap());
    Running { process, outputs: tokio::task::spawn_blocking(move || read(stdout, stderr)) }
}

fn read(mut stdout: ChildStdout, mut stderr: ChildStderr) -> (String, String) {
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    (text, errors.join().unwrap())
}

impl Running {
    /// The arguments that everyone on the machine can read.
    pub fn cmdline(&self) -> String {
        let pid = self.process.pid().as_raw_nonzero();
        String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap()).into_owned()
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub async fn end(mut self, limit: Duration) -> Said {
        let status = self.process.wait(limit).await;
        let (stdout, stderr) = self.outputs.await.unwrap();
        Said { code: status.code().expect("an exit status"), stdout, stderr }
    }
}

/// Runs a command to its end.
pub async fn said(command: &mut Command) -> Said {
    start(command).end(LIMIT * 2).await
}
