//! Reading a configuration file, whatever stands in its place.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};

/// The largest file that is read, bytes: ten thousand connections with all their options fit in.
pub const MAX_SIZE: u64 = 4 << 20;

/// A file that was changed more recently than this may be half written: an editor truncates first.
pub const SETTLED: Duration = Duration::from_millis(50);

/// Whether the file was changed a moment ago, so that it had better be read a little later.
///
/// What is not there, and what bears a date in the future (the clock was set back), is not waited for.
#[must_use]
pub fn is_settling(path: &Path, now: SystemTime) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age < SETTLED))
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or not all of its directories.
    #[error("{}: there is no such file", .0.display())]
    Missing(PathBuf),
    /// It is a directory, a FIFO, a device.
    #[error("{}: {what}, not a file", .0.display(), what = .1)]
    NotAFile(PathBuf, &'static str),
    /// It has more than [`MAX_SIZE`] bytes.
    #[error("{}: larger than {MAX_SIZE} bytes", .0.display())]
    TooLarge(PathBuf),
    /// Anything else.
    #[error("{}: {error}", .0.display(), error = .1)]
    Io(PathBuf, std::io::Error),
}

/// Reads a file, following symbolic links. It never waits: not for the other end of a FIFO either.
///
/// # Errors
/// [`ReadError`]
pub fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let io = |error| match error {
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => ReadError::Missing(path.to_owned()),
        error => ReadError::Io(path.to_owned(), error.into()),
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io)?);
    let failed = |error| ReadError::Io(path.to_owned(), error);
    let kind = file.metadata().map_err(failed)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "a special file" };
        return Err(ReadError::NotAFile(path.to_owned(), what));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_settles_after_its_last_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmpp");
        assert!(!is_settling(&path, SystemTime::now()));
        fs::write(&path, "").unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(is_settling(&path, written));
        assert!(is_settling(&path, written + SETTLED - Duration::from_millis(1)));
        assert!(!is_settling(&path, written + SETTLED));
        assert!(!is_settling(&path, written - Duration::from_millis(1)));
    }

    #[test]
    fn files_and_what_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmpp");
        assert!(matches!(read(&path), Err(ReadError::Missing(_))));
        assert!(matches!(read(&path.join("x")), Err(ReadError::Missing(_))));
        let largest = usize::try_from(MAX_SIZE).unwrap();
        fs::write(&path, vec![b'\n'; largest]).unwrap();
        assert_eq!(read(&path).unwrap().len(), largest);
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
}
