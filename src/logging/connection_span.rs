//! The tracing span of a connection: lines that are logged in it begin with `connection NUMBER (ALIAS): `.

use std::fmt;

use tracing::Span;
use tracing::field::{Field, Visit};

use super::severity::ALWAYS;
use crate::config::model::ConnectionId;

const NAME: &str = "connection";
const NUMBER: &str = "number";
const ALIAS: &str = "alias";

/// The span for everything that is logged on behalf of a connection. It is enabled at every log level.
#[must_use]
pub fn connection_span(id: ConnectionId, alias: &str) -> Span {
    // A parent's prefix would be printed as well.
    tracing::error_span!(target: ALWAYS, parent: None, NAME, { NUMBER } = id.0, { ALIAS } = alias)
}

/// Changes the alias that the current span prints.
pub fn rename_current(alias: &str) {
    Span::current().record(ALIAS, alias);
}

/// The fields of a connection's span, and what is printed for them.
#[derive(Default)]
pub(super) struct Prefix {
    pub(super) number: u64,
    alias: String,
}

impl Visit for Prefix {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == NUMBER {
            self.number = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == ALIAS {
            value.clone_into(&mut self.alias);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} ({}): ", self.number, self.alias)
    }
}
