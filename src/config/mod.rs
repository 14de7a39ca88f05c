//! The configuration: parses and validates `/etc/config/xmpp`, compares settings, and watches the files.

pub mod check;
pub mod diff;
pub mod generation;
pub mod load;
pub mod loaded;
pub mod merge;
pub mod model;
pub mod outline;
pub mod permissions;
pub mod problem;
mod references;
pub(crate) mod schema;
mod section_layer;
mod section_reader;
pub mod startup;
mod suggestion;
pub mod uci;
mod validate;
mod values;
pub mod watch;
