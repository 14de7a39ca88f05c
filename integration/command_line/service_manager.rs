//! What systemd is told, on a socket as systemd has it.

use std::os::unix::net::UnixDatagram;

use super::{Files, daemon};
use crate::harness::process::Process;
use crate::harness::{LIMIT, until};
use rustix::process::Signal;

use super::xmppd;

/// The next message that has this line. Others in between are skipped.
async fn told(socket: &UnixDatagram, line: &str) -> String {
    until(&format!("{line} on NOTIFY_SOCKET"), LIMIT, || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).ok()?;
        let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
        message.lines().any(|told| told == line).then_some(message)
    })
    .await
}

/// Starts a daemon with this file, and a socket of a service manager.
fn start(files: &Files, file: &str) -> (Process, UnixDatagram) {
    let socket = UnixDatagram::bind(files.path("notify")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut command = xmppd();
    command.args(["--config", &files.path(file), "--cwmp-config", &files.path("cwmp-a"), "--socket", &files.path("s")]);
    // Not more often: on a busy machine, the heartbeats would fill the socket's queue of ten, and the daemon would block on it.
    command.env("NOTIFY_SOCKET", files.path("notify")).env("XMPPD_HEARTBEAT_MS", "500");
    (daemon(&mut command, files.0.path()).0, socket)
}

#[tokio::test]
async fn systemd_is_told_that_it_is_ready_alive_and_stopping() {
    let files = Files::new();
    let (mut process, socket) = start(&files, "xmpp-a");
    let ready = told(&socket, "READY=1").await;
    assert!(ready.contains(&format!("STATUS={} is in effect", files.path("xmpp-a"))), "{ready}");
    for _ in 0..2 {
        told(&socket, "WATCHDOG=1").await;
    }
    process.signal(Signal::TERM);
    told(&socket, "STOPPING=1").await;
    assert_eq!(process.wait(LIMIT).await.code(), Some(0));
}

/// It waits for a valid file: systemd must not take that for a start that hangs.
#[tokio::test]
async fn systemd_is_told_of_a_configuration_that_is_refused() {
    let files = Files::new();
    std::fs::write(files.path("bad"), "what\n").unwrap();
    let (mut process, socket) = start(&files, "bad");
    let ready = told(&socket, "READY=1").await;
    assert!(ready.contains(&format!("STATUS=configuration refused: {}:1:1: ", files.path("bad"))), "{ready}");
    assert_eq!(process.end(Signal::TERM, LIMIT).await.code(), Some(0));
}
