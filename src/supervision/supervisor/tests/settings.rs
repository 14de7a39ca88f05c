//! Settings of children: updates in place, and what later runs start with.

use std::sync::Mutex;

use super::*;

/// A child whose runs record the settings that they start with and those that they get; it panics when it gets 0.
fn child(log: &Arc<Mutex<Vec<String>>>, settings: u32) -> NewChild<Id, u32> {
    let log = Arc::clone(log);
    NewChild::with_settings(spec("a"), settings, move |_, settings| {
        log.lock().unwrap().push(format!("start {settings}"));
        let (updates, mut received) = tokio::sync::mpsc::unbounded_channel::<u32>();
        let log = Arc::clone(&log);
        let task = actix_rt::spawn(async move {
            while let Some(settings) = received.recv().await {
                log.lock().unwrap().push(format!("update {settings}"));
                assert!(settings != 0, "a test asks for it");
            }
            ExitReason::Normal
        });
        Running::new(task, || ()).updated_by(move |settings| _ = updates.send(settings))
    })
}

#[test]
fn a_run_gets_new_settings_and_the_next_one_starts_with_them() {
    paused(async {
        let log = Arc::default();
        let supervisor = Supervisor::new("root", intensity(1), vec![child(&log, 1)]).unwrap();
        let (root, _running) = supervisor.run();
        let update = async |settings| soon(root.send(UpdateChild { id: "a", settings })).await.unwrap();
        assert_eq!(update(2).await, Ok(()));
        assert_eq!(update(0).await, Ok(()));
        soon(async {
            while log.lock().unwrap().last().is_none_or(|line| line != "start 0") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert_eq!(*log.lock().unwrap(), ["start 1", "update 2", "update 0", "start 0"]);
        let settings: Vec<_> =
            soon(root.send(Children::default())).await.unwrap().into_iter().map(|(_, n)| n).collect();
        assert_eq!(settings, [0_u32]);
    });
}

#[test]
fn a_child_that_is_stopped_gets_no_more_settings() {
    paused(async {
        let log = Arc::default();
        let supervisor = Supervisor::new("root", intensity(0), vec![child(&log, 1)]).unwrap();
        let (root, _running) = supervisor.run();
        let removal = root.send(StopChild("a"));
        let update = root.send(UpdateChild { id: "a", settings: 2 });
        let (removed, updated) = soon(async { tokio::join!(removal, update) }).await;
        assert_eq!((removed.unwrap(), updated.unwrap()), (Ok(()), Err(SupervisionError::NotFound("a"))));
        assert_eq!(*log.lock().unwrap(), ["start 1"]);
    });
}

#[test]
fn settings_that_come_during_a_restart_are_for_the_next_run() {
    paused(async {
        let log = Arc::default();
        let supervisor = Supervisor::new("root", intensity(0), vec![child(&log, 1)]).unwrap();
        let (root, _running) = supervisor.run();
        let restart = root.send(RestartChild(child(&log, 2)));
        let update = root.send(UpdateChild { id: "a", settings: 3 });
        let (restarted, updated) = soon(async { tokio::join!(restart, update) }).await;
        assert_eq!((restarted.unwrap(), updated.unwrap()), (Ok(()), Ok(())));
        assert_eq!(*log.lock().unwrap(), ["start 1", "start 3"]);
    });
}
