//! Reads small files, and creates private directories. Directories, FIFOs and devices are refused as files, without blocking.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes. Ten thousand connections with all their options fit.
pub const MAX_SIZE: u64 = 4 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file, or one of its directories, does not exist.
    #[error("{}: {}", .0.display(), self.reason())]
    Missing(PathBuf),
    /// The path leads to a directory, a FIFO or a device.
    #[error("{}: {}", .0.display(), self.reason())]
    NotAFile(PathBuf, &'static str),
    /// The file has more than [`MAX_SIZE`] bytes.
    #[error("{}: {}", .0.display(), self.reason())]
    TooLarge(PathBuf),
    /// Any other error.
    #[error("{}: {}", .0.display(), self.reason())]
    Io(PathBuf, std::io::Error),
}

impl ReadError {
    /// The cause without the path.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Missing(_) => "there is no such file".to_owned(),
            Self::NotAFile(_, what) => format!("{what}, not a file"),
            Self::TooLarge(_) => format!("larger than {MAX_SIZE} bytes"),
            Self::Io(_, error) => error.to_string(),
        }
    }

    /// Whether a later attempt may succeed although the file does not change: out of descriptors or memory.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use rustix::io::Errno;
        let Self::Io(_, error) = self else { return false };
        Errno::from_io_error(error).is_some_and(|errno| matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM))
    }
}

/// A file's contents. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The bytes; wiped when dropped, because they may hold passwords.
    pub text: Zeroizing<Vec<u8>>,
    /// The file's permissions: the last nine bits of its mode.
    pub mode: u32,
    /// The modification time after the bytes were read.
    pub modified: SystemTime,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contents({} bytes, mode {:04o})", self.text.len(), self.mode)
    }
}

/// Reads a file, following symbolic links. Never blocks on a FIFO or a device.
///
/// # Errors
/// See [`ReadError`].
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
    let text = read_all(&mut file, metadata.len()).map_err(failed)?;
    let text = text.ok_or_else(|| ReadError::TooLarge(path.to_owned()))?;
    // Taken after the bytes, so that a write meanwhile changes it.
    let modified = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    Ok(Contents { text, mode: metadata.mode() & 0o777, modified })
}

/// Reads to the end without leaving copies in freed memory. `None` if there are more than [`MAX_SIZE`] bytes.
fn read_all(file: &mut File, expected: u64) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let zeros = |len: u64| Zeroizing::new(vec![0; usize::try_from(len).unwrap_or_default()]);
    let limit = MAX_SIZE + 1;
    let mut buffer = zeros((expected + 1).min(limit));
    let mut filled = 0;
    loop {
        if filled as u64 > MAX_SIZE {
            return Ok(None);
        }
        if filled == buffer.len() {
            let mut larger = zeros((2 * filled as u64).max(4096).min(limit));
            larger.iter_mut().zip(buffer.iter()).for_each(|(to, from)| *to = *from);
            buffer = larger;
        }
        match file.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => {
                buffer.truncate(filled);
                return Ok(Some(buffer));
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Creates a directory for its owner alone, unless it is there. Missing directories above it are open to all as usual: `/var/run`
/// is not xmppd's.
///
/// # Errors
/// A directory cannot be created.
pub fn create_private_directory(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_regular_files_up_to_the_maximum_size_are_read() {
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

    /// The size is a hint: it is 0 for files of /proc. This one does not change between the two reads.
    #[test]
    fn a_file_of_another_size_than_its_metadata_say_is_read_to_its_end() {
        let long = read(Path::new("/proc/version")).unwrap();
        assert_eq!(*long.text, fs::read("/proc/version").unwrap());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xmpp");
        let text: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        fs::write(&path, &text).unwrap();
        for expected in [0, 1, 99_999, 100_000, u64::MAX - 1] {
            assert_eq!(*read_all(&mut File::open(&path).unwrap(), expected).unwrap().unwrap(), text);
        }
    }

    #[test]
    fn only_the_last_directory_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let [run, private, usual] = ["run", "run/xmppd", "usual"].map(|name| directory.path().join(name));
        fs::create_dir(&usual).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        for _ in 0..2 {
            create_private_directory(&private).unwrap();
            assert_eq!((mode(&run), mode(&private)), (mode(&usual), 0o700));
        }
    }

    #[test]
    fn exhausted_descriptors_are_transient() {
        let io = |errno: rustix::io::Errno| ReadError::Io("xmpp".into(), errno.into());
        assert!(io(rustix::io::Errno::MFILE).is_transient());
        assert!(!io(rustix::io::Errno::ACCESS).is_transient());
        assert!(!ReadError::Missing("xmpp".into()).is_transient());
    }

    #[test]
    fn debug_shows_no_text() {
        let contents =
            Contents { text: Zeroizing::new(b"hunter2".to_vec()), mode: 0o600, modified: SystemTime::UNIX_EPOCH };
        assert_eq!(format!("{contents:?}"), "Contents(7 bytes, mode 0600)");
    }
}
