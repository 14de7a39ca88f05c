//! Keeps the JIDs over a restart of the daemon, in a small file beside the control socket. That is on a RAM disk: flash
//! memory is not written to.
//!
//! An ACS that learns `ConnReqJabberID` by active notification must not see it vanish and come back because xmppd was
//! restarted.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use jid::Jid;

use super::table::{RememberedJid, RememberedJids};
use crate::config::model::ConnectionId;
use crate::file::{ReadError, create_private_directory, read};

/// A file with a line `con_inst<TAB>username@domain<TAB>full JID` for each connection.
pub struct JidFile {
    path: PathBuf,
    /// A failure to write is logged once.
    failure_logged: AtomicBool,
}

impl JidFile {
    /// The file that belongs to a control socket: the extension is `jids`.
    #[must_use]
    pub fn beside(socket: &Path) -> Self {
        Self { path: socket.with_extension("jids"), failure_logged: AtomicBool::new(false) }
    }

    /// The JIDs of the last run. A file that is malformed is ignored, with a WARNING.
    #[must_use]
    pub fn load(&self) -> RememberedJids {
        let path = self.path.display();
        let contents = match read(&self.path) {
            Ok(contents) => contents,
            Err(ReadError::Missing(_)) => return RememberedJids::new(),
            Err(error) => {
                tracing::warn!("JIDs of the last run not known: {error}");
                return RememberedJids::new();
            }
        };
        parse(&contents.text).unwrap_or_else(|line| {
            tracing::warn!("JIDs of the last run not known: {path}:{line}: malformed");
            RememberedJids::new()
        })
    }

    /// Replaces the file. A failure is logged once, and costs no more than what is remembered over a restart.
    pub fn save(&self, jids: &RememberedJids) {
        let Err(error) = self.write(jids) else {
            self.failure_logged.store(false, Ordering::Relaxed);
            return;
        };
        if !self.failure_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}: {error}; JIDs are not remembered over a restart", self.path.display());
        }
    }

    fn write(&self, jids: &RememberedJids) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            create_private_directory(directory)?;
        }
        let new = self.path.with_extension("jids.new");
        // Written at once: each piece by itself would be a system call, and there is a file for each login.
        let mut lines = String::new();
        for (id, RememberedJid { account, jid }) in jids {
            writeln!(lines, "{id}\t{account}\t{jid}").map_err(io::Error::other)?;
        }
        create(&new)?.write_all(lines.as_bytes())?;
        rename(&new, &self.path)
    }
}

/// Makes a file that is not there. One that a crash left behind is removed; a link is not followed.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// The number of the malformed line otherwise.
fn parse(text: &[u8]) -> Result<RememberedJids, usize> {
    let mut jids = RememberedJids::new();
    let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
    for (line, number) in lines.filter(|_| !text.is_empty()).zip(1..) {
        let (id, remembered) = parse_line(line).ok_or(number)?;
        if jids.insert(id, remembered).is_some() {
            return Err(number);
        }
    }
    Ok(jids)
}

fn parse_line(line: &[u8]) -> Option<(ConnectionId, RememberedJid)> {
    let mut words = std::str::from_utf8(line).ok()?.split('\t');
    let id: u32 = words.next()?.parse().ok().filter(|id| *id > 0)?;
    let [account, jid] = [words.next()?, words.next()?].map(str::to_owned);
    let is_full = Jid::new(&jid).is_ok_and(|parsed| parsed.resource().is_some() && parsed.as_str() == jid);
    (words.next().is_none() && is_full && account.contains('@'))
        .then_some((ConnectionId(id), RememberedJid { account, jid }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::Log;

    fn jids(entries: &[(u32, &str)]) -> RememberedJids {
        let remembered = |jid: &str| RememberedJid { account: "cpe@a.test".to_owned(), jid: jid.to_owned() };
        entries.iter().map(|(id, jid)| (ConnectionId(*id), remembered(jid))).collect()
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let file = JidFile::beside(&directory.path().join("run/xmppd.sock"));
        assert_eq!(file.load(), jids(&[]));
        for saved in [jids(&[(1, "cpe@a.test/wan"), (u32::MAX, "x@b.test/a resource \u{e4}")]), jids(&[])] {
            file.save(&saved);
            assert_eq!(file.load(), saved);
        }
        let names: Vec<_> =
            fs::read_dir(directory.path().join("run")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["xmppd.jids"]);
    }

    #[test]
    fn a_malformed_file_is_ignored_with_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let file = JidFile::beside(&directory.path().join("xmppd.sock"));
        for bad in [
            &b"x"[..],
            b"\n",
            b"\0\0\0",
            b"1\tcpe@a.test\tcpe@a.test/\xff\n",
            b"0\tcpe@a.test\tcpe@a.test/wan\n",
            b"4294967296\tcpe@a.test\tcpe@a.test/wan\n",
            b"1\tcpe@a.test\tcpe@a.test\n",
            b"1\tcpe\tcpe@a.test/wan\n",
            b"1\tcpe@a.test\t@/\n",
            b"1\tcpe@a.test\tcpe@a.test/wan\tx\n",
            b"1\tcpe@a.test\tcpe@a.test/wan\n1\tcpe@a.test\tcpe@a.test/lan\n",
        ] {
            let log = Log::capture();
            fs::write(directory.path().join("xmppd.jids"), bad).unwrap();
            assert_eq!(file.load(), jids(&[]), "{bad:?}");
            assert_eq!(log.lines(tracing::Level::WARN).len(), 1, "{bad:?}");
        }
        let log = Log::capture();
        fs::remove_file(directory.path().join("xmppd.jids")).unwrap();
        fs::create_dir(directory.path().join("xmppd.jids")).unwrap();
        assert_eq!(file.load(), jids(&[]));
        file.save(&jids(&[(1, "cpe@a.test/wan")]));
        file.save(&jids(&[(1, "cpe@a.test/lan")]));
        assert_eq!(log.lines(tracing::Level::WARN).len(), 2, "one for the reading, one for the writing");
    }

    #[test]
    fn what_a_crash_left_behind_is_replaced_and_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let file = JidFile::beside(&directory.path().join("xmppd.sock"));
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "precious").unwrap();
        std::os::unix::fs::symlink(&elsewhere, directory.path().join("xmppd.jids.new")).unwrap();
        file.save(&jids(&[(1, "cpe@a.test/wan")]));
        assert_eq!(file.load(), jids(&[(1, "cpe@a.test/wan")]));
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
    }
}
