//! Connections whose lookups fail at once or that use a stream in memory, with a paused clock.

mod closing;
mod log;
mod update;
mod waits;

use actix::{Addr, Handler};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::actors::messages::Reconnect;
use crate::actors::registry::Slot;
use crate::config::model::{ConnectionId, KeepAlive, Retry, Server, ServerAlgorithm};
use crate::shutdown;
use crate::status::StatusTable;
use crate::supervision::lifecycle::{Stop, Update};
use crate::xmpp::ns;
use crate::xmpp::resolve::Resolver;
use crate::xmpp::tls::TrustStores;
use crate::xmpp::transport::Transport;
use crate::xmpp::xml_stream::XmlStream;

const ID: ConnectionId = ConnectionId(1);

fn retry(initial: u64, max: u64) -> Retry {
    Retry { attempts: 16, initial: Duration::from_secs(initial), multiplier: 1000, max: Duration::from_secs(max) }
}

/// A name whose lookup fails without a question to a name server: real sockets and a paused clock do not go together.
fn impossible_name() -> String {
    format!("{}.test", "x".repeat(64))
}

fn settings(retry: Retry) -> ConnectionSettings {
    ConnectionSettings {
        id: ID,
        enable: true,
        alias: "cpe-1".to_owned(),
        username: "cpe".to_owned(),
        password: String::new().into(),
        domain: impossible_name(),
        resource: None,
        use_tls: true,
        tls_ca: None,
        tls_verify: true,
        keepalive: KeepAlive::Off,
        retry,
        algorithm: ServerAlgorithm::ServerTable,
        servers: vec![Server {
            instance: 1,
            enable: true,
            alias: "cpe-1".to_owned(),
            address: Some(impossible_name()),
            port: 5222,
            priority: 0,
            weight: None,
        }],
    }
}

/// A connection whose server cannot be looked up.
fn connection(retry: Retry) -> Connection {
    let context = ConnectionContext {
        authorize: Slot::default(),
        disco: Slot::default(),
        status: StatusTable::default(),
        resolver: Arc::new(Resolver::new("/nonexistent/resolv.conf".into(), "/nonexistent/hosts".into())),
        trust: TrustStores::default(),
    };
    Connection::new(settings(retry), context)
}

fn address() -> ServerAddress {
    ServerAddress { host: "a.test".to_owned(), socket: ([127, 0, 0, 1], 5222).into() }
}

/// A login in memory, and the server's side of its stream.
async fn session() -> (Session, DuplexStream) {
    let (ours, mut server) = tokio::io::duplex(4096);
    let mut stream = XmlStream::new(Transport::Memory(ours).buffered());
    stream.open("a.test").unwrap();
    stream.flush().await.unwrap();
    let header = format!("<stream:stream xmlns='{}' xmlns:stream='{}' version='1.0'>", ns::CLIENT, ns::STREAM);
    server.write_all(header.as_bytes()).await.unwrap();
    let start = SessionStart::Bound { jid: "cpe@a.test/wan".parse().unwrap(), manageable: false };
    (Session { stream, start, tls: false, description: String::new() }, server)
}
