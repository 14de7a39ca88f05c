//! The severities of `loglevel`, which are those of syslog (RFC 5424 6.2.1), in terms of tracing's levels.
//!
//! ERROR, WARNING, INFO and DEBUG are levels of tracing. Events of ALERT, CRITIC and NOTICE have a target of their own. xmppd
//! logs nothing as EMERG: a daemon that fails does not make the system unusable.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};

use crate::config::model::LogLevel;

/// The target of ALERT events.
pub const ALERT: &str = "xmppd::alert";
/// The target of CRITIC events.
pub const CRITICAL: &str = "xmppd::critical";
/// The target of NOTICE events.
pub const NOTICE: &str = "xmppd::notice";
/// The target of what is enabled at every level.
pub(super) const ALWAYS: &str = "xmppd::always";

/// Logs an ALERT: something does not recover without a person. Arguments as for `tracing::error!`, without a target.
#[macro_export]
macro_rules! alert {
    ($($arguments:tt)+) => { ::tracing::error!(target: $crate::logging::severity::ALERT, $($arguments)+) };
}

/// Logs at CRITIC: the daemon exits, or cannot start. Arguments as for `tracing::error!`, without a target.
#[macro_export]
macro_rules! critical {
    ($($arguments:tt)+) => { ::tracing::error!(target: $crate::logging::severity::CRITICAL, $($arguments)+) };
}

/// Logs a NOTICE: a change of state that an operator wants to see. Arguments as for `tracing::info!`, without a target.
#[macro_export]
macro_rules! notice {
    ($($arguments:tt)+) => { ::tracing::info!(target: $crate::logging::severity::NOTICE, $($arguments)+) };
}

/// Whether an event or span is logged at a level. Only xmppd's own are: libraries log data from peers.
pub(super) fn is_enabled(line: &Metadata<'_>, level: LogLevel) -> bool {
    match line.target() {
        ALWAYS => true,
        "xmppd" => is_within(line, level),
        target => target.starts_with("xmppd::") && is_within(line, level),
    }
}

fn is_within(line: &Metadata<'_>, level: LogLevel) -> bool {
    *line.level() <= Level::DEBUG && severity(line) <= level
}

/// The most verbose of tracing's levels that has enabled events or spans at a level.
pub(super) fn most_verbose(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Emergency | LogLevel::Alert | LogLevel::Critical | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Notice | LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// The severity of an event.
pub(super) fn severity(event: &Metadata<'_>) -> LogLevel {
    match (event.target(), *event.level()) {
        (ALERT, _) => LogLevel::Alert,
        (CRITICAL, _) => LogLevel::Critical,
        (NOTICE, _) => LogLevel::Notice,
        (_, Level::ERROR) => LogLevel::Error,
        (_, Level::WARN) => LogLevel::Warning,
        (_, Level::INFO) => LogLevel::Info,
        (_, Level::DEBUG | Level::TRACE) => LogLevel::Debug,
    }
}

/// The name of a severity as it is printed: that of the option's value.
pub(super) fn name(severity: LogLevel) -> &'static str {
    match severity {
        LogLevel::Emergency => "EMERG",
        LogLevel::Alert => "ALERT",
        LogLevel::Critical => "CRITIC",
        LogLevel::Error => "ERROR",
        LogLevel::Warning => "WARNING",
        LogLevel::Notice => "NOTICE",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBUG",
    }
}

/// The number of a severity in syslog, from 0 to 7.
pub(super) fn number(severity: LogLevel) -> u8 {
    match severity {
        LogLevel::Emergency => 0,
        LogLevel::Alert => 1,
        LogLevel::Critical => 2,
        LogLevel::Error => 3,
        LogLevel::Warning => 4,
        LogLevel::Notice => 5,
        LogLevel::Info => 6,
        LogLevel::Debug => 7,
    }
}
