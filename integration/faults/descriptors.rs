//! Out of file descriptors: nothing can be opened, and everything recovers once there are descriptors again.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{CPE, Device, accepted};
use crate::harness::fleet::{accepted as accepted_by, jid};
use crate::harness::{LIMIT, Prosody, Server, Settings, Setup, until};

const NONE_LEFT: &str = "Too many open files";

/// The usual default of `ulimit -n`.
const USUAL: u64 = 1024;

/// Limits the process to descriptors below this number. Those already open stay open.
fn limit(pid: Pid, descriptors: u64) {
    let new = Rlimit { current: Some(descriptors), maximum: Some(USUAL) };
    prlimit(Some(pid), Resource::Nofile, new).unwrap();
}

#[tokio::test]
async fn without_descriptors_requests_work_and_the_rest_recovers() {
    let mut device = Device::start(&[], Setup::traced).await;
    let pid = device.daemon.pid();
    // Descriptors that the process closes cannot be reopened either.
    limit(pid, 3);

    // The streams to the server and to ubus are open: a request needs no descriptor.
    accepted(&mut device.acs).await;

    // An edit is applied later.
    let text = device.text_with("con_alias", "edited");
    device.daemon.xmpp().commit(&text);
    device.daemon.wait_for_log(&["ERROR", "config/xmpp", NONE_LEFT, "keeping the current settings"], LIMIT).await;

    // A status request is answered later.
    let mut client = UnixStream::connect(device.daemon.socket()).unwrap();
    client.write_all(b"status\n").unwrap();
    device.daemon.wait_for_log(&["WARNING control socket", NONE_LEFT], LIMIT).await;

    // A lost stream is replaced later.
    device.server.end_session(CPE);
    device.daemon.wait_for_log(&["WARNING connection 1 ", "attempt failed", NONE_LEFT], LIMIT).await;
    device.daemon.assert_not_busy("out of descriptors").await;
    assert!(device.daemon.running() && device.daemon.pid() == pid);
    assert_eq!(device.daemon.log().since(0, &["control socket", NONE_LEFT]).len(), 1, "it is said once");
    assert_eq!(device.daemon.log().since(0, &["config/xmpp", NONE_LEFT]).len(), 1, "it is said once");

    limit(pid, USUAL);
    let mut answer = String::new();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\nDAEMON\n"), "{answer}");
    device.daemon.wait_for_log(&["NOTICE control socket", "works again"], LIMIT).await;
    device.daemon.wait_for_value(1, "alias", "edited").await;
    device.server.wait_client(CPE, LIMIT).await;
    device.daemon.wait_for_value(1, "status", "Enabled").await;
    accepted(&mut device.acs).await;
    device.daemon.assert_not_busy("with descriptors again").await;
    assert!(device.daemon.stop().await.success());
}

/// As with `ulimit -n 32`: some connections get a descriptor, the others wait for one.
#[tokio::test]
async fn with_too_few_descriptors_some_connections_are_online() {
    const ALL: u32 = 30;
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(ALL, &[1, ALL], &prosody);
    let mut daemon = fleet.setup().traced().launched_by(["prlimit", "--nofile=32:1024"]).start();
    let pid = daemon.pid();
    daemon.wait_for_log(&["WARNING", "attempt failed", NONE_LEFT], LIMIT).await;
    // Most of the logins are over by now.
    let online = || (daemon.log().since(0, &["online as"]).len() >= 10).then_some(());
    until("some of them online", LIMIT, online).await;
    daemon.assert_not_busy("with 32 descriptors").await;
    assert!(daemon.running() && daemon.pid() == pid);

    limit(pid, USUAL);
    fleet.all_online(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in [1, ALL] {
        daemon.wait_for_value(id, "status", "Enabled").await;
        accepted_by(&mut acs, id).await;
        assert_eq!(daemon.status(id).await["jid"], jid(id));
    }
    assert!(daemon.stop().await.success());
}
