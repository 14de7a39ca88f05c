//! Reconciliation with a real supervisor, whose children are tasks that do nothing.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::load::load;
use crate::supervision::lifecycle::Stop;
use crate::supervision::running::Running as Run;
use crate::supervision::spec::{ChildSpec, Intensity, RestartStrategy};
use crate::testing::{paused, soon};

const BASE: &str = "\
config xmpp 'xmpp'
\toption enable 1
config connection
\toption enable 1
\toption username a
\toption domain a.test
config connection
\toption enable 1
\toption username b
\toption domain b.test
";

fn settings(text: &str) -> Settings {
    let loaded = load(Path::new("xmpp"), text.as_bytes()).unwrap();
    assert_eq!(loaded.problems, []);
    loaded.settings
}

/// A child that takes a second to stop, and is given up at its first failure.
fn child(settings: ConnectionSettings) -> ConnectionChild {
    let spec = ChildSpec {
        id: settings.id,
        strategy: RestartStrategy::GiveUp(Intensity { exits: 0, period: Duration::from_secs(60) }),
        stop_limit: Some(Duration::from_secs(1)),
    };
    NewChild::with_settings(spec, settings, |_, settings: &ConnectionSettings| {
        assert!(settings.username != "crash", "a test asks for it");
        Run::new(actix_rt::spawn(std::future::pending()), || ()).updated_by(|_| ())
    })
}

fn supervisor(running: &Settings) -> (Addr<ConnectionSupervisor>, Run) {
    let children = running.enabled().cloned().map(child).collect();
    Supervisor::without_escalation("connections", children).unwrap().run()
}

fn reconciler(supervisor: Addr<ConnectionSupervisor>) -> Reconciler {
    let slot = Slot::default();
    slot.set(supervisor);
    Reconciler { supervisor: slot, new_child: Arc::new(child) }
}

/// Applies the settings. Returns the changes in words, and the requests that failed.
async fn apply(reconciler: &Reconciler, desired: &Settings) -> (String, Vec<String>) {
    let sent = reconciler.clone().apply(desired.general.clone(), desired.clone()).await.unwrap();
    let failed = soon(sent.failed).await.iter().map(ToString::to_string).collect();
    (sent.changes.to_string(), failed)
}

#[test]
fn what_runs_becomes_what_is_desired() {
    paused(async {
        let (address, _running) = supervisor(&settings(BASE));
        let reconciler = reconciler(address.clone());
        for (edit, expected) in [
            (("username a", "username c"), "restart connection 1"),
            (
                ("option username b", "option interval 5\n\toption username b"),
                "restart connection 1; update connection 2",
            ),
            (
                ("enable 1\n\toption username a", "enable 0\n\toption username a"),
                "stop connection 1; update connection 2",
            ),
            (("username a", "username a"), "start connection 1"),
        ] {
            let desired = settings(&BASE.replacen(edit.0, edit.1, 1));
            assert_eq!(apply(&reconciler, &desired).await, (expected.to_owned(), vec![]), "{edit:?}");
            assert_eq!(running(&address).await.unwrap().0.into_values().collect::<Vec<_>>(), {
                let mut all: Vec<_> = desired.enabled().cloned().collect();
                all.sort_by_key(|connection| connection.id);
                all
            });
            assert_eq!(apply(&reconciler, &desired).await, (String::new(), vec![]), "it is done");
        }
    });
}

#[test]
fn a_failed_request_is_reported_and_made_again() {
    paused(async {
        let desired = settings(BASE);
        let (address, _running) = supervisor(&desired);
        let reconciler = reconciler(address.clone());
        apply(&reconciler, &desired).await;
        // It stays for a second, until its children have stopped.
        address.send(Stop).await.unwrap();
        let (changes, failed) = apply(&reconciler, &desired).await;
        assert_eq!(changes, "start connection 1, 2");
        let line = |id| {
            format!(
                "connection {id}: request to start failed: the supervisor is shutting down; \
                 repeated at the next reload"
            )
        };
        assert_eq!(failed, [line(1), line(2)]);

        let (next, _running) = supervisor(&Settings::default());
        reconciler.supervisor.set(next);
        assert_eq!(apply(&reconciler, &desired).await, ("start connection 1, 2".to_owned(), vec![]));
    });
}

#[test]
fn a_connection_that_was_given_up_is_started_again_by_any_change() {
    paused(async {
        let crash = BASE.replacen("username a", "username crash", 1);
        let (address, _running) = supervisor(&settings(&crash));
        let reconciler = reconciler(address.clone());
        soon(async { while running(&address).await.unwrap().1.is_empty() {} }).await;
        assert_eq!(apply(&reconciler, &settings(&crash)).await, (String::new(), vec![]), "no change");
        let changed = crash.replacen("option username crash", "option interval 5\n\toption username crash", 1);
        assert_eq!(apply(&reconciler, &settings(&changed)).await.0, "restart connection 1");
    });
}

#[test]
fn a_supervisor_that_crashed_is_reported() {
    paused(async {
        let (address, running) = supervisor(&Settings::default());
        drop(running);
        soon(async {
            while address.connected() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let desired = settings(BASE);
        assert!(reconciler(address).apply(desired.general.clone(), desired).await.is_err());
    });
}
