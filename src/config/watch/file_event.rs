//! The configuration files, and what can happen to them.

/// A file that xmppd follows. If both are due, they are read in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigFile {
    /// `/etc/config/cwmp`
    Cwmp,
    /// `/etc/config/xmpp`
    Xmpp,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// The path may lead to another file.
    Replaced,
    /// The file may have changed, and is not being written any more.
    Changed,
    /// The file was created, and may still be open for writing.
    Created,
    /// The file is being written.
    Writing,
}
