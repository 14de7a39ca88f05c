//! The inotify watches for the files, and what their events mean.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use inotify::{EventMask, EventOwned, WatchDescriptor, WatchMask, Watches};

use super::ConfigFile;
use super::route::Route;

/// What an event means for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The path may lead elsewhere now.
    Moved,
    /// The file may have changed.
    Changed,
    /// The file was made, and may still be open for writing.
    Created,
    /// The file is being written.
    Writing,
}

/// Why an inode is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// A directory on the way to the file.
    Directory,
    /// The directory of a link, or of a component that does not exist, with that name.
    Turn(OsString),
    /// The directory of the file, with the file's name.
    Parent(PathBuf, OsString),
    /// The file itself: it may be written under another name.
    Itself,
}

impl Role {
    fn mask(&self) -> WatchMask {
        // CREATE alone is for what is not written: links, directories.
        let entries = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVED_FROM | WatchMask::MOVED_TO;
        // A write counts when the file is closed: until then there may be half of it.
        let writes = WatchMask::CLOSE_WRITE | WatchMask::MODIFY | WatchMask::ATTRIB;
        match self {
            // Nothing about the entries: other programs may create files there all the time.
            Self::Directory => WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR,
            Self::Turn(_) => entries | WatchMask::ONLYDIR,
            Self::Parent(..) => entries | writes | WatchMask::ONLYDIR,
            Self::Itself => writes,
        }
    }

    fn meaning(&self, event: &EventOwned) -> Option<Meaning> {
        let mask = event.mask;
        let is_entry =
            mask.intersects(EventMask::CREATE | EventMask::DELETE | EventMask::MOVED_FROM | EventMask::MOVED_TO);
        let names = |name: &OsString| event.name.as_ref() == Some(name);
        let written = || {
            let meaning = if mask.contains(EventMask::MODIFY) { Meaning::Writing } else { Meaning::Changed };
            mask.intersects(EventMask::MODIFY | EventMask::CLOSE_WRITE | EventMask::ATTRIB).then_some(meaning)
        };
        match self {
            Self::Directory => mask
                .intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT | EventMask::IGNORED)
                .then_some(Meaning::Moved),
            Self::Turn(name) => (is_entry && names(name)).then_some(Meaning::Moved),
            Self::Parent(directory, name) if names(name) => match mask {
                mask if mask.contains(EventMask::CREATE) && is_plain(&directory.join(name)) => Some(Meaning::Created),
                _ if is_entry => Some(Meaning::Moved),
                _ => written(),
            },
            Self::Parent(..) => None,
            Self::Itself => event.name.is_none().then(written).flatten(),
        }
    }
}

/// A new plain file with one name: it is being written, and its closing will be reported.
fn is_plain(path: &Path) -> bool {
    let metadata = std::fs::symlink_metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
}

/// All watches, and the routes that they were made for.
#[derive(Debug, Default)]
pub(super) struct WatchedDirs {
    routes: BTreeMap<ConfigFile, Route>,
    roles: Vec<(WatchDescriptor, ConfigFile, Role)>,
    /// A directory may be passed through, but not watched.
    is_denied: bool,
}

impl WatchedDirs {
    /// Forgets all watches: the inotify instance that had them is gone.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Follows the paths anew and watches what they lead to now; gives the files whose routes changed.
    ///
    /// # Errors
    /// Something that exists cannot be watched. The rest is watched all the same.
    pub(super) fn follow(
        &mut self,
        files: &BTreeMap<ConfigFile, PathBuf>,
        watches: &mut Watches,
    ) -> (Vec<ConfigFile>, io::Result<()>) {
        let routes = |files: &BTreeMap<ConfigFile, PathBuf>| -> BTreeMap<ConfigFile, Route> {
            files.iter().map(|(file, path)| (*file, Route::of(path))).collect()
        };
        let before = std::mem::replace(&mut self.routes, routes(files));
        let mut outcome = self.watch(watches);
        // What happened between following a path and watching it was not reported.
        for _ in 0..MAX_FOLLOWED {
            let now = routes(files);
            if now == self.routes {
                break;
            }
            self.routes = now;
            outcome = self.watch(watches);
        }
        let changed = files.keys().filter(|file| before.get(file) != self.routes.get(file)).copied().collect();
        (changed, outcome)
    }

    fn watch(&mut self, watches: &mut Watches) -> io::Result<()> {
        let mut outcome = Ok(());
        let mut roles = Vec::new();
        self.is_denied = false;
        for (file, route) in &self.routes {
            for (path, role) in wanted(route) {
                // Several paths may lead to one inode, which has one watch.
                match watches.add(&path, role.mask() | WatchMask::MASK_ADD) {
                    Ok(descriptor) => roles.push((descriptor, *file, role)),
                    Err(error) => match error.kind() {
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {}
                        io::ErrorKind::PermissionDenied => self.is_denied |= role != Role::Itself,
                        _ => outcome = Err(error),
                    },
                }
            }
        }
        let mut old: Vec<_> = std::mem::replace(&mut self.roles, roles).into_iter().map(|(old, ..)| old).collect();
        old.sort();
        old.dedup();
        old.retain(|old| !self.roles.iter().any(|(kept, ..)| kept == old));
        for descriptor in old {
            // It fails where the inode is gone, and the watch with it.
            let _ = watches.remove(descriptor);
        }
        outcome
    }

    /// Whether some changes are not reported.
    pub(super) fn is_blind(&self) -> bool {
        self.is_denied || self.routes.values().any(|route| route.is_blind)
    }

    /// What an event means, for each file that it concerns.
    pub(super) fn interpret(&self, event: &EventOwned) -> Vec<(ConfigFile, Meaning)> {
        let of_event = self.roles.iter().filter(|(descriptor, ..)| *descriptor == event.wd);
        of_event.filter_map(|(_, file, role)| Some((*file, role.meaning(event)?))).collect()
    }
}

/// How often the paths are followed again because they changed in the meantime.
const MAX_FOLLOWED: u32 = 16;

fn wanted(route: &Route) -> impl Iterator<Item = (PathBuf, Role)> {
    let directories = route.directories.iter().map(|(path, _)| (path.clone(), Role::Directory));
    let turns = route.turns.iter().map(|(directory, name)| (directory.clone(), Role::Turn(name.clone())));
    let parent = route.end.iter().map(|(path, name)| (path.clone(), Role::Parent(path.clone(), name.clone())));
    let end = route.end.iter().filter(|_| route.file.is_some());
    let itself = end.map(|(directory, name)| (directory.join(name), Role::Itself));
    directories.chain(turns).chain(parent).chain(itself)
}
