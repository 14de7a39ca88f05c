//! The Docker engine, by its command line.

use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Maximum time of one command. The engine is slow while the machine is busy.
const LIMIT: Duration = Duration::from_secs(60);

/// What a command printed, and its exit status.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `docker` with these arguments; fails the test unless it succeeds.
pub fn docker<S: AsRef<str>>(arguments: &[S]) -> String {
    let output = run(arguments, None, LIMIT);
    let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    assert!(output.code == Some(0), "docker {}: {}{}", words.join(" "), output.stdout, output.stderr);
    output.stdout.trim().to_owned()
}

/// Runs `docker` with these arguments and this standard input. It is killed after `limit`, and has no exit status then.
pub fn run<S: AsRef<str>>(arguments: &[S], input: Option<&str>, limit: Duration) -> Output {
    let mut command = Command::new("docker");
    command.args(arguments.iter().map(AsRef::as_ref));
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("docker");
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // It may have exited without reading it.
        let _ = stdin.write_all(text.as_bytes());
    }
    let code = exit_status(&mut child, limit);
    Output { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut stream = stream.expect("a pipe");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn exit_status(child: &mut Child, limit: Duration) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
