//! The payload of a connection request: schema `cwmp-xmppConnReq-1-0.xsd` of the Broadband Forum.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use xmpp::minidom::Element;

/// The namespace of `<connectionRequest/>` (TR-069 Annex K.2.3).
pub const NAMESPACE: &str = "urn:broadband-forum-org:cwmp:xmppConnReq-1-0";

/// The credentials that a CPE checks: `ManagementServer.ConnectionRequestUsername` and `ConnectionRequestPassword`.
#[derive(Clone, Default)]
pub struct Credentials {
    /// `<username/>`
    pub username: String,
    /// `<password/>`
    pub password: SecretString,
}

impl Credentials {
    /// Creates credentials.
    #[must_use]
    pub fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: SecretString::from(password) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Builds `<connectionRequest/>` with these credentials.
#[must_use]
pub fn connection_request(credentials: &Credentials) -> Element {
    let child = |name: &str, text: &str| Element::builder(name, NAMESPACE).append(text).build();
    Element::builder("connectionRequest", NAMESPACE)
        .append(child("username", &credentials.username))
        .append(child("password", credentials.password.expose_secret()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_follows_the_schema_and_is_escaped() {
        let element = connection_request(&Credentials::new("u", "p<&"));
        let text = String::from(&element);
        assert_eq!(
            text,
            "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
             <username>u</username><password>p&lt;&amp;</password></connectionRequest>"
        );
    }

    #[test]
    fn the_password_is_not_in_the_debug_output() {
        let text = format!("{:?}", Credentials::new("someone", "topsecret"));
        assert!(text.contains("someone") && !text.contains("topsecret"), "{text}");
    }
}
