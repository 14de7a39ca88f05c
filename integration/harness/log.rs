//! What a process writes, line by line, while it runs.
//!
//! It writes into a file: a line is there as soon as it is written, so that what is looked for after an event that
//! followed the line is found, and a [`mark`](Log::mark) has all that was written before it in front of it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use super::wait::until;

/// The lines so far.
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// A new log in this file, and the end to write to.
    pub fn create(path: PathBuf) -> (Self, File) {
        let end = File::options().create_new(true).append(true).open(&path).unwrap();
        (Self { path }, end)
    }

    /// All whole lines so far.
    pub fn lines(&self) -> Vec<String> {
        let bytes = fs::read(&self.path).unwrap();
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        String::from_utf8_lossy(&bytes[..whole]).lines().map(str::to_owned).collect()
    }

    /// How many lines there are: the place to [`wait`](Self::wait) from for what is still to come.
    pub fn mark(&self) -> usize {
        self.lines().len()
    }

    /// The lines after `mark` that hold all of these words.
    pub fn since(&self, mark: usize, words: &[&str]) -> Vec<String> {
        let holds = |line: &String| words.iter().all(|word| line.contains(word));
        self.lines().into_iter().skip(mark).filter(holds).collect()
    }

    /// Waits for a line after `mark` that holds all of these words.
    pub async fn wait(&self, mark: usize, words: &[&str], limit: Duration) -> String {
        until(&format!("a log line with {words:?}"), limit, || self.since(mark, words).into_iter().next()).await
    }
}
