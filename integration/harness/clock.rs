//! Changes a daemon's wall clock; monotonic time is unaffected.

use std::path::{Path, PathBuf};

use super::daemon::Setup;

/// A wall clock that can be set while the daemon runs.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Creates a correct clock, as a file in this directory, which must exist as long as the daemon.
    pub fn correct(directory: &Path) -> Self {
        let clock = Self { file: directory.join("clock") };
        clock.set("+0");
        clock
    }

    /// Sets the offset from the correct time: `+1d`, `-1d`.
    pub fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

impl Setup {
    /// Uses this wall clock.
    #[must_use]
    pub fn clock(self, clock: &Clock) -> Self {
        // Read the offset at each call. Do not change the dates of files.
        self.libfaketime()
            .env("FAKETIME_TIMESTAMP_FILE", &clock.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("NO_FAKE_STAT", "1")
    }

    /// Starts with the wall clock at this time, such as `1970-01-02 00:00:00`.
    #[must_use]
    pub fn starting_at(self, time: &str) -> Self {
        self.libfaketime().env("FAKETIME", format!("@{time}"))
    }

    fn libfaketime(self) -> Self {
        let preload = self.env("LD_PRELOAD", libfaketime());
        preload.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1")
    }
}

/// Returns the library that changes a process's clock.
fn libfaketime() -> PathBuf {
    let places = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let places = places.chain([PathBuf::from("/usr/lib")]);
    let mut found = places.map(|place| place.join("faketime/libfaketime.so.1")).filter(|path| path.exists());
    found.next().expect("libfaketime; scripts/install-deps.sh installs it")
}
