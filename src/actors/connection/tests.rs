//! Connections whose lookups fail at once, with a paused clock.

mod closing;
mod waits;

use actix::Addr;

use super::*;
use crate::config::model::{KeepAlive, Retry, Server, ServerAlgorithm};

const ID: ConnectionId = ConnectionId(1);

fn retry(initial: u64, max: u64) -> Retry {
    Retry { attempts: 16, initial: Duration::from_secs(initial), multiplier: 1000, max: Duration::from_secs(max) }
}

/// A name whose lookup fails without a question to a name server: real sockets and a paused clock do not go together.
fn impossible_name() -> String {
    format!("{}.test", "x".repeat(64))
}

fn settings(retry: Retry) -> Settings {
    Settings {
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
