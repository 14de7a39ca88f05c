//! Each file of the corpus is shown as the real `uci show` shows it, or refused in the same line for the same reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs, reason = "test code")]

mod uci_differential;

use std::fs;
use std::path::{Path, PathBuf};

use xmppd::config::uci;

fn corpus() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/uci-corpus");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files
}

/// `Parse error (REASON) at line LINE, byte BYTE`
fn reason_and_line(message: &str) -> (&str, usize) {
    let rest = message.trim_end().strip_prefix("Parse error (").unwrap();
    let (reason, place) = rest.rsplit_once(") at line ").unwrap();
    (reason, place.split_once(',').unwrap().0.parse().unwrap())
}

#[test]
fn each_file_is_shown_or_refused_as_by_uci() {
    let (mut shown, mut refused) = (0, 0);
    for file in corpus() {
        let parsed = uci::parse(&file, &fs::read(&file).unwrap());
        if let Ok(expected) = fs::read(file.with_extension("show")) {
            let package = parsed.unwrap_or_else(|error| panic!("{error}"));
            let ours = uci::show(&package, "xmpp");
            assert!(ours == expected, "{}:\n{}", file.display(), String::from_utf8_lossy(&ours));
            shown += 1;
        } else {
            let expected = fs::read_to_string(file.with_extension("err")).unwrap();
            let error = parsed.expect_err(&format!("{} was not refused", file.display()));
            assert_eq!((error.reason, error.line), reason_and_line(&expected), "{}", file.display());
            refused += 1;
        }
    }
    assert_eq!((shown, refused), (31, 12), "files of the corpus are missing");
}
