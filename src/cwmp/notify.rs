//! Runs the program that notifies the CWMP client (`notify 'command'`). No shell is involved.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::ubus::CallError;

/// How much of a program's output goes to the log; the rest is read and dropped, so that it never blocks the program.
const LOGGED_OUTPUT: usize = 1024;

/// How long a killed program is waited for.
const REAP_LIMIT: Duration = Duration::from_millis(500);

/// For whom the CWMP client is told: in the environment of a `notify_command`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyContext {
    /// `con_inst`, as `XMPPD_CONNECTION`.
    pub connection: String,
    /// `con_alias`, as `XMPPD_ALIAS`.
    pub alias: String,
    /// The sender's JID, as `XMPPD_FROM`.
    pub from: String,
}

/// Why the CWMP client was not told.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NotifyError {
    /// The program can't be started.
    #[error("'{program}' cannot be run: {error}")]
    NotRun {
        /// The program.
        program: String,
        /// What the system says.
        error: String,
    },
    /// It ended with something else than exit status 0.
    #[error("'{program}' {outcome}")]
    Failed {
        /// The program.
        program: String,
        /// Exit status or signal, in words.
        outcome: String,
    },
    /// It took longer than `notify_timeout_ms`, and was ended.
    #[error("'{program}' did not end within {} ms and was killed", limit.as_millis())]
    Timeout {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// The call on ubus failed.
    #[error(transparent)]
    Ubus(#[from] CallError),
    /// The CWMP client refuses the event: its words, or its status.
    #[error("the CWMP client says: {0}")]
    ClientSays(String),
    /// The `status` in the CWMP client's answer is neither an integer nor a decimal string.
    #[error("the CWMP client's answer has a status that is no number")]
    NoStatus,
    /// The notifier crashed, or is not running.
    #[error("the notifier is not running")]
    NoNotifier,
}

/// Tells the CWMP client, within `limit`. At its limit, or when this is dropped, the program's process group is ended; what
/// a program leaves behind that ends by itself is nobody's business here.
///
/// # Errors
/// [`NotifyError`].
pub async fn run(words: &[String], context: &NotifyContext, limit: Duration) -> Result<(), NotifyError> {
    let (program, arguments) = words.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
    let program = program.to_owned();
    let spawned = Command::new(&program)
        .args(arguments)
        .env("XMPPD_CONNECTION", &context.connection)
        .env("XMPPD_ALIAS", &context.alias)
        .env("XMPPD_FROM", &context.from)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: what the program starts is ended with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let child = spawned.map_err(|error| NotifyError::NotRun { program: program.clone(), error: error.to_string() })?;
    let mut group = Group::of(child);
    let ended = tokio::time::timeout(limit, group.ended()).await;
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotifyError::Failed { program, outcome: in_words(status) }),
        Ok(Err(error)) => Err(NotifyError::Failed { program, outcome: format!("cannot be waited for: {error}") }),
        Err(_) => {
            group.kill();
            // SIGKILL cannot be ignored, so that this wait is short and leaves no zombie behind; but a process that hangs in
            // the kernel must not hang those who wait for an answer. The runtime collects it when it ends.
            let _ = tokio::time::timeout(REAP_LIMIT, group.child.wait()).await;
            Err(NotifyError::Timeout { program, limit })
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A child with its process group, which is ended when this is dropped before the child has ended.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, leader }
    }

    /// Waits for the program itself; its output is read meanwhile, and first, so that its last words are not missed.
    /// Whoever it left behind with its output open is not waited for.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let status = tokio::select! {
            biased;
            never = drain(stdout, "stdout") => match never {},
            never = drain(stderr, "stderr") => match never {},
            status = self.child.wait() => status,
        };
        // It ended by itself: its process id is free for others now.
        self.leader = None;
        status
    }

    fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads to the end and then never returns: the program's exit is what is waited for.
async fn drain(output: Option<impl AsyncRead + Unpin>, name: &'static str) -> Infallible {
    let Some(mut output) = output else { return std::future::pending().await };
    let mut buffer = [0; 512];
    let mut logged = 0;
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        if logged < LOGGED_OUTPUT {
            let text = String::from_utf8_lossy(&buffer[..read]);
            tracing::debug!(output = name, "{:?}", text.trim_end());
            logged += read;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
