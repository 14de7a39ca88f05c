//! The log: one line per event on standard error, which procd and systemd collect, with syslog's level names.
//!
//! tracing has no NOTICE level. Events with the target [`NOTICE`] take its place, between INFO and WARNING. xmppd logs
//! nothing above ERROR, so EMERG, ALERT and CRITIC in `loglevel` show errors.

mod output;

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::model::LogLevel;
use crate::text::OneLine;
use output::Output;

/// The tracing target of NOTICE events.
pub const NOTICE: &str = "xmppd::notice";

/// Logs an event at level NOTICE; arguments as for `tracing::info!`, without a target.
#[macro_export]
macro_rules! notice {
    ($($arguments:tt)+) => { ::tracing::info!(target: $crate::logging::NOTICE, $($arguments)+) };
}

/// Changes the log level at runtime.
#[derive(Clone)]
pub struct LevelHandle(reload::Handle<Targets, tracing_subscriber::Registry>);

impl LevelHandle {
    /// Sets the level, with immediate effect.
    pub fn set(&self, level: LogLevel) {
        // Fails only if the subscriber is gone; then nothing is logged anyway.
        let _ = self.0.reload(targets(level));
    }
}

/// Starts logging to standard error. Writing never blocks: lines that do not fit are dropped and counted.
///
/// # Errors
/// A log was started before.
pub fn start(level: LogLevel) -> Result<LevelHandle, TryInitError> {
    let (subscriber, handle) = subscriber(level, Output::new(std::io::stderr()));
    subscriber.try_init()?;
    Ok(handle)
}

fn subscriber<W>(level: LogLevel, writer: W) -> (impl Subscriber + Send + Sync, LevelHandle)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(targets(level));
    let layer = tracing_subscriber::fmt::layer().event_format(Line).with_writer(writer);
    (tracing_subscriber::registry().with(filter).with(layer), LevelHandle(handle))
}

/// The filter for a level. Only xmppd's own events pass: libraries log data from peers.
fn targets(level: LogLevel) -> Targets {
    let (own, notice) = match level {
        LogLevel::Emergency | LogLevel::Alert | LogLevel::Critical | LogLevel::Error => {
            (LevelFilter::ERROR, LevelFilter::OFF)
        }
        LogLevel::Warning => (LevelFilter::WARN, LevelFilter::OFF),
        LogLevel::Notice => (LevelFilter::WARN, LevelFilter::INFO),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::INFO),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
    };
    Targets::new().with_target("xmppd", own).with_target(NOTICE, notice)
}

/// Formats an event as `xmppd: LEVEL message`, on one line ([`OneLine`]).
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            _ if metadata.target() == NOTICE => "NOTICE",
            tracing::Level::ERROR => "ERROR",
            tracing::Level::WARN => "WARNING",
            tracing::Level::INFO => "INFO",
            tracing::Level::DEBUG | tracing::Level::TRACE => "DEBUG",
        };
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        writeln!(out, "xmppd: {level} {}", OneLine(&text))
    }
}

#[cfg(test)]
mod tests;
