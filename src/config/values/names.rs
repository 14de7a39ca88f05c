//! Names, addresses, paths and commands.

use std::path::PathBuf;

use jid::{DomainPart, NodePart, ResourcePart};

use super::from_text::FromText;

/// `con_alias`, `con_srv_alias`. They appear in log lines and in the environment of the notify command.
#[derive(Debug)]
pub(crate) struct Alias(pub(crate) String);

impl FromText for Alias {
    fn from_text(text: &str) -> Option<Self> {
        let fits = text.chars().nth(64).is_none() && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    fn expected() -> String {
        "up to 64 characters, no control characters".to_owned()
    }
}

/// `username`, not normalized.
#[derive(Debug)]
pub(crate) struct UserName(pub(crate) String);

impl FromText for UserName {
    fn from_text(text: &str) -> Option<Self> {
        let fits = text.chars().nth(256).is_none() && NodePart::new(text).is_ok();
        fits.then(|| Self(text.to_owned()))
    }

    fn expected() -> String {
        "the local part of a JID (what is before the '@'), up to 256 characters".to_owned()
    }
}

/// `domain`, normalized, so that another spelling is not a change.
#[derive(Debug)]
pub(crate) struct Domain(pub(crate) String);

impl FromText for Domain {
    fn from_text(text: &str) -> Option<Self> {
        // A JID has an IPv6 address in brackets (RFC 7622, section 3.2).
        let literal = text.parse::<std::net::Ipv6Addr>().map(|address| format!("[{address}]"));
        let domain = DomainPart::new(literal.as_deref().unwrap_or(text)).ok()?;
        Some(Self(domain.as_str().to_owned()))
    }

    fn expected() -> String {
        "a domain name or an IP address".to_owned()
    }
}

/// `resource`, normalized.
#[derive(Debug)]
pub(crate) struct Resource(pub(crate) String);

impl FromText for Resource {
    fn from_text(text: &str) -> Option<Self> {
        ResourcePart::new(text).ok().map(|resource| Self(resource.as_str().to_owned()))
    }

    fn expected() -> String {
        "the resource part of a JID (what is after the '/')".to_owned()
    }
}

/// The longest path that Linux accepts, in bytes.
const PATH_MAX: usize = 4095;

/// `tls_ca`
impl FromText for PathBuf {
    fn from_text(text: &str) -> Option<Self> {
        (1..=PATH_MAX).contains(&text.len()).then(|| Self::from(text))
    }

    fn expected() -> String {
        format!("the path of a file or directory of certificates, up to {PATH_MAX} bytes")
    }
}

/// `notify_command`: program and arguments.
#[derive(Debug)]
pub(crate) struct NotifyCommand(pub(crate) Vec<String>);

impl FromText for NotifyCommand {
    fn from_text(text: &str) -> Option<Self> {
        let words = shlex::split(text)?;
        words.first().is_some_and(|program| (1..=PATH_MAX).contains(&program.len())).then_some(Self(words))
    }

    fn expected() -> String {
        "a program and its arguments, each quote closed".to_owned()
    }
}

/// `server_address`: a host name, or an IP address without brackets.
#[derive(Debug)]
pub(crate) struct HostAddress(pub(crate) String);

impl FromText for HostAddress {
    fn from_text(text: &str) -> Option<Self> {
        let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(address) = unbracketed {
            return address.parse::<std::net::Ipv6Addr>().is_ok().then(|| Self(address.to_owned()));
        }
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        (is_address || is_host_name(text)).then(|| Self(text.to_owned()))
    }

    fn expected() -> String {
        "a host name or an IP address".to_owned()
    }
}

/// Labels of letters, digits, `-`, and the `_` of names in local networks; internationalized names by their A-labels.
fn is_host_name(text: &str) -> bool {
    let Ok(ascii) = idna::domain_to_ascii(text) else {
        return false;
    };
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is all digits is a mistyped IPv4 address (RFC 1123, section 2.1).
    let is_numeric = name.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && !is_numeric && name.split('.').all(is_label)
}
