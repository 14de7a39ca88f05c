//! A password typed on the terminal, which does not show it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::stop::Stop;

/// Why nothing was typed in, in words where it was not by being stopped.
#[derive(Debug)]
pub(super) enum NotTyped {
    Stopped,
    Failed(String),
}

/// Asks for a password, and waits until it is there.
///
/// # Errors
/// There is no terminal, or its input ended, or the process is to stop; the terminal is as it was before, then.
pub(super) async fn ask(question: &str, stop: &mut Stop) -> Result<SecretString, NotTyped> {
    let failed = |why: &str| NotTyped::Failed(format!("{question}: {why}"));
    let silent = Silent::ask(question).map_err(|_| failed("there is no terminal to ask on"))?;
    tokio::select! {
        () = stop.come() => Err(NotTyped::Stopped),
        line = silent.line() => match line {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(failed("nothing was typed")),
            Err(error) => Err(failed(&error.to_string())),
        },
    }
}

/// The process's terminal, silent until it is dropped, whatever standard input and output are.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    /// Asks for something.
    ///
    /// # Errors
    /// There is no terminal, or it cannot be used.
    fn ask(question: &str) -> io::Result<Self> {
        let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        let asked = Self { before, terminal: terminal.try_clone()? };
        write!(terminal, "{question}: ")?;
        Ok(asked)
    }

    /// Waits for a line, in a thread of its own; none when the input ends before it.
    ///
    /// # Errors
    /// The terminal cannot be read.
    async fn line(&self) -> io::Result<Option<SecretString>> {
        let terminal = self.terminal.try_clone()?;
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(terminal).read_line(&mut line).map(|length| (length > 0).then_some(line))
        });
        let line = read.await.map_err(io::Error::other)??;
        Ok(line.map(|line| SecretString::from(line.trim_end_matches(['\r', '\n']))))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
