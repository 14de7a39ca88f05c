//! The clock on the wall, as a daemon sees it: time itself passes as ever.

use std::path::{Path, PathBuf};

use super::daemon::Setup;

/// A clock that can be set.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, kept in this directory, which has to be there for as long as the daemon.
    pub fn right(directory: &Path) -> Self {
        let clock = Self { file: directory.join("clock") };
        clock.set("+0");
        clock
    }

    /// Sets it to what it would be, and so much: `+1d`, `-1d`.
    pub fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

impl Setup {
    /// With this clock on the wall.
    #[must_use]
    pub fn clock(self, clock: &Clock) -> Self {
        // Looked at each time. The dates of files are what they are.
        self.libfaketime()
            .env("FAKETIME_TIMESTAMP_FILE", &clock.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("NO_FAKE_STAT", "1")
    }

    /// With the clock at this time when it starts, such as `1970-01-02 00:00:00`.
    #[must_use]
    pub fn starting_at(self, time: &str) -> Self {
        self.libfaketime().env("FAKETIME", format!("@{time}"))
    }

    fn libfaketime(self) -> Self {
        let preload = self.env("LD_PRELOAD", libfaketime());
        preload.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1")
    }
}

/// The library that makes a process believe in another time.
fn libfaketime() -> PathBuf {
    let places = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let places = places.chain([PathBuf::from("/usr/lib")]);
    let mut found = places.map(|place| place.join("faketime/libfaketime.so.1")).filter(|path| path.exists());
    found.next().expect("libfaketime; scripts/install-deps.sh installs it")
}
