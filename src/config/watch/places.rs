//! The directories that are watched, and what an event in them means.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use inotify::{EventMask, EventOwned, WatchDescriptor, WatchMask, Watches};

/// What an event means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: another file in a watched directory.
    Nothing,
    /// These files may have changed, by number.
    Files(Vec<usize>),
    /// These files are being written, by number: half of them may be there.
    Writing(Vec<usize>),
    /// A watched directory is not any more what its path leads to.
    Moved,
}

/// A name in a watched directory.
#[derive(Debug)]
struct Place {
    directory: PathBuf,
    name: OsString,
    /// The file of that number; none = a directory with files that are watched.
    file: Option<usize>,
    /// None while the directory is not there.
    watched: Option<WatchDescriptor>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Places(Vec<Place>);

impl Places {
    pub(super) fn new(files: &[PathBuf]) -> Self {
        let mut places = Vec::new();
        let mut directories = BTreeSet::new();
        for (number, file) in files.iter().enumerate() {
            // Without a working directory a path of its own is looked for from the root.
            let file = std::path::absolute(file).unwrap_or_else(|_| Path::new("/").join(file));
            if let Some((directory, name)) = split(&file) {
                directories.insert(directory.clone());
                places.push(Place { directory, name, file: Some(number), watched: None });
            }
        }
        for (directory, name) in directories.iter().filter_map(|directory| split(directory)) {
            places.push(Place { directory, name, file: None, watched: None });
        }
        Self(places)
    }

    /// The watches are gone with the inotify instance that had them.
    pub(super) fn forget(&mut self) {
        for place in &mut self.0 {
            place.watched = None;
        }
    }

    /// Watches what is not watched yet; gives the files that are now, and why a directory that is there is not watched.
    pub(super) fn watch(&mut self, watches: &mut Watches) -> (Vec<usize>, io::Result<()>) {
        // CREATE alone is for what is not written: links, directories. Added, because two paths may lead to one directory.
        let entries = WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVED_FROM
            | WatchMask::MOVED_TO
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR
            | WatchMask::MASK_ADD;
        // A write is seen when the file is closed: until then there may be half of it, as CREATE and MODIFY tell. Of what
        // lies beside the directory no writes are seen: whoever logs there would wake us with each line.
        let writes = WatchMask::CLOSE_WRITE | WatchMask::MODIFY;
        let (mut found, mut outcome) = (Vec::new(), Ok(()));
        for place in self.0.iter_mut().filter(|place| place.watched.is_none()) {
            let mask = if place.file.is_some() { entries | writes } else { entries };
            match watches.add(&place.directory, mask) {
                Ok(descriptor) => {
                    place.watched = Some(descriptor);
                    found.extend(place.file);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => outcome = Err(error),
            }
        }
        (found, outcome)
    }

    pub(super) fn any_missing(&self) -> bool {
        self.0.iter().any(|place| place.watched.is_none())
    }

    pub(super) fn see(&self, event: &EventOwned) -> Seen {
        let gone = EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT | EventMask::IGNORED;
        if event.mask.intersects(gone) {
            return Seen::Moved;
        }
        let meant =
            |place: &&Place| place.watched.as_ref() == Some(&event.wd) && event.name.as_ref() == Some(&place.name);
        let (mut files, mut writing) = (Vec::new(), Vec::new());
        for place in self.0.iter().filter(meant) {
            match place.file {
                None if event.mask.intersects(EventMask::CLOSE_WRITE | EventMask::MODIFY) => {}
                None => return Seen::Moved,
                Some(file) if event.mask.contains(EventMask::MODIFY) => writing.push(file),
                Some(file) if event.mask.contains(EventMask::CREATE) && is_being_written(place) => writing.push(file),
                Some(file) => files.push(file),
            }
        }
        match (files.is_empty(), writing.is_empty()) {
            (false, _) => Seen::Files(files),
            (true, false) => Seen::Writing(writing),
            (true, true) => Seen::Nothing,
        }
    }
}

/// A new plain file: its contents come later, and with them `CLOSE_WRITE`.
fn is_being_written(place: &Place) -> bool {
    let metadata = std::fs::symlink_metadata(place.directory.join(&place.name));
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
}

fn split(path: &Path) -> Option<(PathBuf, OsString)> {
    Some((path.parent()?.to_owned(), path.file_name().map(OsStr::to_owned)?))
}
