//! The disk of the configuration: full, so that whoever writes there fails in the middle, or not to be written to at all.

use std::process::Command;

use super::{CPE, Device, accepted};
use crate::harness::{LIMIT, Server, Setup};

/// Writes into the file as a shell does, on a disk with room for so many blocks of 512 bytes more: the file is emptied, what
/// finds room is written, and the writer fails.
fn write_on_a_full_disk(device: &Device, text: &str, blocks: u32) {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; printf %s \"$1\" > \"$2\"");
    let path = device.daemon.xmpp().path();
    let output = Command::new("dash").args(["-c", &script, "sh", text]).arg(path).output().unwrap();
    assert!(!output.status.success(), "there was room: {output:?}");
    assert_eq!(std::fs::metadata(path).unwrap().len(), u64::from(blocks) * 512);
}

#[tokio::test]
async fn a_writer_fails_in_the_middle() {
    let mut device = Device::start(&[], Setup::traced).await;
    let (pid, port) = (device.daemon.pid(), device.port());

    // Half a file mostly ends in the middle of a line: nothing of it is taken over.
    let text = device.text_with("con_alias", "edited");
    let text = format!("{text}#{}\n\toption half '{}'\n", "x".repeat(500 - text.len() % 512 + 512), "y".repeat(1024));
    let blocks = u32::try_from(text.len() / 512 - 1).unwrap();
    write_on_a_full_disk(&device, &text, blocks);
    device.daemon.wait_for_log(&["ERROR", "EOF with unterminated '", "what runs goes on unchanged"], LIMIT).await;
    device.daemon.assert_not_busy("with half a file").await;
    accepted(&mut device.acs).await;
    assert!(device.port().is_some() && device.port() == port, "the stream was lost");

    // `uci commit` fails before it touches the file; what it leaves beside it is nobody's.
    std::fs::write(device.daemon.xmpp().path().with_file_name(".xmpp.uci-broken"), &text[..100]).unwrap();
    device.daemon.assert_not_busy("beside half a file").await;
    accepted(&mut device.acs).await;

    // An empty file is a good one that says nothing: it is believed, and so everything stops until it is filled again.
    write_on_a_full_disk(&device, &text, 0);
    device.daemon.wait_for_log(&["stop connection 1"], LIMIT).await;
    device.daemon.wait_forgotten(1).await;
    device.daemon.assert_not_busy("with an empty file").await;
    assert!(device.daemon.running() && device.daemon.pid() == pid);

    // There is room again.
    device.edits("edited once more").await;
    device.server.wait_client(CPE, LIMIT).await;
    accepted(&mut device.acs).await;
    assert!(device.daemon.stop().await.0.success());
}

/// Nothing is written where the configuration is, so that a file system that is read-only is none of its business.
#[tokio::test]
async fn the_configuration_is_only_read() {
    let mut device = Device::start(&[], Setup::traced).await;
    accepted(&mut device.acs).await;
    device.edits("edited").await;
    device.daemon.cwmp().remove();
    device
        .daemon
        .wait_for_log(&["WARNING", "there is no such file: no connection request can be authorized"], LIMIT)
        .await;
    assert!(device.daemon.stop().await.0.success());
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

/// The control socket's directory takes no files: a word, and the daemon does its work.
#[tokio::test]
async fn there_is_no_place_for_the_control_socket() {
    let setup = |setup: Setup| setup.traced().control_at("/proc/xmppd/xmppd.sock");
    let mut device = Device::start(&[], setup).await;
    let words = ["WARNING control socket /proc/xmppd/xmppd.sock", "'xmppd status' will not work"];
    device.daemon.wait_for_log(&words, LIMIT).await;
    accepted(&mut device.acs).await;
    device.daemon.assert_not_busy("without a control socket").await;
    let text = device.text_with("con_alias", "edited");
    device.daemon.xmpp().commit(&text);
    device.daemon.wait_for_log(&["connection 1 ", "settings taken over in place"], LIMIT).await;
    accepted(&mut device.acs).await;
    assert!(device.daemon.stop().await.0.success());
}

/// As when a directory is mounted late: nobody has to start the daemon anew for it.
#[tokio::test]
async fn the_control_socket_is_opened_once_there_is_a_place_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("run");
    std::fs::write(&place, "").unwrap();
    let mut daemon = Setup::empty().control_at(place.join("xmppd.sock")).start();
    daemon.wait_for_log(&["WARNING control socket", "'xmppd status' will not work"], LIMIT).await;
    std::fs::remove_file(&place).unwrap();
    daemon.wait_for_log(&["NOTICE control socket: it works again"], LIMIT).await;
    assert_eq!(daemon.ask("status").await, "no connections\n");
    assert!(daemon.stop().await.0.success());
}
