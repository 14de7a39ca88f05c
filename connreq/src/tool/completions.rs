//! The completions of shells in `completions/` are those that clap makes of the arguments of both programs.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::{Generator as _, Shell, generate};

use super::arguments::Arguments;

/// With `UPDATE_COMPLETIONS` set, writes them.
#[test]
fn the_completions_are_those_of_the_arguments() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
    for (name, mut command) in [("connreq", Arguments::command()), ("xmppd", xmppd::cli::Cli::command())] {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut expected = Vec::new();
            generate(shell, &mut command, name, &mut expected);
            let path = directory.join(shell.file_name(name));
            if std::env::var_os("UPDATE_COMPLETIONS").is_some() {
                std::fs::write(&path, &expected).unwrap();
            }
            let found = std::fs::read(&path).unwrap_or_default();
            assert!(found == expected, "{}: run the test with UPDATE_COMPLETIONS=1", path.display());
        }
    }
}
