//! The commands that ask the running daemon, on its control socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::output::print;
use crate::terminal::{clear_screen, has_colours};

/// How long the daemon may take to accept the connection, and to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Time between two looks at the status.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// A client of the daemon's control socket.
pub(super) struct Client {
    socket: PathBuf,
    limit: Duration,
}

impl Client {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket, limit: ANSWER_LIMIT }
    }

    /// Prints the answer to a request.
    ///
    /// # Errors
    /// Why there is none, or the error that the daemon answers.
    pub(super) fn show(&self, request: &str) -> Result<ExitCode, String> {
        print(&self.ask(request)?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints the answer again and again until SIGINT; on a terminal each in place of the one before. A daemon that does not
    /// answer may be restarting: that is shown, and asked again.
    ///
    /// # Errors
    /// Standard output cannot be written, or signals cannot be handled.
    pub(super) fn watch(&self, request: &str) -> Result<ExitCode, String> {
        let failed = |error: io::Error| error.to_string();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
            let clear = clear_screen();
            loop {
                let answer = self.ask(request).unwrap_or_else(|error| format!("{error}\n"));
                if !print(&format!("{clear}{answer}{}", if clear.is_empty() { "\n" } else { "" }))? {
                    return Ok(ExitCode::SUCCESS);
                }
                tokio::select! {
                    result = &mut interrupt => return result.map(|()| ExitCode::SUCCESS).map_err(failed),
                    () = tokio::time::sleep(WATCH_INTERVAL) => {}
                }
            }
        })
    }

    fn ask(&self, request: &str) -> Result<String, String> {
        let path = self.socket.display();
        let failed = |error: io::Error| match error.kind() {
            // It listens, and has been stopped, or hangs.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("{path}: no answer within {} s", self.limit.as_secs())
            }
            _ => format!("{path}: {error}; is xmppd running, and does it use this socket?"),
        };
        let mut stream = self.connect().map_err(failed)?;
        stream.write_all(format!("{request}\n").as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        match answer.strip_prefix("error: ") {
            Some(error) => Err(error.trim().to_owned()),
            None => Ok(answer),
        }
    }

    /// Connects with time limits. The limit for writing also applies to connect(2), which blocks while the queue of a stopped
    /// daemon is full.
    fn connect(&self) -> io::Result<UnixStream> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let stream = UnixStream::from(socket);
        stream.set_read_timeout(Some(self.limit))?;
        stream.set_write_timeout(Some(self.limit))?;
        connect(&stream, &SocketAddrUnix::new(&self.socket)?)?;
        Ok(stream)
    }
}

/// The request for the status that fits standard output.
pub(super) fn status_request(json: bool, connection: Option<u32>) -> String {
    let form = match json {
        true => "json",
        false if has_colours() => "colour",
        false => "text",
    };
    connection.map_or_else(|| format!("status {form}"), |id| format!("status {form} {id}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    use rustix::net::listen;

    use super::*;

    #[test]
    fn a_daemon_that_accepts_nothing_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("xmppd.sock");
        let client = Client { socket: socket.clone(), limit: Duration::from_secs(1) };
        assert!(client.ask("status").unwrap_err().contains("No such file or directory"));
        let listener = UnixListener::bind(&socket).unwrap();
        listen(&listener, 0).unwrap();
        let begin = Instant::now();
        // The first one waits for the answer, and the others for being accepted.
        for _ in 0..3 {
            assert_eq!(client.ask("status").unwrap_err(), format!("{}: no answer within 1 s", socket.display()));
        }
        assert!(begin.elapsed() >= Duration::from_secs(3));
    }
}
