//! The disk of the configuration is full, so that writers fail in the middle, or read-only.

use std::process::Command;

use super::{CPE, Device, accepted};
use crate::harness::{LIMIT, Server, Setup};

/// Writes the file as a shell does, on a disk with room for this number of 512-byte blocks: the file is truncated, part
/// of the text is written, and the writer fails.
fn write_on_a_full_disk(device: &Device, text: &str, blocks: u32) {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; printf %s \"$1\" > \"$2\"");
    let path = device.daemon.xmpp().path();
    let output = Command::new("dash").args(["-c", &script, "sh", text]).arg(path).output().unwrap();
    assert!(!output.status.success(), "there was room: {output:?}");
    assert_eq!(std::fs::metadata(path).unwrap().len(), u64::from(blocks) * 512);
}

#[tokio::test]
async fn a_partly_written_file_changes_nothing() {
    let mut device = Device::start(&[], Setup::traced).await;
    let (pid, port) = (device.daemon.pid(), device.port());

    // Half a file usually ends in the middle of a line: it is rejected.
    let text = device.text_with("con_alias", "edited");
    let text = format!("{text}#{}\n\toption half '{}'\n", "x".repeat(500 - text.len() % 512 + 512), "y".repeat(1024));
    let blocks = u32::try_from(text.len() / 512 - 1).unwrap();
    write_on_a_full_disk(&device, &text, blocks);
    device.daemon.wait_for_log(&["ERROR", "EOF with unterminated '", "keeping the current settings"], LIMIT).await;
    device.daemon.assert_not_busy("with half a file").await;
    accepted(&mut device.acs).await;
    assert!(device.port().is_some() && device.port() == port, "the stream was lost");

    // `uci commit` fails before it touches the file, and leaves a temporary file that is ignored.
    std::fs::write(device.daemon.xmpp().path().with_file_name(".xmpp.uci-broken"), &text[..100]).unwrap();
    device.daemon.assert_not_busy("beside half a file").await;
    accepted(&mut device.acs).await;

    // An empty file is valid: all connections stop until it is filled again.
    write_on_a_full_disk(&device, &text, 0);
    device.daemon.wait_for_log(&["stop connection 1"], LIMIT).await;
    device.daemon.wait_removed(1).await;
    device.daemon.assert_not_busy("with an empty file").await;
    assert!(device.daemon.running() && device.daemon.pid() == pid);

    // The disk has room again.
    device.edits("edited once more").await;
    device.server.wait_client(CPE, LIMIT).await;
    accepted(&mut device.acs).await;
    assert!(device.daemon.stop().await.success());
}

/// xmppd writes nothing into the configuration directory, so a read-only file system does not matter.
#[tokio::test]
async fn a_read_only_configuration_is_enough() {
    let mut device = Device::start(&[], Setup::traced).await;
    accepted(&mut device.acs).await;
    device.edits("edited").await;
    device.daemon.cwmp().remove();
    device
        .daemon
        .wait_for_log(&["WARNING", "there is no such file: no connection request can be authorized"], LIMIT)
        .await;
    assert!(device.daemon.stop().await.success());
    let directory = device.daemon.xmpp().path().parent().unwrap().display().to_string();
    let touched: Vec<String> =
        device.daemon.trace().calls().into_iter().filter(|call| call.contains(&directory)).collect();
    let opened = |call: &&String| call.contains("open") && call.contains("/xmpp\"");
    assert!(touched.iter().filter(opened).count() >= 2, "{touched:?}");
    let reads = |call: &&String| {
        let read_only = call.contains("O_RDONLY") || call.contains("inotify_add_watch(") || call.contains("stat");
        read_only || call.contains("readlink(") || call.contains("execve(")
    };
    assert!(touched.iter().all(|call| reads(&call)), "{touched:?}");
}

/// The control socket cannot be created: this is logged, and the rest works.
#[tokio::test]
async fn without_a_control_socket_the_rest_works() {
    let setup = |setup: Setup| setup.traced().control_at("/proc/xmppd/xmppd.sock");
    let mut device = Device::start(&[], setup).await;
    let words = ["WARNING control socket /proc/xmppd/xmppd.sock", "'xmppd status' will not work"];
    device.daemon.wait_for_log(&words, LIMIT).await;
    accepted(&mut device.acs).await;
    device.daemon.assert_not_busy("without a control socket").await;
    let text = device.text_with("con_alias", "edited");
    device.daemon.xmpp().commit(&text);
    device.daemon.wait_for_log(&["connection 1 ", "settings applied in place"], LIMIT).await;
    accepted(&mut device.acs).await;
    assert!(device.daemon.stop().await.success());
}

/// The directory is mounted late: the socket is opened without a restart of the daemon.
#[tokio::test]
async fn the_control_socket_is_opened_once_its_directory_exists() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("run");
    std::fs::write(&place, "").unwrap();
    let mut daemon = Setup::empty().control_at(place.join("xmppd.sock")).start();
    daemon.wait_for_log(&["WARNING control socket", "'xmppd status' will not work"], LIMIT).await;
    std::fs::remove_file(&place).unwrap();
    daemon.wait_for_log(&["NOTICE control socket: it works again"], LIMIT).await;
    assert!(daemon.statuses().await.is_empty());
    assert!(daemon.stop().await.success());
}
