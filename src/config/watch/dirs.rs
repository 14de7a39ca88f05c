//! The inotify watches on the way to the files.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use inotify::{EventOwned, WatchDescriptor, WatchMask, Watches};

use super::file_event::{ConfigFile, FileEvent};
use super::role::Role;
use super::route::Route;

/// Maximum number of times that the paths are followed again because they changed while they were followed.
const MAX_ROUNDS: u32 = 16;

/// All watches, and the routes that they are for.
#[derive(Debug, Default)]
pub(super) struct WatchedDirs {
    routes: BTreeMap<ConfigFile, Route>,
    roles: Vec<(WatchDescriptor, ConfigFile, Role)>,
    /// A directory may be passed through but not watched.
    is_denied: bool,
}

impl WatchedDirs {
    /// Follows the paths and watches what they lead to now. Returns the files whose routes changed.
    ///
    /// # Errors
    /// Something that exists cannot be watched. Everything else is watched.
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
        // Changes between following a path and watching it were not reported.
        for _ in 0..MAX_ROUNDS {
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
            for (path, role) in Role::of_route(route) {
                // An inode has one watch, even if several paths lead to it.
                match watches.add(&path, role.mask() | WatchMask::MASK_ADD) {
                    Ok(descriptor) => roles.push((descriptor, *file, role)),
                    Err(error) => match error.kind() {
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {}
                        io::ErrorKind::PermissionDenied => self.is_denied |= role != Role::File,
                        _ => outcome = Err(error),
                    },
                }
            }
        }
        let mut unused: Vec<_> = std::mem::replace(&mut self.roles, roles).into_iter().map(|(old, ..)| old).collect();
        unused.sort();
        unused.dedup();
        unused.retain(|old| !self.roles.iter().any(|(kept, ..)| kept == old));
        for descriptor in unused {
            // Fails if the inode is gone, and its watch with it.
            let _ = watches.remove(descriptor);
        }
        outcome
    }

    /// Whether some changes are not reported.
    pub(super) fn is_blind(&self) -> bool {
        self.is_denied || self.routes.values().any(|route| route.is_blind)
    }

    /// What an event means for each file that it concerns.
    pub(super) fn interpret(&self, event: &EventOwned) -> Vec<(ConfigFile, FileEvent)> {
        let of_event = self.roles.iter().filter(|(descriptor, ..)| *descriptor == event.wd);
        of_event.filter_map(|(_, file, role)| Some((*file, role.interpret(event)?))).collect()
    }
}
