//! Runs the program that notifies the CWMP client (`notify 'command'`), without a shell.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::error::NotifyError;

/// Maximum output of a program that is logged, bytes. Further output is read and dropped, so that it does not block the
/// program.
const MAX_LOGGED_OUTPUT: usize = 1024;

/// How long to wait for a killed program.
const REAP_LIMIT: Duration = Duration::from_millis(500);

/// The origin of a connection request, in the environment of a `notify_command`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyContext {
    /// `con_inst`, as `XMPPD_CONNECTION`.
    pub connection: String,
    /// `con_alias`, as `XMPPD_ALIAS`.
    pub alias: String,
    /// The sender's JID, as `XMPPD_FROM`.
    pub from: String,
}

/// Runs a command. After `limit`, or when the future is dropped, its process group is killed. Processes that a program
/// leaves running when it ends are left alone.
///
/// # Errors
/// The program cannot be started, fails, or exceeds the limit.
pub async fn run(command: &[String], context: &NotifyContext, limit: Duration) -> Result<(), NotifyError> {
    let (program, arguments) =
        command.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
    let program = program.to_owned();
    let spawned = Command::new(&program)
        .args(arguments)
        .env("XMPPD_CONNECTION", &context.connection)
        .env("XMPPD_ALIAS", &context.alias)
        .env("XMPPD_FROM", &context.from)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A process group, so that the program's children can be killed as well.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let child = spawned.map_err(|error| NotifyError::NotRun { program: program.clone(), error: error.to_string() })?;
    let mut group = ProcessGroup::of(child);
    match tokio::time::timeout(limit, group.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotifyError::Failed { program, outcome: describe(status) }),
        Ok(Err(error)) => Err(NotifyError::Failed { program, outcome: format!("cannot be waited for: {error}") }),
        Err(_) => {
            group.kill();
            // Usually short, and leaves no zombie. A process that hangs in the kernel must not delay the answer: the
            // runtime reaps it later.
            let _ = tokio::time::timeout(REAP_LIMIT, group.child.wait()).await;
            Err(NotifyError::Timeout { program, limit })
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A child process that leads a process group. Dropping this kills the group, unless the child has ended.
struct ProcessGroup {
    child: Child,
    leader: Option<Pid>,
}

impl ProcessGroup {
    fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, leader }
    }

    /// Waits for the program, and reads its output meanwhile: first, so that the end of it is not missed. Does not wait
    /// for other processes that hold the output open.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let status = tokio::select! {
            biased;
            never = drain(stdout, "stdout") => match never {},
            never = drain(stderr, "stderr") => match never {},
            status = self.child.wait() => status,
        };
        // Its process id may be reused from now on.
        self.leader = None;
        status
    }

    fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads and logs output. Never returns: the exit of the program ends the wait.
async fn drain(output: Option<impl AsyncRead + Unpin>, name: &'static str) -> Infallible {
    let Some(mut output) = output else { return std::future::pending().await };
    let mut buffer = [0; 512];
    let mut logged = 0;
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        if logged < MAX_LOGGED_OUTPUT {
            let text = String::from_utf8_lossy(&buffer[..read]);
            tracing::debug!(output = name, "{:?}", text.trim_end());
            logged += read;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
