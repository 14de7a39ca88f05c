//! Out of descriptors: nothing can be opened any more, and all of it is to be made up for once there are some again.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{CPE, Device, accepted};
use crate::harness::fleet::{accepted as accepted_by, jid};
use crate::harness::{Fleet, LIMIT, Prosody, Server, Setup, until};

const NONE_LEFT: &str = "Too many open files";

/// What `ulimit -n` says where nobody says anything else.
const USUAL: u64 = 1024;

/// From now on the process gets no descriptor of this number or a higher one; those that it has it keeps.
fn limit(pid: Pid, descriptors: u64) {
    let new = Rlimit { current: Some(descriptors), maximum: Some(USUAL) };
    prlimit(Some(pid), Resource::Nofile, new).unwrap();
}

#[tokio::test]
async fn none_are_left_for_a_while() {
    let mut device = Device::start(&[], Setup::traced).await;
    let pid = device.daemon.pid();
    // Not even in the place of the ones that it gives back.
    limit(pid, 3);

    // The streams to the server and to ubus are open: a request needs no descriptor.
    accepted(&mut device.acs).await;

    // An edit waits for better times.
    let text = device.text_with("con_alias", "edited");
    device.daemon.xmpp().commit(&text);
    device.daemon.wait_for_log(&["ERROR", "config/xmpp", NONE_LEFT, "what runs goes on unchanged"], LIMIT).await;

    // So does whoever asks for the status.
    let mut client = UnixStream::connect(device.daemon.socket()).unwrap();
    client.write_all(b"status\n").unwrap();
    device.daemon.wait_for_log(&["WARNING control socket", NONE_LEFT], LIMIT).await;

    // And the way to the server.
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
    assert!(answer.contains("connection: 1"), "{answer}");
    device.daemon.wait_for_log(&["NOTICE control socket", "works again"], LIMIT).await;
    device.daemon.wait_for_value(1, "alias", "edited").await;
    device.server.wait_client(CPE, LIMIT).await;
    device.daemon.wait_for_value(1, "status", "Enabled").await;
    accepted(&mut device.acs).await;
    device.daemon.assert_not_busy("with descriptors again").await;
    assert!(device.daemon.stop().await.0.success());
}

/// As `ulimit -n 32` in the script that starts it: some connections find a descriptor, the others wait for one.
#[tokio::test]
async fn too_few_from_the_start() {
    const ALL: u32 = 30;
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(ALL, &[1, ALL], &prosody);
    let mut daemon = fleet.setup().traced().through(["prlimit", "--nofile=32:1024"]).start();
    let pid = daemon.pid();
    daemon.wait_for_log(&["WARNING", "attempt failed", NONE_LEFT], LIMIT).await;
    // The logins that begin at the start are over for the most part.
    let online = || (daemon.log().since(0, &["online as"]).len() >= 10).then_some(());
    until("some of them online", LIMIT, online).await;
    daemon.assert_not_busy("with 32 descriptors").await;
    assert!(daemon.running() && daemon.pid() == pid);

    limit(pid, USUAL);
    fleet.all_online(&prosody).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for id in [1, ALL] {
        daemon.wait_for_value(id, "status", "Enabled").await;
        accepted_by(&mut acs, id).await;
        assert_eq!(daemon.status(id).await["jid"], jid(id));
    }
    assert!(daemon.stop().await.0.success());
}
