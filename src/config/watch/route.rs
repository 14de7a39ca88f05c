//! Follows a path through its directories and symbolic links, to find what has to be watched.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Maximum number of symbolic links that are followed, as in Linux (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;

/// Identifies an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// The way to a file, and the file, at one moment. Equal routes need the same watches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Route {
    /// The directories on the way except `/`; their paths have no symbolic links.
    pub(super) directories: Vec<(PathBuf, Inode)>,
    /// The symbolic links on the way, and a component that does not exist: directory and name.
    pub(super) links: Vec<(PathBuf, OsString)>,
    /// Directory and name of the file, which need not exist; none if its directory does not exist.
    pub(super) end: Option<(PathBuf, OsString)>,
    /// The file, if it exists.
    pub(super) file: Option<Inode>,
    /// inotify does not report all changes: a directory cannot be searched, or is on a network file system.
    pub(super) is_blind: bool,
}

impl Route {
    /// Follows a path; a relative one from the working directory.
    pub(super) fn of(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| Path::new("/").join(path));
        let mut route = Self::default();
        let mut here = PathBuf::from("/");
        let mut left: VecDeque<OsString> = components(&path).collect();
        while let Some(name) = left.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&name);
            match fs::symlink_metadata(&next) {
                Ok(metadata) if metadata.is_symlink() => {
                    let target = fs::read_link(&next).unwrap_or_default();
                    route.links.push((here.clone(), name));
                    if route.links.len() > MAX_LINKS as usize {
                        return route;
                    }
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    components(&target).rev().for_each(|component| left.push_front(component));
                }
                Ok(metadata) if left.is_empty() => {
                    route.end_at(here, name);
                    route.file = Some(Inode::of(&metadata));
                    route.is_blind |= is_remote(&next);
                    return route;
                }
                Ok(metadata) if metadata.is_dir() => {
                    route.directories.push((next.clone(), Inode::of(&metadata)));
                    here = next;
                }
                Err(_) if left.is_empty() => {
                    route.end_at(here, name);
                    return route;
                }
                // Another kind of file, or none, where a directory should be.
                outcome => {
                    let is_missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
                    route.is_blind |= outcome.is_err_and(|error| !is_missing(&error)) || is_remote(&here);
                    route.links.push((here, name));
                    return route;
                }
            }
        }
        route
    }

    fn end_at(&mut self, directory: PathBuf, name: OsString) {
        self.is_blind |= is_remote(&directory);
        self.end = Some((directory, name));
    }
}

/// The names in a path, and `..`.
fn components(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        _ => None,
    })
}

/// File systems whose changes inotify does not report, because others or the kernel make them; types of statfs(2).
const REMOTE: [u64; 11] = [
    0x6969,      // NFS
    0x517B,      // SMB
    0xFE53_4D42, // SMB2
    0xFF53_4D42, // CIFS
    0x0102_1997, // 9P
    0x6573_5546, // FUSE, virtiofs
    0x00C3_6400, // Ceph
    0x5346_414F, // AFS
    0x7375_7245, // Coda
    0x9FA0,      // proc
    0x6265_6572, // sysfs
];

#[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "the type of the 32 bits depends on the platform")]
fn is_remote(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|status| REMOTE.contains(&(status.f_type as u64 & 0xFFFF_FFFF)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{OsString, Path, PathBuf, Route, fs};

    fn links(route: &Route, root: &Path) -> Vec<String> {
        let shown = |(directory, name): &(PathBuf, OsString)| {
            directory.join(name).strip_prefix(root).unwrap().display().to_string()
        };
        route.links.iter().map(shown).collect()
    }

    #[test]
    fn each_link_on_the_way_is_part_of_the_route() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for directory in ["etc", "mnt", "mnt/..1"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        fs::write(root.join("mnt/..1/xmpp"), "").unwrap();
        symlink("..1", root.join("mnt/..data")).unwrap();
        symlink("..data/xmpp", root.join("mnt/xmpp")).unwrap();
        symlink(root.join("mnt/xmpp"), root.join("etc/xmpp")).unwrap();
        symlink("./etc/../etc", root.join("config")).unwrap();
        let route = Route::of(&root.join("config/xmpp"));
        assert_eq!(links(&route, &root), ["config", "etc/xmpp", "mnt/xmpp", "mnt/..data"]);
        assert_eq!(route.end, Some((root.join("mnt/..1"), "xmpp".into())));
        assert!(route.file.is_some() && !route.is_blind);
        assert!(route.directories.iter().any(|(path, _)| *path == root.join("etc")));
        assert_eq!(route, Route::of(&root.join("config/xmpp")));
        fs::remove_file(root.join("mnt/..1/xmpp")).unwrap();
        let gone = Route::of(&root.join("config/xmpp"));
        assert_eq!((gone.file, &gone.end), (None, &route.end));
    }

    #[test]
    fn a_route_ends_at_a_missing_directory_and_at_a_loop_of_links() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let route = Route::of(&root.join("a/b/xmpp"));
        assert_eq!((links(&route, &root), route.end, route.file), (vec!["a".to_owned()], None, None));
        fs::write(root.join("a"), "").unwrap();
        assert_eq!(links(&Route::of(&root.join("a/xmpp")), &root), ["a"]);
        symlink("loop", root.join("loop")).unwrap();
        let route = Route::of(&root.join("loop"));
        assert_eq!((route.end, route.file), (None, None));
        assert_eq!(route.links[0], (root.clone(), "loop".into()));
    }

    #[test]
    fn a_route_through_proc_or_sys_is_blind() {
        assert!(Route::of(Path::new("/proc/version")).is_blind);
        assert!(Route::of(Path::new("/sys/no-such-directory/xmpp")).is_blind);
        let root = tempfile::tempdir().unwrap();
        assert!(!Route::of(&root.path().join("xmpp")).is_blind);
    }
}
