//! From the text of `/etc/config/xmpp` to typed settings, and from two of them to what has to be done.

mod check;
pub mod diff;
mod generation;
mod load;
mod merge;
pub mod model;
mod permissions;
pub(crate) mod problem;
mod provider;
mod references;
mod schema;
mod section_reader;
mod startup;
pub mod uci;
mod validate;
mod values;
pub mod watch;

pub use check::{Report, check, check_with_trust};
pub use diff::{Changes, diff};
pub use generation::{Generation, OlderName};
pub use load::{Loaded, load};
pub use merge::merge;
pub use permissions::InsecurePermissions;
pub use problem::{Problem, Severity};
pub use startup::{Arguments, Startup, StartupError};
pub use watch::{ConfigFile, FirstReading, Reading, Watch};
