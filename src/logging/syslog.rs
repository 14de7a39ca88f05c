//! Sends log lines to the local syslog daemon (RFC 3164), without blocking.
//!
//! The daemon may be stopped, slow, restarted, or not started yet. While it does not read, lines are dropped, and their number
//! is logged once it reads again. While its socket has no reader, lines go to standard error.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::form::syslog_message;
use super::output::{Output, report_dropped};
use crate::config::model::LogLevel;

/// The socket of the local syslog daemon, and the output for when it is not there.
#[derive(Debug)]
pub(super) struct Syslog<D> {
    path: PathBuf,
    fallback: Output<D>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Connected to the daemon.
    socket: Option<UnixDatagram>,
    /// Number of lines dropped since the last one sent.
    dropped: u64,
    /// Number of lines that went to the fallback since the last one sent.
    diverted: u64,
}

/// Why a line was not sent.
#[derive(Debug)]
enum NotSent {
    /// The daemon does not keep up.
    Full,
    /// There is no daemon.
    Unreachable(io::Error),
}

impl<D: AsFd> Syslog<D> {
    /// Logs to the socket of this path, which need not exist.
    pub(super) fn new(path: PathBuf, fallback: Output<D>) -> Self {
        Self { path, fallback, state: Mutex::default() }
    }

    /// Sends a line, writes it to the fallback, or counts it as dropped.
    pub(super) fn log(&self, severity: LogLevel, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = self.report(&mut state).and_then(|()| self.send(&mut state, severity, text));
        match sent {
            Ok(()) => {}
            Err(NotSent::Full) => state.dropped += 1,
            Err(NotSent::Unreachable(error)) => {
                if state.diverted == 0 {
                    let path = self.path.display();
                    let warning = format!("syslog: {path}: {error}; logging to standard error until it is there");
                    self.fallback.log(LogLevel::Warning, &warning);
                }
                state.diverted += 1;
                self.fallback.log(severity, text);
            }
        }
    }

    /// Says what became of the lines before, if they were not sent.
    fn report(&self, state: &mut State) -> Result<(), NotSent> {
        if state.diverted > 0 {
            let lines = state.diverted;
            self.send(
                state,
                LogLevel::Notice,
                &format!("syslog: it is back; {lines} log lines went to standard error"),
            )?;
            state.diverted = 0;
        }
        if state.dropped > 0 {
            self.send(state, LogLevel::Warning, &report_dropped(state.dropped))?;
            state.dropped = 0;
        }
        Ok(())
    }

    /// Sends a message; connects first where that is needed. A restarted daemon has another socket at the same path.
    fn send(&self, state: &mut State, severity: LogLevel, text: &str) -> Result<(), NotSent> {
        let message = syslog_message(severity, text, SystemTime::now(), std::process::id());
        if let Some(socket) = &state.socket {
            match send(socket, &message) {
                Err(NotSent::Unreachable(_)) => state.socket = None,
                sent => return sent,
            }
        }
        let socket = state.socket.insert(connect(&self.path).map_err(NotSent::Unreachable)?);
        send(socket, &message)
    }
}

/// A socket that never blocks. It is created as such: the jail of OpenWrt kills a process that calls ioctl(2).
fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = UnixDatagram::from(socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?);
    socket.connect(path)?;
    Ok(socket)
}

fn send(socket: &UnixDatagram, message: &str) -> Result<(), NotSent> {
    loop {
        match socket.send(message.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(NotSent::Full),
            // Out of memory for the queue of the socket.
            Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => return Err(NotSent::Full),
            Err(error) => return Err(NotSent::Unreachable(error)),
        }
    }
}

#[cfg(test)]
mod tests;
