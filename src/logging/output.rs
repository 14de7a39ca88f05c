//! Where the log's lines go: a descriptor that is never waited for.
//!
//! Whoever reads the log may be stopped, or slow. A full pipe must not hold the thread that does everything: then lines are
//! lost, and when there is room again a line says how many.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tracing_subscriber::fmt::MakeWriter;

/// The longest line, bytes: so many a pipe with any room takes at once (`PIPE_BUF`).
const LONGEST: usize = 4096;

/// What a line ends with that was longer.
const CUT: &str = "...\n";

/// The log's end.
#[derive(Debug)]
pub(super) struct Output<D> {
    descriptor: D,
    /// Lines that nobody had room for, since the last one that was written.
    lost: Mutex<u64>,
}

impl<D: AsFd> Output<D> {
    pub(super) fn new(descriptor: D) -> Self {
        Self { descriptor, lost: Mutex::new(0) }
    }

    /// Writes the line, or counts it as lost.
    fn line(&self, line: &str) {
        let descriptor = self.descriptor.as_fd();
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if *lost > 0 && has_room(descriptor) {
            let said = format!("xmppd: WARNING {lost} lines of the log are lost: nobody made room for them\n");
            if write(descriptor, &said) {
                *lost = 0;
            }
        }
        if *lost > 0 || !has_room(descriptor) || !write(descriptor, line) {
            *lost += 1;
        }
    }
}

/// Whether a line can be written without waiting. Where nobody reads any more the write fails, which is no waiting either.
fn has_room(descriptor: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// False if it was not written for want of room. A line that cannot be written at all is no loss that anybody could read of.
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

/// The line, cut if it is longer than [`LONGEST`].
fn cut(line: &str) -> String {
    if line.len() <= LONGEST {
        return line.to_owned();
    }
    let end = (0..=LONGEST - CUT.len()).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{CUT}", &line[..end])
}

impl<'a, D: AsFd + 'a> MakeWriter<'a> for Output<D> {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl<D: AsFd> Write for &Output<D> {
    /// Takes a whole line, as tracing hands them over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(&cut(&String::from_utf8_lossy(line)));
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
    fn a_pipe_that_nobody_empties_costs_lines_and_no_time() {
        let (mut reader, writer) = pipe().unwrap();
        let output = Output::new(writer);
        let all = 100_000;
        for n in 0..all {
            log(&output, &format!("line {n}"));
        }
        let lost = *output.lost.lock().unwrap();
        assert!((1..all).contains(&lost), "{lost}");
        let mut some = vec![0; 16 * 1024];
        reader.read_exact(&mut some).unwrap();
        log(&output, "the last");
        assert_eq!(*output.lost.lock().unwrap(), 0);
        drop(output);
        let rest = lines(&mut reader);
        let said = format!("xmppd: WARNING {lost} lines of the log are lost: nobody made room for them");
        assert_eq!(rest[rest.len() - 2..], [said, "the last".to_owned()]);
        assert_eq!(rest[rest.len() - 3], format!("line {}", all - lost - 1), "those before are whole");
    }

    #[test]
    fn a_pipe_that_nobody_reads_any_more_is_no_trouble() {
        let (reader, writer) = pipe().unwrap();
        let output = Output::new(writer);
        drop(reader);
        for _ in 0..3 {
            log(&output, "a line");
        }
        assert_eq!(*output.lost.lock().unwrap(), 0);
    }

    #[test]
    fn a_line_fits_into_any_pipe_with_room() {
        let (mut reader, writer) = pipe().unwrap();
        let output = Output::new(writer);
        for length in [LONGEST - 1, LONGEST, 3 * LONGEST] {
            log(&output, &"\u{e4}".repeat(length / 2));
        }
        drop(output);
        let lines = lines(&mut reader);
        assert!(lines.iter().all(|line| line.len() < LONGEST), "{lines:?}");
        assert_eq!(lines.iter().map(|line| line.ends_with("\u{e4}...")).collect::<Vec<_>>(), [false, true, true]);
    }
}
