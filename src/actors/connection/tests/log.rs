//! What a connection logs begins with its number and alias, wherever it comes from.

use tracing::{Instrument as _, Level};

use super::*;
use crate::blocking::blocking;
use crate::logging::connection_span::connection_span;
use crate::supervision::running::Running;
use crate::testing::{Log, paused, soon};

#[test]
fn lines_of_handlers_and_futures_have_the_present_alias() {
    paused(async {
        let log = Log::capture();
        let start = || Running::actor(connection(retry(1, 1)));
        let (address, _running) = connection_span(ID, "cpe-1").in_scope(start);
        let failed = |alias: &str| {
            // Repeated ones are folded.
            let starts =
                ["WARNING", "DEBUG"].map(|name| format!("xmppd: {name} connection 1 ({alias}): attempt failed: "));
            let lines = [Level::WARN, Level::DEBUG].map(|level| log.lines(level)).concat();
            lines.iter().any(|line| starts.iter().any(|start| line.starts_with(start)))
        };
        let wait_for = async |alias| {
            while !failed(alias) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(wait_for("cpe-1")).await;
        address.send(Update(ConnectionSettings { alias: "wan".to_owned(), ..settings(retry(1, 1)) })).await.unwrap();
        soon(wait_for("wan")).await;
        tracing::warn!("not the connection's");
        assert_eq!(log.lines(Level::WARN).last().unwrap(), "xmppd: WARNING not the connection's");
    });
}

/// A key derivation for a login, and its panic.
#[tokio::test]
async fn work_on_another_thread_is_done_in_the_span_of_its_connection() {
    let _log = Log::capture();
    let span = connection_span(ID, "cpe-1");
    let there = blocking(tracing::Span::current).instrument(span.clone()).await.unwrap();
    assert_eq!((there.id(), there.is_none()), (span.id(), false));
}
