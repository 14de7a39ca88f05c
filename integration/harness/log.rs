//! Reads the log of a running process.
//!
//! The process writes to a file, so a line is available as soon as it is written: it is found after any later event, and
//! is before any later [`mark`](Log::mark).

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use super::wait::until;

/// The log of a process.
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// Creates the file. Also returns it opened for writing.
    pub fn create(path: PathBuf) -> (Self, File) {
        let end = File::options().create_new(true).append(true).open(&path).unwrap();
        (Self { path }, end)
    }

    /// All complete lines so far.
    pub fn lines(&self) -> Vec<String> {
        let bytes = fs::read(&self.path).unwrap();
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        String::from_utf8_lossy(&bytes[..whole]).lines().map(str::to_owned).collect()
    }

    /// The number of lines so far, from which to [`wait`](Self::wait) for later ones.
    pub fn mark(&self) -> usize {
        self.lines().len()
    }

    /// The lines after `mark` that contain all of these texts.
    pub fn since(&self, mark: usize, words: &[&str]) -> Vec<String> {
        let holds = |line: &String| words.iter().all(|word| line.contains(word));
        self.lines().into_iter().skip(mark).filter(holds).collect()
    }

    /// Fails if any line contains any of these texts.
    pub fn assert_without(&self, words: &[&str]) {
        for word in words {
            assert_eq!(self.since(0, &[word]), [""; 0], "{word:?} is in the log");
        }
    }

    /// Fails if a line has this many bytes or more.
    pub fn assert_short_lines(&self, limit: usize) {
        let longest = self.lines().iter().map(String::len).max();
        assert!(longest < Some(limit), "{longest:?} bytes in one line of the log");
    }

    /// Waits for a line after `mark` that contains all of these texts.
    pub async fn wait(&self, mark: usize, words: &[&str], limit: Duration) -> String {
        until(&format!("a log line with {words:?}"), limit, || self.since(mark, words).into_iter().next()).await
    }
}
