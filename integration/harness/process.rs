//! Child processes that do not outlive their test.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::wait::until;

/// A child in its own process group. Dropping it kills the group. The kernel kills the child when the thread that started
/// it ends in any way.
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
}

/// Returns a command whose process dies with its parent: `setpriv` requests this from the kernel and executes the program.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.process_group(0);
    command
}

impl Process {
    /// Starts a [`command`].
    pub fn start(name: &str, command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, status: None }
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal to the process, not to its group.
    pub fn signal(&mut self, signal: Signal) {
        assert!(self.exited().is_none(), "{} is gone already: {:?}", self.name, self.status);
        kill_process(self.pid(), signal).unwrap();
    }

    /// The exit status, once there is one.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }

    /// Waits until the process exits.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        until(&what, limit, || self.exited()).await
    }

    /// Sends a signal and waits.
    pub async fn end(&mut self, signal: Signal, limit: Duration) -> ExitStatus {
        self.signal(signal);
        self.wait(limit).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exited().is_none() {
            // Before waiting for its leader: afterwards the group id may be reused.
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
