//! Changes of `loglevel`.

use crate::harness::stanzas::{assert_unavailable, good_request};
use crate::harness::{CPE1, Fixture, LIMIT, WriteMethod};

/// The level of each stage, and whether INFO and NOTICE events must be logged in it.
const STAGES: [(&str, bool, bool); 5] =
    [("error", false, false), ("3", true, true), ("WARNING", false, false), ("Debug", true, true), ("2", false, true)];

fn alias(stage: usize) -> String {
    format!("stage-{stage}-end")
}

#[tokio::test]
async fn a_changed_level_is_applied_at_once() {
    let mut fixture = Fixture::with(|settings| {
        settings.set("loglevel", "NOTICE");
        settings.set("id", 2);
        settings.set_connection(1, "con_alias", alias(0));
    })
    .await;
    for (n, (level, ..)) in STAGES.iter().enumerate() {
        fixture.set_write_method(if n % 2 == 0 { WriteMethod::InPlace } else { WriteMethod::Commit });
        fixture.edit(|settings| {
            settings.set("loglevel", level);
            settings.set_connection(1, "con_alias", alias(n + 1));
        });
        // The log may be silent, so the status shows that the edit was applied.
        fixture.daemon.wait_for_value(1, "alias", &alias(n + 1)).await;
        assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    }
    fixture.assert_same_streams().await;
    let mark = fixture.edit(|settings| settings.set("loglevel", "INFO"));
    fixture.daemon.log().wait(mark, &["NOTICE", "log level applied"], LIMIT).await;
    fixture.daemon.stop_and_assert_not_logged(&[]).await;

    let log = fixture.daemon.log();
    for (n, (level, info, notice)) in STAGES.into_iter().enumerate() {
        // This line still has the old alias.
        let applied = log.since(0, &["INFO", &alias(n), "settings applied in place"]);
        assert_eq!(applied.len(), usize::from(info), "{level}: {applied:?}");
        let refused = log.since(0, &["NOTICE", &alias(n + 1), "refused"]);
        assert_eq!(refused.len(), usize::from(notice), "{level}: {refused:?}");
    }
}
