//! Connections without a resolver, with a paused clock.

mod closing;
mod waits;

use actix::Addr;

use super::*;
use crate::config::model::{KeepAlive, Retry, Server, ServerAlgorithm};

const ID: ConnectionId = ConnectionId(1);

fn retry(initial: u64, max: u64) -> Retry {
    Retry { attempts: 16, initial: Duration::from_secs(initial), multiplier: 1000, max: Duration::from_secs(max) }
}

fn settings(retry: Retry) -> Settings {
    Settings {
        id: ID,
        enable: true,
        alias: "cpe-1".to_owned(),
        username: "cpe".to_owned(),
        password: String::new().into(),
        domain: "a.test".to_owned(),
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
            address: Some("xmpp.a.test".to_owned()),
            port: 5222,
            priority: 0,
            weight: None,
        }],
    }
}

/// A connection that has no resolver.
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
