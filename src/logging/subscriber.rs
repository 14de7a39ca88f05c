//! Tracing's subscriber: passes each event to the output as its severity and a text of one line ([`OneLine`]). Within a
//! connection's span the text begins with `connection NUMBER (ALIAS): `.
//!
//! It is ours because tracing-subscriber's registry has a table for 4,096 threads: 32 KiB in the memory of each device.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

use super::budget::{Budgets, Permit};
use super::level::LevelHandle;
use super::open_spans::OpenSpans;
use super::severity::{is_enabled, most_verbose, severity};
use crate::config::model::LogLevel;
use crate::text::OneLine;

/// The lines about the configuration files are not limited: each of them follows an edit.
const UNLIMITED: &str = "xmppd::actors::config";

/// Passes each line to a function.
pub(super) struct Lines<W> {
    write: W,
    level: LevelHandle,
    spans: OpenSpans,
    budgets: Mutex<Budgets>,
}

impl<W> Lines<W> {
    pub(super) fn new(write: W, level: LevelHandle) -> Self {
        Self { write, level, spans: OpenSpans::default(), budgets: Mutex::default() }
    }

    /// Whether a line is logged, on behalf of the connection of this number. At DEBUG repeated lines are not omitted.
    fn permit(&self, line: &Metadata<'_>, connection: Option<u64>) -> Option<Permit> {
        let follows_edit = line.module_path().is_some_and(|path| path.starts_with(UNLIMITED));
        if follows_edit || self.level.get() == LogLevel::Debug {
            return Some(Permit::default());
        }
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.take(connection, line.callsite(), Instant::now())
    }
}

impl<W> Subscriber for Lines<W>
where
    W: Fn(LogLevel, &str) + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_enabled(metadata, self.level.get())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(most_verbose(self.level.get()))
    }

    fn event(&self, event: &Event<'_>) {
        let span = event.parent().cloned().or_else(|| event.is_contextual().then(OpenSpans::entered).flatten());
        let (connection, mut text) = match span.and_then(|id| self.spans.prefix(&id)) {
            Some((number, prefix)) => (Some(number), prefix),
            None => (None, String::new()),
        };
        let Some(permit) = self.permit(event.metadata(), connection) else { return };
        event.record(&mut Fields { text: &mut text, separator: "" });
        (self.write)(severity(event.metadata()), &format!("{}{permit}", OneLine(&text)));
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.spans.open(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.spans.record(span, values);
    }

    /// xmppd has no such spans.
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, span: &Id) {
        OpenSpans::enter(span);
    }

    fn exit(&self, span: &Id) {
        OpenSpans::exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.spans.add_handle(span);
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        self.spans.drop_handle(&span)
    }

    fn current_span(&self) -> Current {
        let current = OpenSpans::entered().and_then(|id| Some((self.spans.metadata(&id)?, id)));
        current.map_or_else(Current::none, |(metadata, id)| Current::new(id, metadata))
    }
}

/// Appends the fields of an event: the message, which tracing puts first, and `NAME=VALUE` of the others.
struct Fields<'a> {
    text: &'a mut String,
    separator: &'static str,
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Fails only if a value's own formatting does: what was written before is logged.
        let _ = match field.name() {
            "message" => write!(self.text, "{}{value:?}", self.separator),
            name => write!(self.text, "{}{name}={value:?}", self.separator),
        };
        self.separator = " ";
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Dispatch, Span};

    use super::*;
    use crate::config::model::ConnectionId;
    use crate::logging::connection_span::connection_span;

    #[test]
    fn a_span_is_open_until_its_last_handle_is_dropped() {
        type Discard = fn(LogLevel, &str);
        let dispatch = Dispatch::new(Lines::new((|_, _| {}) as Discard, LevelHandle::new(LogLevel::Debug)));
        let open = || dispatch.downcast_ref::<Lines<Discard>>().unwrap().spans.len();
        tracing::dispatcher::with_default(&dispatch, || {
            let span = connection_span(ConnectionId(1), "wan");
            let other = connection_span(ConnectionId(2), "lan");
            let current = span.in_scope(Span::current);
            assert_eq!((current.id(), current.metadata().unwrap().name()), (span.id(), "connection"));
            assert!(Span::current().is_none());
            assert_eq!(open(), 2);
            drop(span);
            assert_eq!(open(), 2);
            drop(current);
            assert_eq!(open(), 1);
            drop(other);
            assert_eq!(open(), 0);
        });
    }
}
