//! The level of the log.

use crate::harness::stanzas::{assert_unavailable, good_request};
use crate::harness::{CPE1, How, LIMIT, Scene};

/// The levels of the stages, and whether events of INFO and NOTICE are to be seen there.
const STAGES: [(&str, bool, bool); 5] =
    [("error", false, false), ("3", true, true), ("WARNING", false, false), ("Debug", true, true), ("2", false, true)];

fn alias(stage: usize) -> String {
    format!("stage-{stage}-end")
}

#[tokio::test]
async fn loglevel_is_taken_over_at_once() {
    let mut scene = Scene::with(|settings| {
        settings.set("loglevel", "NOTICE");
        settings.set("id", 2);
        settings.set_connection(1, "con_alias", alias(0));
    })
    .await;
    for (n, (level, ..)) in STAGES.iter().enumerate() {
        scene.by(if n % 2 == 0 { How::InPlace } else { How::Commit });
        scene.edit(|settings| {
            settings.set("loglevel", level);
            settings.set_connection(1, "con_alias", alias(n + 1));
        });
        // What a log that is silent does not tell, the status does.
        scene.daemon.wait_for_value(1, "alias", &alias(n + 1)).await;
        assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    }
    scene.assert_both_same().await;
    let mark = scene.edit(|settings| settings.set("loglevel", "INFO"));
    scene.daemon.log().wait(mark, &["INFO", "log level taken over"], LIMIT).await;
    scene.daemon.stop_and_look_for(&[]).await;

    let log = scene.daemon.log();
    for (n, (level, info, notice)) in STAGES.into_iter().enumerate() {
        // That the alias is taken over is said of the old one.
        let taken_over = log.since(0, &["INFO", &alias(n), "settings taken over in place"]);
        assert_eq!(taken_over.len(), usize::from(info), "{level}: {taken_over:?}");
        let refused = log.since(0, &["NOTICE", &alias(n + 1), "refused"]);
        assert_eq!(refused.len(), usize::from(notice), "{level}: {refused:?}");
    }
}
