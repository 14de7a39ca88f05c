//! Properties of any two settings.

use std::time::Duration;

use proptest::prelude::*;

use super::{Changes, changes, running};
use crate::config::model::{
    ConnectionId, ConnectionSettings, KeepAlive, LogLevel, Password, Retry, Server, ServerAlgorithm, Settings,
};

fn any_connection() -> impl Strategy<Value = ConnectionSettings> {
    let server = (0..3_u32, any::<bool>(), 0..2_u16, 0..2_u16, prop::option::of(0..2_u16)).prop_map(
        |(instance, enable, port, priority, weight)| Server {
            instance,
            enable,
            alias: format!("a{port}"),
            address: Some("h".to_owned()),
            port: port + 1,
            priority,
            weight,
        },
    );
    let algorithm =
        prop::sample::select(vec![ServerAlgorithm::DnsSrv, ServerAlgorithm::Dns, ServerAlgorithm::ServerTable]);
    let parts = (1..4_u32, any::<bool>(), any::<[bool; 7]>(), algorithm, prop::collection::vec(server, 0..3));
    parts.prop_map(|(id, enable, flip, algorithm, servers)| ConnectionSettings {
        id: ConnectionId(id),
        enable,
        alias: if flip[0] { "a" } else { "b" }.to_owned(),
        username: if flip[1] { "a" } else { "b" }.to_owned(),
        password: Password::from(if flip[2] { "a" } else { "b" }.to_owned()),
        domain: "d".to_owned(),
        resource: flip[3].then(|| "r".to_owned()),
        use_tls: flip[4],
        tls_ca: None,
        tls_verify: true,
        keepalive: if flip[5] { KeepAlive::Off } else { KeepAlive::Automatic },
        retry: Retry {
            attempts: u32::from(flip[6]),
            initial: Duration::from_secs(1),
            multiplier: 2000,
            max: Duration::from_secs(9),
        },
        algorithm,
        servers,
    })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (any::<bool>(), any::<bool>(), prop::collection::vec(any_connection(), 0..4)).prop_map(|(enable, debug, all)| {
        let mut settings = Settings::default();
        settings.general.enable = enable;
        settings.general.log_level = if debug { LogLevel::Debug } else { LogLevel::Info };
        settings.connections = all.into_iter().map(|connection| (connection.id, connection)).collect();
        settings
    })
}

proptest! {
    #[test]
    fn applying_the_changes_gives_the_desired_connections(a in any_settings(), b in any_settings()) {
        let Changes { stop, restart, update, start, log_level, .. } = changes(&a, &b);
        let mut now = running(&a);
        for id in stop {
            prop_assert!(now.remove(&id).is_some(), "{id} is stopped but does not run");
        }
        for connection in restart.into_iter().chain(update) {
            let id = connection.id;
            let before = now.insert(id, connection);
            prop_assert!(before.is_some() && before != now.get(&id).cloned(), "{id} is restarted or updated without a change");
        }
        for connection in start {
            let id = connection.id;
            prop_assert!(now.insert(id, connection).is_none(), "{id} is started but runs");
        }
        prop_assert_eq!(now, running(&b));
        prop_assert_eq!(log_level.unwrap_or(a.general.log_level), b.general.log_level);
    }

    #[test]
    fn equal_settings_give_no_changes(a in any_settings()) {
        prop_assert!(changes(&a, &a).is_empty());
    }
}
