//! Writes log lines to a descriptor without blocking.
//!
//! The reader of the log may be slow or stopped. A full pipe must not block the main thread, so lines are dropped, and the
//! number of dropped lines is logged once there is room again.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tracing_subscriber::fmt::MakeWriter;

use crate::text::truncate;

/// Maximum length of a line in bytes: what a pipe takes atomically (`PIPE_BUF`).
const MAX_LINE: usize = 4096;

/// The end of a truncated line.
const ELLIPSIS: &str = "...\n";

/// A non-blocking log writer.
#[derive(Debug)]
pub(super) struct Output<D> {
    descriptor: D,
    /// Number of lines dropped since the last one written.
    dropped: Mutex<u64>,
}

impl<D: AsFd> Output<D> {
    pub(super) fn new(descriptor: D) -> Self {
        Self { descriptor, dropped: Mutex::new(0) }
    }

    /// Writes the line, or counts it as dropped.
    fn line(&self, line: &str) {
        let descriptor = self.descriptor.as_fd();
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if *dropped > 0 && has_room(descriptor) {
            let notice = format!("xmppd: WARNING dropped {dropped} log lines: the reader is too slow\n");
            if write(descriptor, &notice) {
                *dropped = 0;
            }
        }
        if *dropped > 0 || !has_room(descriptor) || !write(descriptor, line) {
            *dropped += 1;
        }
    }
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

/// Truncates a line to [`MAX_LINE`].
fn limit_length(line: &str) -> String {
    if line.len() <= MAX_LINE {
        return line.to_owned();
    }
    format!("{}{ELLIPSIS}", truncate(line, MAX_LINE - ELLIPSIS.len()))
}

impl<'a, D: AsFd + 'a> MakeWriter<'a> for Output<D> {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl<D: AsFd> Write for &Output<D> {
    /// Takes one whole line: tracing writes each event in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(&limit_length(&String::from_utf8_lossy(line)));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};

    use super::*;

    fn log<D: AsFd>(mut output: &Output<D>, line: &str) {
        output.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn lines(reader: &mut PipeReader) -> Vec<String> {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_full_pipe_drops_lines_without_blocking() {
        let (mut reader, writer) = pipe().unwrap();
        let output = Output::new(writer);
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
        let notice = format!("xmppd: WARNING dropped {dropped} log lines: the reader is too slow");
        assert_eq!(rest[rest.len() - 2..], [notice, "the last".to_owned()]);
        assert_eq!(rest[rest.len() - 3], format!("line {}", all - dropped - 1), "earlier lines are complete");
    }

    #[test]
    fn a_closed_pipe_is_ignored() {
        let (reader, writer) = pipe().unwrap();
        let output = Output::new(writer);
        drop(reader);
        for _ in 0..3 {
            log(&output, "a line");
        }
        assert_eq!(*output.dropped.lock().unwrap(), 0);
    }

    #[test]
    fn long_lines_are_truncated() {
        let (mut reader, writer) = pipe().unwrap();
        let output = Output::new(writer);
        for length in [MAX_LINE - 1, MAX_LINE, 3 * MAX_LINE] {
            log(&output, &"\u{e4}".repeat(length / 2));
        }
        drop(output);
        let lines = lines(&mut reader);
        assert!(lines.iter().all(|line| line.len() < MAX_LINE), "{lines:?}");
        assert_eq!(lines.iter().map(|line| line.ends_with("\u{e4}...")).collect::<Vec<_>>(), [false, true, true]);
    }
}
