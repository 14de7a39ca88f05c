//! The standard streams are closed, or their reader does not read. xmppd works on without a log.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::{Device, accepted};
use crate::harness::{LIMIT, Setup, Status, until};

/// A shell that executes the program with this redirection.
fn redirected(redirection: &str) -> [String; 4] {
    ["sh", "-c", &format!("exec \"$@\" {redirection}"), "sh"].map(str::to_owned)
}

/// Starts a device with this redirection, and checks that it works and stops in time.
async fn works(redirection: &str) -> Device {
    let words = redirected(redirection);
    let surroundings = |setup: Setup| setup.traced().launched_by([&*words[0], &*words[1], &*words[2], &*words[3]]);
    // Time enough for the server's answers on a busy machine.
    let mut device = Device::start(&[("interval", "3")], surroundings).await;
    let port = device.port();
    accepted(&mut device.acs).await;
    device.edits("edited").await;
    // The keepalive, which logs a line, goes on. There may be no log to see it in.
    let received = device.daemon.count(1, "received").await;
    let answered = |status: &Status| status.number::<u64>("received") > received;
    device.daemon.wait_for_status(1, "an answer to a ping", answered).await;
    device.daemon.assert_not_busy(redirection).await;
    accepted(&mut device.acs).await;
    assert!(device.port().is_some() && device.port() == port, "{redirection}: the stream was lost");
    device
}

/// Closed streams, or a log on a full disk.
#[tokio::test]
async fn closed_standard_streams_do_no_harm() {
    for redirection in ["2>&-", "0<&- 1>&- 2>&-", "2>/dev/full"] {
        assert!(works(redirection).await.daemon.stop().await.success());
    }
}

/// Creates a FIFO and opens its reading end.
fn fifo(directory: &Path) -> (PathBuf, File) {
    let path = directory.join("stderr");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    (path.clone(), rustix::fs::open(&path, flags, Mode::empty()).unwrap().into())
}

/// Reads what is available without waiting.
fn drain(reader: &mut File) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = reader.read(&mut part) {
        bytes.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_closed_pipe_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let (path, reader) = fifo(directory.path());
    let mut device = works(&format!("2>{}", path.display())).await;
    drop(reader);
    accepted(&mut device.acs).await;
    device.edits("without a reader").await;
    device.daemon.assert_not_busy("without a reader").await;
    assert!(device.daemon.stop().await.success());
}

#[tokio::test]
async fn a_full_pipe_does_no_harm_and_dropped_lines_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut reader) = fifo(directory.path());
    while reader.write(&[b'\n'; 4096]).is_ok() {}
    while reader.write(b"\n").is_ok() {}
    let mut device = works(&format!("2>{}", path.display())).await;
    // The reader continues.
    let full = drain(&mut reader);
    assert!(!full.contains("xmppd"), "{full}");
    device.edits("with a reader").await;
    let said = until("a word of the lines that are lost", LIMIT, || {
        Some(drain(&mut reader)).filter(|text| text.contains("WARNING"))
    });
    let said = said.await;
    assert!(said.contains("log lines: the reader is too slow"), "{said}");
    // The reader stops again, and the exit does not wait for it.
    while reader.write(&[b'\n'; 4096]).is_ok() {}
    while reader.write(b"\n").is_ok() {}
    accepted(&mut device.acs).await;
    assert!(device.daemon.stop().await.success());
}
