//! Writes log lines to a descriptor without blocking.
//!
//! The reader of the log may be slow or stopped. A full pipe must not block the main thread, so lines are dropped, and the
//! number of dropped lines is logged once there is room again.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::form::Form;
use crate::config::model::LogLevel;

/// A non-blocking log writer.
#[derive(Debug)]
pub(super) struct Output<D> {
    descriptor: D,
    form: Form,
    /// Number of lines dropped since the last one written.
    dropped: Mutex<u64>,
}

impl<D: AsFd> Output<D> {
    pub(super) fn new(descriptor: D, form: Form) -> Self {
        Self { descriptor, form, dropped: Mutex::new(0) }
    }

    /// Writes a line, or counts it as dropped.
    pub(super) fn log(&self, severity: LogLevel, text: &str) {
        let now = SystemTime::now();
        let line = self.form.line(severity, text, now);
        let descriptor = self.descriptor.as_fd();
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if *dropped > 0 && has_room(descriptor) {
            let warning = self.form.line(LogLevel::Warning, &report_dropped(*dropped), now);
            if write(descriptor, &warning) {
                *dropped = 0;
            }
        }
        if *dropped > 0 || !has_room(descriptor) || !write(descriptor, &line) {
            *dropped += 1;
        }
    }
}

/// The text of the line that follows dropped ones.
pub(super) fn report_dropped(count: u64) -> String {
    format!("dropped {count} log lines: the reader is too slow")
}

/// Whether a line can be written without blocking. A closed pipe counts as writable: the write fails at once.
fn has_room(descriptor: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// Returns false if there was no room. Other errors count as written: a later report of them would fail as well.
fn write(descriptor: BorrowedFd<'_>, line: &str) -> bool {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(descriptor, rest) {
            Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            Ok(0) | Err(_) => return true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};

    use super::*;

    fn log<D: AsFd>(output: &Output<D>, line: &str) {
        output.log(LogLevel::Info, line);
    }

    fn lines(reader: &mut PipeReader) -> Vec<String> {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_full_pipe_drops_lines_without_blocking() {
        let (mut reader, writer) = pipe().unwrap();
        let output = Output::new(writer, Form::Bare);
        let all = 100_000;
        for n in 0..all {
            log(&output, &format!("line {n}"));
        }
        let dropped = *output.dropped.lock().unwrap();
        assert!((1..all).contains(&dropped), "{dropped}");
        let mut some = vec![0; 16 * 1024];
        reader.read_exact(&mut some).unwrap();
        log(&output, "the last");
        assert_eq!(*output.dropped.lock().unwrap(), 0);
        drop(output);
        let rest = lines(&mut reader);
        let warning = format!("xmppd: WARNING dropped {dropped} log lines: the reader is too slow");
        assert_eq!(rest[rest.len() - 2..], [warning, "xmppd: INFO the last".to_owned()]);
        let before = format!("xmppd: INFO line {}", all - dropped - 1);
        assert_eq!(rest[rest.len() - 3], before, "earlier lines are complete");
    }

    #[test]
    fn a_closed_pipe_is_ignored() {
        let (reader, writer) = pipe().unwrap();
        let output = Output::new(writer, Form::Bare);
        drop(reader);
        for _ in 0..3 {
            log(&output, "a line");
        }
        assert_eq!(*output.dropped.lock().unwrap(), 0);
    }
}
