//! What a container prints, with the time when it was read.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::wait::until;

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    pub at: Instant,
    pub text: String,
}

/// The output of a container, which is followed.
pub struct Log {
    follower: Child,
    lines: Arc<Mutex<Vec<Line>>>,
    name: String,
}

impl Log {
    /// Follows the output of a started container, from this time on.
    pub fn of(container: &str, since: SystemTime) -> Self {
        let since = since.duration_since(UNIX_EPOCH).unwrap();
        let since = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
        // It dies with the tests: it would keep the lock of run.sh as long as there is the container.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "docker", "container", "logs", "--follow"])
            .args(["--since", &since, container])
            .stdin(Stdio::null());
        let mut follower = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("docker");
        let lines = Arc::default();
        read(follower.stdout.take().unwrap(), &lines);
        read(follower.stderr.take().unwrap(), &lines);
        Self { follower, lines, name: container.to_owned() }
    }

    /// The number of lines so far.
    pub fn len(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// The lines from this one on that contain all of these texts.
    pub fn since(&self, mark: usize, words: &[&str]) -> Vec<Line> {
        let lines = self.lines.lock().unwrap();
        lines[mark..].iter().filter(|line| words.iter().all(|word| line.text.contains(word))).cloned().collect()
    }

    /// Waits for such a line.
    pub fn wait(&self, mark: usize, words: &[&str], limit: Duration) -> Line {
        let what = format!("{words:?} in the log of {}", self.name);
        until(&what, limit, || self.since(mark, words).into_iter().next())
    }
}

fn read(stream: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<Line>>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(text) = line else { break };
            lines.lock().unwrap().push(Line { at: Instant::now(), text });
        }
    });
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.follower.kill();
        let _ = self.follower.wait();
    }
}
