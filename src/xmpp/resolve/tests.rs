use std::time::Duration;

use super::*;

/// Key derivations may occupy all blocking threads.
#[test]
fn names_are_resolved_while_the_blocking_threads_are_busy() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || held.recv());
    let directory = tempfile::tempdir().unwrap();
    let (resolv_conf, hosts) = (directory.path().join("resolv.conf"), directory.path().join("hosts"));
    // Nothing listens there.
    std::fs::write(&resolv_conf, "nameserver 127.255.255.254\noptions timeout:1 attempts:1\n").unwrap();
    std::fs::write(&hosts, "192.0.2.1 b.test\n").unwrap();
    let resolver = Resolver::new(resolv_conf, hosts);
    let found = runtime.block_on(async {
        let work = async {
            let failed = resolve(Query::Srv { domain: "a.test".to_owned(), use_tls: true }, &resolver).await;
            (failed, resolve(Query::Targets(vec![Target::domain("b.test")]), &resolver).await)
        };
        tokio::time::timeout(Duration::from_secs(20), work).await
    });
    drop(release);
    let (failed, found) = found.expect("the resolver waits for a thread");
    assert!(matches!(failed, Err(ResolveError::SrvFailed { .. })), "{failed:?}");
    assert_eq!(found.unwrap()[0].addresses, [IpAddr::from([192, 0, 2, 1])]);
}
