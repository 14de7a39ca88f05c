//! Reading a configuration file, whatever stands in its place.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};

/// The largest file that is read, bytes: ten thousand connections with all their options fit in.
pub const MAX_SIZE: u64 = 4 << 20;

/// A file that was changed more recently than this may be half written: an editor truncates first.
pub const SETTLED: Duration = Duration::from_millis(50);

/// So often in a row a file is put off that is [changed](Contents::is_settling) again and again, 10 s in all: someone who
/// edits it without end cannot keep a change back. Not sooner: in between, each edit in place has the file empty for a moment.
const MOST_CHANGED: u32 = 200;

/// So often in a row an empty file is put off, 5 s in all: on a busy disk a file system may cut a file some time before it
/// dates it anew and anybody hears of it (ext4, seen), and nobody who wants all connections gone is in such a hurry.
const MOST_EMPTY: u32 = 100;

/// How often in a row the reading of a file was put off, because it may not be what its writer means it to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    readings: u32,
    empty: u32,
}

impl Patience {
    /// Whether another reading is to come.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.readings > 0
    }

    /// Whether the file had better be read again, [`SETTLED`] later, and not be taken as it is now: while somebody writes
    /// to it, without end, and otherwise by what was read.
    pub fn puts_off(&mut self, contents: &Contents, written: bool, now: SystemTime) -> bool {
        if written {
            self.readings = self.readings.max(1);
            return true;
        }
        self.readings += 1;
        self.empty = if contents.text.is_empty() { self.empty + 1 } else { 0 };
        let wait = (contents.is_settling(now) && self.readings <= MOST_CHANGED)
            || (contents.text.is_empty() && self.empty <= MOST_EMPTY);
        if !wait {
            *self = Self::default();
        }
        wait
    }
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or not all of its directories.
    #[error("{}: {}", .0.display(), self.reason())]
    Missing(PathBuf),
    /// It is a directory, a FIFO, a device.
    #[error("{}: {}", .0.display(), self.reason())]
    NotAFile(PathBuf, &'static str),
    /// It has more than [`MAX_SIZE`] bytes.
    #[error("{}: {}", .0.display(), self.reason())]
    TooLarge(PathBuf),
    /// Anything else.
    #[error("{}: {}", .0.display(), self.reason())]
    Io(PathBuf, std::io::Error),
}

impl ReadError {
    /// What is wrong, without the file's name.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Missing(_) => "there is no such file".to_owned(),
            Self::NotAFile(_, what) => format!("{what}, not a file"),
            Self::TooLarge(_) => format!("larger than {MAX_SIZE} bytes"),
            Self::Io(_, error) => error.to_string(),
        }
    }

    /// Whether it passes without anybody touching the file: the process or the system is out of descriptors or memory.
    #[must_use]
    pub fn passes(&self) -> bool {
        use rustix::io::Errno;
        let Self::Io(_, error) = self else { return false };
        Errno::from_io_error(error).is_some_and(|errno| matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM))
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The file's bytes.
    pub text: Vec<u8>,
    /// Who else than its owner and group can get at them.
    pub exposure: Option<Exposure>,
    /// When the file was changed last, as of after the reading.
    pub modified: SystemTime,
}

impl Contents {
    /// Whether the file was changed a moment ago, or while it was read: it may be half written.
    ///
    /// What bears a date in the future (the clock was set back) is not waited for.
    #[must_use]
    pub fn is_settling(&self, now: SystemTime) -> bool {
        now.duration_since(self.modified).is_ok_and(|age| age < SETTLED)
    }
}

/// What every user of the device may do with a file that holds passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// The file's permissions, its last nine bits.
    mode: u32,
}

impl Exposure {
    fn of(metadata: &Metadata) -> Option<Self> {
        let mode = metadata.mode() & 0o777;
        (mode & 0o006 != 0).then_some(Self { mode })
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.mode & 0o006 {
            0o004 => "read",
            0o002 => "change",
            _ => "read and change",
        };
        write!(
            f,
            "every user of this device may {what} it (mode {:04o}): it holds passwords, expected mode 0600",
            self.mode
        )
    }
}

/// Reads a file, following symbolic links. It never waits: not for the other end of a FIFO either.
///
/// # Errors
/// [`ReadError`]
pub fn read(path: &Path) -> Result<Contents, ReadError> {
    let io = |error| match error {
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => ReadError::Missing(path.to_owned()),
        error => ReadError::Io(path.to_owned(), error.into()),
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io)?);
    let failed = |error| ReadError::Io(path.to_owned(), error);
    let metadata = file.metadata().map_err(failed)?;
    let kind = metadata.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "a special file" };
        return Err(ReadError::NotAFile(path.to_owned(), what));
    }
    let mut text = Vec::new();
    (&mut file).take(MAX_SIZE + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    // Asked for after the reading: who truncated the file in the middle of it is seen as well.
    let modified = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    Ok(Contents { text, exposure: Exposure::of(&metadata), modified })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_settles_after_its_last_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmpp");
        fs::write(&path, "#").unwrap();
        let contents = read(&path).unwrap();
        let written = contents.modified;
        assert!(contents.is_settling(written));
        assert!(contents.is_settling(written + SETTLED - Duration::from_millis(1)));
        assert!(!contents.is_settling(written + SETTLED));
        assert!(!contents.is_settling(written - Duration::from_millis(1)));
    }

    /// How often a file is put off that is read so again and again.
    fn put_off(patience: &mut Patience, contents: &Contents, now: SystemTime) -> u32 {
        let mut times = 0;
        while patience.puts_off(contents, false, now) {
            times += 1;
        }
        assert!(!patience.is_waiting());
        times
    }

    #[test]
    fn what_may_be_half_a_file_is_put_off_but_not_for_ever() {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let old = modified + Duration::from_secs(86_400);
        let whole = Contents { text: b"#".to_vec(), exposure: None, modified };
        let empty = Contents { text: Vec::new(), ..whole.clone() };
        let mut patience = Patience::default();
        assert_eq!(put_off(&mut patience, &whole, old), 0);
        assert_eq!(put_off(&mut patience, &whole, modified), MOST_CHANGED);
        assert_eq!(put_off(&mut patience, &empty, old), MOST_EMPTY);
        assert_eq!(put_off(&mut patience, &empty, modified), MOST_CHANGED);
        // One that is empty at last is not taken for having been waited for before.
        for _ in 0..MOST_CHANGED {
            assert!(patience.puts_off(&whole, false, modified));
        }
        assert!(patience.is_waiting());
        assert_eq!(put_off(&mut patience, &empty, old), MOST_EMPTY);
        // Who writes is waited for.
        for _ in 0..=2 * MOST_CHANGED {
            assert!(patience.puts_off(&whole, true, old) && patience.is_waiting());
        }
        assert_eq!(put_off(&mut patience, &whole, old), 0);
    }

    #[test]
    fn files_and_what_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmpp");
        assert!(matches!(read(&path), Err(ReadError::Missing(_))));
        assert!(matches!(read(&path.join("x")), Err(ReadError::Missing(_))));
        let largest = usize::try_from(MAX_SIZE).unwrap();
        fs::write(&path, vec![b'\n'; largest]).unwrap();
        assert_eq!(read(&path).unwrap().text.len(), largest);
        assert!(matches!(read(&path.join("x")), Err(ReadError::Missing(_))));
        fs::write(&path, vec![b'\n'; largest + 1]).unwrap();
        assert!(matches!(read(&path), Err(ReadError::TooLarge(_))));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert_eq!(message, format!("{}: a directory, not a file", path.display()));
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(matches!(read(&fifo), Err(ReadError::NotAFile(_, "a special file"))));
    }

    #[test]
    fn what_passes_by_itself() {
        let io = |errno: rustix::io::Errno| ReadError::Io("xmpp".into(), errno.into());
        assert!(io(rustix::io::Errno::MFILE).passes());
        assert!(!io(rustix::io::Errno::ACCESS).passes());
        assert!(!ReadError::Missing("xmpp".into()).passes());
    }

    #[test]
    fn what_others_may_do_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmpp");
        fs::write(&path, "").unwrap();
        for (mode, expected) in [
            (0o600, None),
            (0o660, None),
            (0o644, Some("read it (mode 0644)")),
            (0o602, Some("change it (mode 0602)")),
            (0o666, Some("read and change it (mode 0666)")),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = read(&path).unwrap().exposure.map(|exposure| exposure.to_string());
            let expected = expected
                .map(|may| format!("every user of this device may {may}: it holds passwords, expected mode 0600"));
            assert_eq!(said, expected);
        }
    }
}
