//! The connections' spans that are open, and which of them each thread is in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Metadata;
use tracing::span::{Attributes, Id, Record};

use super::connection_span::Prefix;

thread_local! {
    /// The spans that this thread has entered, the innermost last.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// The open spans.
#[derive(Default)]
pub(super) struct OpenSpans(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// The number of the newest span.
    newest: u64,
    spans: HashMap<u64, OpenSpan>,
}

struct OpenSpan {
    prefix: Prefix,
    metadata: &'static Metadata<'static>,
    handles: usize,
}

impl OpenSpans {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a span, with one handle.
    pub(super) fn open(&self, span: &Attributes<'_>) -> Id {
        let mut prefix = Prefix::default();
        span.record(&mut prefix);
        let mut table = self.table();
        table.newest += 1;
        let number = table.newest;
        table.spans.insert(number, OpenSpan { prefix, metadata: span.metadata(), handles: 1 });
        Id::from_u64(number)
    }

    /// Takes over changed fields of a span.
    pub(super) fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(span) = self.table().spans.get_mut(&span.into_u64()) {
            values.record(&mut span.prefix);
        }
    }

    /// One handle of the span more.
    pub(super) fn add_handle(&self, span: &Id) {
        if let Some(span) = self.table().spans.get_mut(&span.into_u64()) {
            span.handles += 1;
        }
    }

    /// One handle of the span less. Returns whether it was the last one: then the span is closed.
    pub(super) fn drop_handle(&self, span: &Id) -> bool {
        let mut table = self.table();
        let Some(open) = table.spans.get_mut(&span.into_u64()) else { return false };
        open.handles -= 1;
        let is_last = open.handles == 0;
        if is_last {
            table.spans.remove(&span.into_u64());
        }
        is_last
    }

    /// The number of a span's connection, and what its lines begin with.
    pub(super) fn prefix(&self, span: &Id) -> Option<(u64, String)> {
        self.table().spans.get(&span.into_u64()).map(|span| (span.prefix.number, span.prefix.to_string()))
    }

    /// What tracing knows of a span.
    pub(super) fn metadata(&self, span: &Id) -> Option<&'static Metadata<'static>> {
        self.table().spans.get(&span.into_u64()).map(|span| span.metadata)
    }

    /// Number of open spans.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table().spans.len()
    }

    /// This thread enters a span.
    pub(super) fn enter(span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    /// This thread leaves a span; not necessarily the innermost one.
    pub(super) fn exit(span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(place) = entered.iter().rposition(|entered| entered == span) {
                entered.remove(place);
            }
        });
    }

    /// The span that this thread is in.
    pub(super) fn entered() -> Option<Id> {
        ENTERED.with_borrow(|entered| entered.last().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::ConnectionId;
    use crate::logging::connection_span::connection_span;
    use crate::testing::Log;

    fn entered() -> Vec<Id> {
        ENTERED.with_borrow(Clone::clone)
    }

    #[test]
    fn spans_may_be_left_in_any_order() {
        let _log = Log::capture();
        let [first, second] = [1, 2].map(|number| connection_span(ConnectionId(number), "wan"));
        let ids = [&first, &second].map(|span| span.id().unwrap());
        let outer = first.clone().entered();
        let inner = second.clone().entered();
        let again = first.entered();
        assert_eq!(entered(), [ids[0].clone(), ids[1].clone(), ids[0].clone()]);
        drop(inner);
        assert_eq!(entered(), [ids[0].clone(), ids[0].clone()]);
        drop(again);
        drop(outer);
        assert_eq!(entered(), []);
    }
}
