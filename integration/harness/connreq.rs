//! Runs the tool `connreq`, as an operator does.

use std::io::Read;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::process::{self, Process};
use super::program;
use super::prosody::{PASSWORD, Prosody};
use super::server::Endpoint;
use super::server::Server;
use super::wait::LIMIT;

/// Returns a command that runs the tool as `acs@a.test`, with the right passwords in its environment. Creates the account.
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

/// The arguments for the login, and the connection request's user name.
pub fn login(prosody: &Prosody) -> Vec<String> {
    let (server, ca) = (format!("localhost:{}", prosody.port()), prosody.ca_pem().display().to_string());
    ["--jid", "acs@a.test", "--server", &server, "--ca", &ca, "--connreq-user", "cpe-user"].map(str::to_owned).to_vec()
}

/// The output and exit status of a program.
#[derive(Debug)]
pub struct ToolOutput {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl ToolOutput {
    /// Parses standard output as JSON lines.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
            .collect()
    }
}

/// A running program whose outputs are being read.
pub struct RunningTool {
    process: Process,
    outputs: tokio::task::JoinHandle<(String, String)>,
}

/// Starts a command.
pub fn start(command: &mut Command) -> RunningTool {
    let mut process = Process::start("connreq", command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (stdout, stderr) = (process.child().stdout.take().unwrap(), process.child().stderr.take().unwrap());
    RunningTool { process, outputs: tokio::task::spawn_blocking(move || read(stdout, stderr)) }
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

impl RunningTool {
    /// The arguments as all users of the machine can read them.
    pub fn cmdline(&self) -> String {
        let pid = self.process.pid().as_raw_nonzero();
        String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap()).into_owned()
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it exits.
    pub async fn end(mut self, limit: Duration) -> ToolOutput {
        let status = self.process.wait(limit).await;
        let (stdout, stderr) = self.outputs.await.unwrap();
        ToolOutput { code: status.code().expect("an exit status"), stdout, stderr }
    }
}

/// Runs a command until it exits.
pub async fn run(command: &mut Command) -> ToolOutput {
    start(command).end(LIMIT * 2).await
}
