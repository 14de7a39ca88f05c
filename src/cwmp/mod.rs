//! What lies between a connection request and the CWMP client.

pub mod credentials;
