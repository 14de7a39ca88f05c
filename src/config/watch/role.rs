//! Why an inode is watched: which events that takes, and what they mean for the file.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use inotify::{EventMask, EventOwned, WatchMask};

use super::file_event::FileEvent;
use super::route::Route;

/// The role of a watched inode on the way to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// A directory on the way to the file.
    Ancestor,
    /// The directory of a symbolic link, or of a component that does not exist, with its name.
    LinkParent(OsString),
    /// The directory of the file, with the file's name.
    Parent(PathBuf, OsString),
    /// The file itself, which may be written under another name.
    File,
}

impl Role {
    /// The paths to watch for a route, with their roles.
    pub(super) fn of_route(route: &Route) -> impl Iterator<Item = (PathBuf, Self)> {
        let ancestors = route.directories.iter().map(|(path, _)| (path.clone(), Self::Ancestor));
        let links = route.links.iter().map(|(directory, name)| (directory.clone(), Self::LinkParent(name.clone())));
        let parent = route.end.iter().map(|(path, name)| (path.clone(), Self::Parent(path.clone(), name.clone())));
        let existing = route.end.iter().filter(|_| route.file.is_some());
        let file = existing.map(|(directory, name)| (directory.join(name), Self::File));
        ancestors.chain(links).chain(parent).chain(file)
    }

    /// The events to watch for.
    pub(super) fn mask(&self) -> WatchMask {
        // CREATE alone also reports what is never written: links and directories.
        let entries = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVED_FROM | WatchMask::MOVED_TO;
        let writes = WatchMask::CLOSE_WRITE | WatchMask::MODIFY | WatchMask::ATTRIB;
        match self {
            // No entries: other programs may create files there all the time.
            Self::Ancestor => WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR,
            Self::LinkParent(_) => entries | WatchMask::ONLYDIR,
            Self::Parent(..) => entries | writes | WatchMask::ONLYDIR,
            Self::File => writes,
        }
    }

    /// What an event means for the file; none if nothing.
    pub(super) fn interpret(&self, event: &EventOwned) -> Option<FileEvent> {
        let mask = event.mask;
        let is_entry =
            mask.intersects(EventMask::CREATE | EventMask::DELETE | EventMask::MOVED_FROM | EventMask::MOVED_TO);
        let is_about = |name: &OsString| event.name.as_ref() == Some(name);
        let write = || {
            let event = if mask.contains(EventMask::MODIFY) { FileEvent::Writing } else { FileEvent::Changed };
            mask.intersects(EventMask::MODIFY | EventMask::CLOSE_WRITE | EventMask::ATTRIB).then_some(event)
        };
        match self {
            Self::Ancestor => mask
                .intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT | EventMask::IGNORED)
                .then_some(FileEvent::Replaced),
            Self::LinkParent(name) => (is_entry && is_about(name)).then_some(FileEvent::Replaced),
            Self::Parent(directory, name) if is_about(name) => match mask {
                mask if mask.contains(EventMask::CREATE) && will_be_closed(&directory.join(name)) => {
                    Some(FileEvent::Created)
                }
                _ if is_entry => Some(FileEvent::Replaced),
                _ => write(),
            },
            Self::Parent(..) => None,
            Self::File => event.name.is_none().then(write).flatten(),
        }
    }
}

/// Whether a new entry is a regular file with one name, which its writer will close. Links and directories are complete.
fn will_be_closed(path: &Path) -> bool {
    let metadata = std::fs::symlink_metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
}
