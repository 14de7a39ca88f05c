//! From the text of `/etc/config/xmpp` to typed settings, and from two of them to what has to be done.

pub mod model;
pub mod uci;
