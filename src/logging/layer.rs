//! Passes each event to the output as its severity and a text of one line ([`OneLine`]). Within a connection's span the text
//! begins with `connection NUMBER (ALIAS): `.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::FormatFields as _;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::budget::{Budgets, Permit};
use super::connection_span::Prefix;
use super::severity::severity;
use crate::config::model::LogLevel;
use crate::text::OneLine;

/// The lines about the configuration files are not limited: each of them follows an edit.
const UNLIMITED: &str = "xmppd::actors::config";

/// Passes each line to a function.
pub(super) struct Lines<W> {
    write: W,
    budgets: Mutex<Budgets>,
    /// Whether repeated lines are omitted.
    is_limited: Arc<AtomicBool>,
}

impl<W> Lines<W> {
    pub(super) fn new(write: W, is_limited: Arc<AtomicBool>) -> Self {
        Self { write, budgets: Mutex::default(), is_limited }
    }

    /// Whether a line is logged, on behalf of the connection of this number.
    fn permit(&self, line: &Metadata<'_>, connection: Option<u64>) -> Option<Permit> {
        let follows_edit = line.module_path().is_some_and(|path| path.starts_with(UNLIMITED));
        if follows_edit || !self.is_limited.load(Ordering::Relaxed) {
            return Some(Permit::default());
        }
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.take(connection, line.callsite(), Instant::now())
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(LogLevel, &str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(mut prefix) = Prefix::of(span.name())
        {
            attributes.record(&mut prefix);
            span.extensions_mut().insert(prefix);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(prefix) = span.extensions_mut().get_mut::<Prefix>()
        {
            values.record(prefix);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (mut text, mut connection) = (String::new(), None);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(prefix) = span.extensions().get::<Prefix>() {
                connection = Some(prefix.number);
                // Writing to a String does not fail.
                let _ = write!(text, "{prefix}");
            }
        }
        let Some(permit) = self.permit(event.metadata(), connection) else { return };
        // Fails only if a value's own formatting does: what was written before is logged.
        let _ = DefaultFields::new().format_fields(Writer::new(&mut text), event);
        (self.write)(severity(event.metadata()), &format!("{}{permit}", OneLine(&text)));
    }
}
