//! Standard output.

use std::io::{self, Write as _};

/// Prints text. Returns false if the reader is gone, which is no error; a full disk is one.
pub(super) fn print(text: &str) -> Result<bool, String> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("standard output: {error}")),
    }
}
