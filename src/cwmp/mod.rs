//! The CWMP client's side: whether it may be told of a connection request, and telling it.

pub mod authorize;
pub mod credentials;
pub mod lockout;
pub mod notify;
pub mod sender;
