//! Reports changes of the mount table, which inotify does not.

use std::fs::File;
use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The mount table of this process.
#[derive(Debug)]
pub(super) struct Mounts(AsyncFd<File>);

impl Mounts {
    /// Opens the mount table.
    ///
    /// # Errors
    /// `/proc` is not mounted, or no descriptors are left.
    #[allow(deprecated, reason = "its replacement is unsafe; a File keeps its descriptor open and never changes it")]
    pub(super) fn open() -> io::Result<Self> {
        let file = File::open("/proc/self/mountinfo")?;
        // A change makes it ready with POLLPRI, once (`proc_pid_mountinfo(5)`).
        AsyncFd::with_interest(file, Interest::PRIORITY).map(Self)
    }

    /// Waits until something is mounted or unmounted.
    pub(super) async fn changed(&self) {
        match self.0.ready(Interest::PRIORITY).await {
            Ok(mut guard) => guard.clear_ready(),
            // The runtime ends.
            Err(_) => std::future::pending().await,
        }
    }
}
