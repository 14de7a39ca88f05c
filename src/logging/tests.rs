use std::sync::{Arc, Mutex};

use super::connection_span::{connection_span, rename_current};
use tokio::time::Instant;

use super::*;
use crate::config::model::ConnectionId;
use crate::testing::paused;
use crate::{alert, critical, notice};

/// Captures what the daemon's subscriber logs at a level.
fn logged(level: LogLevel, log: impl FnOnce(&LevelHandle)) -> String {
    let lines = Arc::new(Mutex::new(String::new()));
    let written = Arc::clone(&lines);
    let write = move |severity, text: &str| *written.lock().unwrap() += &(bare_line(severity, text) + "\n");
    let (subscriber, handle) = subscriber(level, write);
    tracing::subscriber::with_default(subscriber, || log(&handle));
    std::mem::take(&mut lines.lock().unwrap())
}

fn one_of_each() {
    alert!("an alert");
    critical!("a critical error");
    tracing::error!("an error");
    tracing::warn!("a warning");
    notice!("a notice");
    tracing::info!("information");
    tracing::debug!("a detail");
    tracing::trace!("a trace");
    // Events of libraries, which may hold data from peers.
    tracing::error!(target: "rustls", "a library's error");
    tracing::info!(target: "xmpp", "another's");
}

const ALL: [&str; 7] = [
    "ALERT an alert",
    "CRITIC a critical error",
    "ERROR an error",
    "WARNING a warning",
    "NOTICE a notice",
    "INFO information",
    "DEBUG a detail",
];

#[test]
fn each_level_shows_events_of_its_severity_or_higher() {
    let levels = [
        (LogLevel::Emergency, 0),
        (LogLevel::Alert, 1),
        (LogLevel::Critical, 2),
        (LogLevel::Error, 3),
        (LogLevel::Warning, 4),
        (LogLevel::Notice, 5),
        (LogLevel::Info, 6),
        (LogLevel::Debug, 7),
    ];
    for (level, shown) in levels {
        let expected: String = ALL[..shown].iter().flat_map(|line| ["xmppd: ", line, "\n"]).collect();
        assert_eq!(logged(level, |_| one_of_each()), expected, "{level:?}");
    }
}

#[test]
fn a_changed_level_takes_effect_at_once() {
    let lines = logged(LogLevel::Error, |handle| {
        tracing::info!("not yet");
        handle.set(LogLevel::Info);
        tracing::info!("now");
        notice!("now, too");
        handle.set(LogLevel::Critical);
        notice!("no longer");
        tracing::info!("no longer");
    });
    assert_eq!(lines, "xmppd: INFO now\nxmppd: NOTICE now, too\n");
}

#[test]
fn an_event_is_one_line_whatever_it_contains() {
    for bad in [
        "\n",
        "\r\n",
        "\u{0}",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2066}",
        "\u{b}\u{c}",
    ] {
        let lines = logged(LogLevel::Debug, |_| {
            tracing::error!("before{bad}xmppd: ERROR after");
            tracing::error!(field = bad, other = ?bad, shown = %bad, "fields");
        });
        assert!(lines.ends_with('\n') && lines.matches('\n').count() == 2, "{bad:?}: {lines:?}");
        assert!(lines.starts_with("xmppd: ERROR before\\"), "{bad:?}: {lines:?}");
        assert_eq!(lines.matches(bad).count(), usize::from(bad == "\n") * 2, "{bad:?} in {lines:?}");
    }
}

#[test]
fn printable_text_is_unchanged() {
    let text = "\u{fc} \u{1f600} 'quoted' \"twice\" C:\\path {} \u{a0}";
    assert_eq!(logged(LogLevel::Info, |_| tracing::info!("{text}")), format!("xmppd: INFO {text}\n"));
}

#[test]
fn fields_follow_the_message() {
    let line = logged(LogLevel::Info, |_| tracing::info!(n = 1, "message"));
    assert_eq!(line, "xmppd: INFO message n=1\n");
}

#[test]
fn lines_of_a_connection_begin_with_its_number_and_alias_at_every_level() {
    for level in [LogLevel::Alert, LogLevel::Error, LogLevel::Debug] {
        let lines = logged(level, |_| {
            connection_span(ConnectionId(7), "wan").in_scope(|| alert!(n = 1, "inside"));
            alert!("outside");
        });
        assert_eq!(lines, "xmppd: ALERT connection 7 (wan): inside n=1\nxmppd: ALERT outside\n", "{level:?}");
    }
}

/// The level may be raised after the connection's start.
#[test]
fn a_connection_keeps_its_prefix_when_the_level_changes() {
    let lines = logged(LogLevel::Error, |handle| {
        let _entered = connection_span(ConnectionId(7), "wan").entered();
        handle.set(LogLevel::Debug);
        tracing::debug!("a detail");
        notice!("a notice");
    });
    assert_eq!(lines, "xmppd: DEBUG connection 7 (wan): a detail\nxmppd: NOTICE connection 7 (wan): a notice\n");
}

#[test]
fn a_changed_alias_is_printed_from_the_next_line_on() {
    let lines = logged(LogLevel::Error, |_| {
        let span = connection_span(ConnectionId(7), "wan");
        let _other = connection_span(ConnectionId(8), "lan").entered();
        span.in_scope(|| {
            tracing::error!("before");
            rename_current("dsl");
            tracing::error!("after");
        });
        tracing::error!("other");
        tracing::error!(parent: &span, "from elsewhere");
    });
    let expected = ["7 (wan): before", "7 (dsl): after", "8 (lan): other", "7 (dsl): from elsewhere"];
    assert_eq!(lines, expected.map(|line| format!("xmppd: ERROR connection {line}\n")).concat());
}

/// Files that all connections share, whichever of them reads them.
#[test]
fn a_line_without_a_parent_has_no_prefix() {
    let lines = logged(LogLevel::Error, |_| {
        connection_span(ConnectionId(7), "wan").in_scope(|| tracing::error!(parent: None, "resolv.conf"));
    });
    assert_eq!(lines, "xmppd: ERROR resolv.conf\n");
}

#[test]
fn an_alias_cannot_begin_a_line() {
    let lines = logged(LogLevel::Error, |_| {
        let _entered = connection_span(ConnectionId(7), "a\nxmppd: ERROR b\u{1b}[31m").entered();
        tracing::error!("message");
    });
    assert_eq!(lines, "xmppd: ERROR connection 7 (a\\nxmppd: ERROR b\\u{1b}[31m): message\n");
}

fn lines_with(text: &str, lines: &str) -> usize {
    lines.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn repeated_lines_are_omitted_for_each_connection_alone() {
    paused(async {
        let flood = |connection| {
            let _entered = connection_span(ConnectionId(connection), "wan").entered();
            for n in 0..100 {
                notice!("connection request from {n} refused");
            }
        };
        let start = Instant::now();
        let lines = logged(LogLevel::Info, |_| {
            flood(7);
            flood(8);
            tracing::warn!("another line");
        });
        assert!(start.elapsed().is_zero());
        assert_eq!((lines_with("connection 7 ", &lines), lines_with("connection 8 ", &lines)), (20, 20));
        assert_eq!(lines_with("from 19 refused [more lines like this: one in 20 min]", &lines), 2);
        assert!(lines.ends_with("xmppd: WARNING another line\n"), "{lines}");
    });
}

#[test]
fn debug_omits_nothing() {
    let flood = || (0..100).for_each(|_| tracing::info!("a line"));
    let lines = logged(LogLevel::Info, |handle| {
        flood();
        handle.set(LogLevel::Debug);
        flood();
        handle.set(LogLevel::Info);
        flood();
    });
    assert_eq!(lines_with("a line", &lines), 120);
}
