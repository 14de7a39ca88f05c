//! Connection requests (TR-069 Annex K): authorizing them and notifying the CWMP client.

pub mod authorize;
pub mod credentials;
pub mod lockout;
pub mod notify;
pub mod sender;
