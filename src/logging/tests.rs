use std::io;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Captures what the daemon's subscriber logs at a level.
fn logged(level: LogLevel, log: impl FnOnce(&LevelHandle)) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let (subscriber, handle) = subscriber(level, move || writer.clone());
    tracing::subscriber::with_default(subscriber, || log(&handle));
    lines.take()
}

fn one_of_each() {
    tracing::error!("an error");
    tracing::warn!("a warning");
    notice!("a notice");
    tracing::info!("information");
    tracing::debug!("a detail");
    tracing::trace!("a trace");
    // Events of libraries, which may hold data from peers.
    tracing::error!(target: "hickory_proto", "a library's error");
    tracing::info!(target: "xmpp", "another's");
}

const ALL: [&str; 5] = ["ERROR an error", "WARNING a warning", "NOTICE a notice", "INFO information", "DEBUG a detail"];

#[test]
fn each_level_shows_events_of_its_severity_or_higher() {
    let levels = [
        (LogLevel::Emergency, 1),
        (LogLevel::Alert, 1),
        (LogLevel::Critical, 1),
        (LogLevel::Error, 1),
        (LogLevel::Warning, 2),
        (LogLevel::Notice, 3),
        (LogLevel::Info, 4),
        (LogLevel::Debug, 5),
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
