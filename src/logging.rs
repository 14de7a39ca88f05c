//! The log: one line an event on standard error, which procd and systemd hand on; with the levels of syslog's names.
//!
//! tracing knows no NOTICE. Events for the target [`NOTICE`] are that: above INFO, below WARNING. What lies above ERROR in
//! `loglevel` (EMERG, ALERT, CRITIC) shows errors, because xmppd has nothing graver to say than that.

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
use output::Output;

/// The target of events of level NOTICE.
pub const NOTICE: &str = "xmppd::notice";

/// Logs an event of level NOTICE: like `tracing::info!`, without a target.
#[macro_export]
macro_rules! notice {
    ($($arguments:tt)+) => { ::tracing::info!(target: $crate::logging::NOTICE, $($arguments)+) };
}

/// Changes the level of a running log.
#[derive(Clone)]
pub struct LevelHandle(reload::Handle<Targets, tracing_subscriber::Registry>);

impl LevelHandle {
    /// Sets the level. Takes effect at once.
    pub fn set(&self, level: LogLevel) {
        // It fails only when the subscriber is gone, and then nothing is logged anyway.
        let _ = self.0.reload(targets(level));
    }
}

/// Starts the log on standard error. It never waits for whoever reads it: lines that find no room are lost, and counted.
///
/// # Errors
/// If a log was started before.
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

/// What is let through. Our own words alone: libraries log what strangers send.
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

/// `xmppd: LEVEL message`, as [`OneLine`] has it: one event is one line, whatever was put into it.
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

/// Text from outside that stays on its line and cannot look like another one: what does not print is escaped.
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_unprintable(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        Ok(())
    }
}

/// Control characters, and those that begin a new line or turn the direction of writing in a terminal.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
