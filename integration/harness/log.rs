//! What a process writes, line by line, while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::wait::until;

/// The lines so far; a thread reads on until the process closes its end.
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    /// Collects what comes out of `pipe`.
    pub fn collect(pipe: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line);
                sink.lock().unwrap().push(text.trim_end().to_owned());
                line.clear();
            }
        });
        Self { lines, reader: Some(reader) }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How many lines there are: the place to [`wait`](Self::wait) from for what is still to come.
    pub fn mark(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// The lines after `mark` that hold all of these words.
    pub fn since(&self, mark: usize, words: &[&str]) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let holds = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().skip(mark).filter(holds).cloned().collect()
    }

    /// Waits for a line after `mark` that holds all of these words.
    pub async fn wait(&self, mark: usize, words: &[&str], limit: Duration) -> String {
        until(&format!("a log line with {words:?}"), limit, || self.since(mark, words).into_iter().next()).await
    }

    /// Waits for the end of the output; only for a process that is gone.
    pub fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}
