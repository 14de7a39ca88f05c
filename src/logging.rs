//! The log: one line per event, on standard error or to the local syslog daemon, with the severities of syslog. `docs/log.md`
//! describes it.

mod budget;
pub mod connection_span;
mod form;
pub mod level;
mod open_spans;
mod output;
pub mod severity;
mod subscriber;
mod syslog;

use std::io::{IsTerminal as _, Stderr, stderr};
use std::path::Path;

use rustix::fs::{FileType, fstat, major};
use tracing::Subscriber;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};

use self::form::Form;
use self::level::LevelHandle;
use self::output::Output;
use self::subscriber::Lines;
use self::syslog::Syslog;
use crate::config::model::LogLevel;
use crate::config::startup::LogOutput;

/// Starts logging. Writing never blocks: lines that do not fit are dropped and counted. `socket` is that of the syslog daemon.
///
/// # Errors
/// A log was started before.
pub fn start(level: LogLevel, output: LogOutput, socket: &Path) -> Result<LevelHandle, SetGlobalDefaultError> {
    let (subscriber, handle) = subscriber(level, writer(output, socket));
    set_global_default(subscriber)?;
    Ok(handle)
}

/// Writes a line.
type Write = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

fn writer(output: LogOutput, socket: &Path) -> Write {
    let standard_error = |form| -> Output<Stderr> { Output::new(stderr(), form) };
    match output {
        LogOutput::Auto => {
            let output = standard_error(form_of_stderr());
            Box::new(move |severity, text| output.log(severity, text))
        }
        LogOutput::Stderr => {
            let output = standard_error(Form::Bare);
            Box::new(move |severity, text| output.log(severity, text))
        }
        LogOutput::Syslog => {
            let output = Syslog::new(socket.to_owned(), standard_error(form_of_stderr()));
            Box::new(move |severity, text| output.log(severity, text))
        }
    }
}

/// Major number of `/dev/null`.
const MEMORY_DEVICES: u32 = 1;

/// The form that suits standard error.
fn form_of_stderr() -> Form {
    let Ok(stat) = fstat(stderr()) else { return Form::Bare };
    // The jail of OpenWrt kills a process that asks whether a file is a terminal; it gets a pipe or /dev/null.
    let may_be_terminal =
        FileType::from_raw_mode(stat.st_mode).is_char_device() && major(stat.st_rdev) != MEMORY_DEVICES;
    let journal = std::env::var("JOURNAL_STREAM").ok();
    Form::of(may_be_terminal && stderr().is_terminal(), journal.as_deref(), (stat.st_dev, stat.st_ino))
}

/// A subscriber that passes the severity and the text of each line to `write`.
pub(crate) fn subscriber<W>(level: LogLevel, write: W) -> (impl Subscriber + Send + Sync, LevelHandle)
where
    W: Fn(LogLevel, &str) + Send + Sync + 'static,
{
    let level = LevelHandle::new(level);
    (Lines::new(write, level.clone()), level)
}

/// A line as standard error gets it, without a newline.
#[cfg(test)]
pub(crate) fn bare_line(severity: LogLevel, text: &str) -> String {
    form::bare(severity, text)
}

#[cfg(test)]
mod tests;
