//! Asks for a password on the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::stop_signals::StopSignals;

/// Why no password was entered.
#[derive(Debug)]
pub(super) enum PromptError {
    /// A stop signal was received.
    Stopped,
    /// The reason, as text.
    Failed(String),
}

/// Asks for a password on the controlling terminal, even if standard input and output are redirected. The terminal's mode
/// is restored afterwards.
///
/// # Errors
/// There is no terminal, it cannot be read, or a stop signal was received.
pub(super) async fn ask(question: &str, stop: &mut StopSignals) -> Result<SecretString, PromptError> {
    let failed = |why: &str| PromptError::Failed(format!("{question}: {why}"));
    let _terminal = SilentTerminal::open().map_err(|_| failed("no terminal to ask on"))?;
    let prompt = format!("{question}: ");
    let typed = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt).map(SecretString::from));
    tokio::select! {
        () = stop.received() => Err(PromptError::Stopped),
        typed = typed => match typed.map_err(io::Error::other).and_then(|typed| typed) {
            Ok(secret) => Ok(secret),
            // Ctrl-C, which sends SIGINT as well.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(PromptError::Stopped),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(failed("nothing was typed")),
            Err(error) => Err(failed(&error.to_string())),
        },
    }
}

/// Turns the terminal's echo off until dropped. rpassword turns it off only after its prompt, which a pasted answer can
/// precede, and on again only after an answer.
struct SilentTerminal {
    terminal: File,
    before: Termios,
}

impl SilentTerminal {
    fn open() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // Discards what was typed before the question.
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
