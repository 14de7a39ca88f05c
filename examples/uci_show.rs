//! `uci_show FILE` prints a UCI file as `uci show xmpp` does.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use xmppd::config::uci;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: uci_show FILE");
        return ExitCode::from(2);
    };
    let printed = std::fs::read(&file)
        .map_err(|error| format!("{}: {error}", file.display()))
        .and_then(|text| uci::parse(&file, &text).map_err(|error| error.to_string()))
        .and_then(|package| stdout().write_all(&uci::show(&package, "xmpp")).map_err(|error| error.to_string()));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
