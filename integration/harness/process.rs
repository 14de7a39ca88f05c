//! Child processes that never outlive their test.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::wait::until;

/// A child in a process group of its own. Dropping it kills the group, and the kernel kills the child when the thread that
/// started it is gone, however that came about.
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
}

/// A command whose process dies with its parent: `setpriv` asks the kernel for it and then becomes the program.
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

    /// The process's own number.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal, to the process alone.
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

    /// Waits for the end of the process.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        until(&what, limit, || self.exited()).await
    }

    /// Sends a signal and says how the process ended, and after how long.
    pub async fn end(&mut self, signal: Signal, limit: Duration) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(signal);
        let status = self.wait(limit).await;
        (status, start.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exited().is_none() {
            // The group is only known to be ours for as long as its leader was not waited for.
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
