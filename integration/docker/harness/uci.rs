//! The text of /etc/config/xmpp.

use std::fmt::{Display, Write as _};

/// The domain of all servers.
pub const DOMAIN: &str = "isp.test";
/// The password of all accounts.
pub const PASSWORD: &str = "password of the account";

/// A connection, with waits of at most a second.
#[derive(Debug, Clone)]
pub struct Connection(Vec<(String, String)>);

impl Connection {
    /// The connection of this account.
    pub fn new(account: &str) -> Self {
        Self(Vec::new())
            .option("enable", 1)
            .option("username", account)
            .option("password", PASSWORD)
            .option("domain", DOMAIN)
            .option("resource", "wan")
            .option("tls_ca", "/trust")
            .option("interval", 5)
            .option("initial_retry_interval", 1)
            .option("retry_interval_multiplier", 1000)
            .option("retry_max_interval", 1)
    }

    /// Sets an option.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Display) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A file with these connections, which accept any number of connection requests.
pub fn xmpp_file(connections: &[Connection]) -> String {
    let mut text =
        "config xmpp 'xmpp'\n\toption enable '1'\n\toption loglevel 'DEBUG'\n\toption connreq_limit '0'\n".to_owned();
    for id in 1..=connections.len() {
        let _ = writeln!(text, "\tlist id '{id}'");
    }
    for Connection(options) in connections {
        text.push_str("\nconfig connection\n");
        for (name, value) in options {
            let _ = writeln!(text, "\toption {name} '{value}'");
        }
    }
    text
}
