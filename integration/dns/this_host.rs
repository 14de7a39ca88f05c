//! Name servers on this host, in a network namespace of the test's own: addresses that it cannot share.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use std::process::Command;

use super::{CPE, by_dns, daemon, online_at};
use crate::harness::{NameServer, Prosody, Reply, Section, process};

/// Set in the test's process inside the namespace.
const INSIDE: &str = "XMPPD_TEST_NAMESPACE";

/// Without a file, or a `nameserver` line in it, this host is asked; 0.0.0.0 is this host; a link-local name server is asked
/// through its interface.
#[tokio::test]
async fn name_servers_of_this_host() {
    if std::env::var_os(INSIDE).is_some() {
        return inside().await;
    }
    let name = "dns::this_host::name_servers_of_this_host";
    let mut command: Command = process::command("unshare");
    command.args(["--net", "sh", "-c"]);
    command.arg("ip link set lo up && ip address add fe80::1/64 dev lo nodad && exec \"$@\"").arg("sh");
    command.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("unshare of util-linux");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "in the namespace (it takes root): {text}");
}

async fn inside() {
    let prosody = Prosody::start(&["a.test"]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resolv.conf");
    let link_local = SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 0, 1);
    let (v4, v6) = ((Ipv4Addr::LOCALHOST, 53).into(), "[::1]:53".parse().unwrap());
    let forms: [(Option<&str>, SocketAddr); 6] = [
        (None, v4),
        (None, v6),
        (Some("search lan\n"), v4),
        (Some("nameserver 0.0.0.0\n"), v4),
        (Some("nameserver ::\n"), v6),
        (Some("nameserver fe80::1%lo\n"), link_local.into()),
    ];
    for (text, address) in forms {
        let _ = std::fs::remove_file(&path);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let server = NameServer::start_at(address, |_| Reply::address("127.0.0.1")).await;
        let connection = by_dns(CPE, &prosody).option("serveralgorithm", "ServerTable");
        let row = Section::server(1, &prosody).option("server_address", "xmpp.a.test");
        let daemon = daemon(&connection, &[row], &path);
        online_at(&daemon).await;
        assert!(server.questions().contains(&"A xmpp.a.test".to_owned()), "{text:?}, {address}");
        server.stop().await;
    }
}
