//! Name servers on this host, in a network namespace because their addresses cannot be shared.

mod ipv6 {
    use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};

    use crate::dns::{CPE, by_dns, daemon, online_at};
    use crate::harness::namespace::entered;
    use crate::harness::{NameServer, Prosody, Reply, Section};

    /// Without a file or a `nameserver` line, this host is asked. 0.0.0.0 is this host. A link-local name server is asked
    /// through its interface.
    #[tokio::test]
    async fn name_servers_on_this_host_are_asked() {
        let link_local = "addr add fe80::1/64 dev lo nodad".to_owned();
        if !entered("dns::namespaces::ipv6::name_servers_on_this_host_are_asked", &[link_local]) {
            return;
        }
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
}
