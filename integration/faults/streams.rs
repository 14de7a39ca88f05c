//! The standard streams: closed, or leading to somebody who does not read. What xmppd is for goes on without a log.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::{Device, accepted};
use crate::harness::{LIMIT, Setup, until};

/// Within which it is gone after SIGTERM.
const PROMISED: Duration = Duration::from_secs(3);

/// A shell that becomes the program, with this redirection.
fn redirected(redirection: &str) -> [String; 4] {
    ["sh", "-c", &format!("exec \"$@\" {redirection}"), "sh"].map(str::to_owned)
}

/// It does all that it is there for, and ends in time.
async fn works(redirection: &str) -> Device {
    let words = redirected(redirection);
    let surroundings = |setup: Setup| setup.traced().through([&*words[0], &*words[1], &*words[2], &*words[3]]);
    let mut device = Device::start(&[("interval", "1")], surroundings).await;
    let port = device.port();
    accepted(&mut device.acs).await;
    device.edits("edited").await;
    device.daemon.assert_not_busy(redirection).await;
    accepted(&mut device.acs).await;
    assert!(device.port().is_some() && device.port() == port, "{redirection}: the stream was lost");
    device
}

async fn ends_in_time(mut device: Device) {
    let (status, time) = device.daemon.stop().await;
    assert!(status.success() && time < PROMISED, "{status:?} after {time:?}");
}

/// Or a file on a disk that is full.
#[tokio::test]
async fn closed() {
    for redirection in ["2>&-", "0<&- 1>&- 2>&-", "2>/dev/full"] {
        ends_in_time(works(redirection).await).await;
    }
}

/// A FIFO, and an end of it that is read from.
fn fifo(directory: &Path) -> (PathBuf, File) {
    let path = directory.join("stderr");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    (path.clone(), rustix::fs::open(&path, flags, Mode::empty()).unwrap().into())
}

/// What can be read without waiting.
fn drain(reader: &mut File) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = reader.read(&mut part) {
        bytes.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn nobody_reads_the_pipe_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (path, reader) = fifo(directory.path());
    let mut device = works(&format!("2>{}", path.display())).await;
    drop(reader);
    accepted(&mut device.acs).await;
    device.edits("without a reader").await;
    device.daemon.assert_not_busy("without a reader").await;
    ends_in_time(device).await;
}

#[tokio::test]
async fn the_pipe_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut reader) = fifo(directory.path());
    while reader.write(&[b'\n'; 4096]).is_ok() {}
    while reader.write(b"\n").is_ok() {}
    let mut device = works(&format!("2>{}", path.display())).await;
    // Somebody reads again.
    let full = drain(&mut reader);
    assert!(!full.contains("xmppd"), "{full}");
    device.edits("with a reader").await;
    let said = until("a word of the lines that are lost", LIMIT, || {
        Some(drain(&mut reader)).filter(|text| text.contains("WARNING"))
    });
    let said = said.await;
    assert!(said.contains("log lines: the reader is too slow"), "{said}");
    // And once more not: not even the end waits for anybody.
    while reader.write(&[b'\n'; 4096]).is_ok() {}
    while reader.write(b"\n").is_ok() {}
    accepted(&mut device.acs).await;
    ends_in_time(device).await;
}
