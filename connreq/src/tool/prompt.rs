//! A password typed on the terminal, which does not show it.

use std::fs::{File, OpenOptions};
use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::stop::Stop;

/// Why there is no password.
#[derive(Debug)]
pub(super) enum NotTyped {
    /// The process is to stop.
    Stopped,
    /// The reason, for a person.
    Failed(String),
}

/// Asks for a password on the process's terminal, whatever standard input and output are.
///
/// # Errors
/// There is no terminal, it cannot be read, or the process is to stop. The terminal is left as it was before.
pub(super) async fn ask(question: &str, stop: &mut Stop) -> Result<SecretString, NotTyped> {
    let failed = |why: &str| NotTyped::Failed(format!("{question}: {why}"));
    let _terminal = SilentTerminal::open().map_err(|_| failed("there is no terminal to ask on"))?;
    let prompt = format!("{question}: ");
    let typed = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt).map(SecretString::from));
    tokio::select! {
        () = stop.come() => Err(NotTyped::Stopped),
        typed = typed => match typed.map_err(io::Error::other).and_then(|typed| typed) {
            Ok(secret) => Ok(secret),
            // Ctrl-C: it sends the signal, too.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(NotTyped::Stopped),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(failed("nothing was typed")),
            Err(error) => Err(failed(&error.to_string())),
        },
    }
}

/// The process's terminal without echo, until it is dropped. rpassword turns the echo off after its prompt, when a fast
/// answer may be there already, and on again only when it has read one.
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
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
