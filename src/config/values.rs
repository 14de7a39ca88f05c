//! One option's text to one value, with the words for what was expected.

use std::path::PathBuf;
use std::time::Duration;

use jid::{DomainPart, NodePart, ResourcePart};
use serde::de::{Deserialize, Deserializer, Error, Unexpected};

use super::model::{KeepAlive, LogLevel, ServerAlgorithm};

/// A value that is written as one string.
pub(crate) trait FromText: Sized {
    /// None if the text is not such a value.
    fn from_text(text: &str) -> Option<Self>;

    /// What was expected, for a person: "expected ...".
    fn expected() -> String;
}

/// The value of a UCI option, which is always text.
#[derive(Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = T::from_text(&text);
        value
            .map(Self)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &T::expected().as_str()))
    }
}

/// A bool.
impl FromText for bool {
    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" | "enabled" => Some(true),
            "0" | "false" | "no" | "off" | "disabled" => Some(false),
            _ => None,
        }
    }

    fn expected() -> String {
        "1, 0, true, false, yes, no, on, off, enabled or disabled".to_owned()
    }
}

/// A whole number in decimal digits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole<const MIN: u32, const MAX: u32>(pub(crate) u32);

impl<const MIN: u32, const MAX: u32> FromText for Whole<MIN, MAX> {
    fn from_text(text: &str) -> Option<Self> {
        digits(text)
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
    }

    fn expected() -> String {
        format!("a number from {MIN} to {MAX}")
    }
}

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// The number as seconds.
    pub(crate) fn seconds(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

/// A whole number of 16 bits, not below `MIN`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Short<const MIN: u16>(pub(crate) u16);

impl<const MIN: u16> FromText for Short<MIN> {
    fn from_text(text: &str) -> Option<Self> {
        let number = u16::try_from(digits(text)?).ok()?;
        (number >= MIN).then_some(Self(number))
    }

    fn expected() -> String {
        format!("a number from {MIN} to {}", u16::MAX)
    }
}

/// Without the sign that Rust's parser takes.
pub(crate) fn digits(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// `weight`: none = -1.
#[derive(Debug)]
pub(crate) struct Weight(pub(crate) Option<u16>);

impl FromText for Weight {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self(None)),
            _ => Short::<0>::from_text(text).map(|Short(weight)| Self(Some(weight))),
        }
    }

    fn expected() -> String {
        format!("-1 or a number from 0 to {}", u16::MAX)
    }
}

/// `interval`
impl FromText for KeepAlive {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self::Automatic),
            _ => digits(text).map(|seconds| match seconds {
                0 => Self::Off,
                _ => Self::Every(Duration::from_secs(u64::from(seconds))),
            }),
        }
    }

    fn expected() -> String {
        format!("-1, 0 or a number of seconds up to {}", u32::MAX)
    }
}

/// `loglevel`
impl FromText for LogLevel {
    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "EMERG" => Some(Self::Emergency),
            "ALERT" => Some(Self::Alert),
            "CRITIC" | "0" => Some(Self::Critical),
            "ERROR" => Some(Self::Error),
            "WARNING" | "1" => Some(Self::Warning),
            "NOTICE" | "2" => Some(Self::Notice),
            "INFO" | "3" => Some(Self::Info),
            "DEBUG" | "4" => Some(Self::Debug),
            _ => None,
        }
    }

    fn expected() -> String {
        "EMERG, ALERT, CRITIC, ERROR, WARNING, NOTICE, INFO, DEBUG or a number from 0 to 4"
            .to_owned()
    }
}

/// `serveralgorithm`
impl FromText for ServerAlgorithm {
    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "dns-srv" => Some(Self::DnsSrv),
            "servertable" => Some(Self::ServerTable),
            _ => None,
        }
    }

    fn expected() -> String {
        "DNS-SRV or ServerTable".to_owned()
    }
}

/// `notify`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotifyBy {
    Ubus,
    Command,
}

impl FromText for NotifyBy {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "ubus" => Some(Self::Ubus),
            "command" => Some(Self::Command),
            _ => None,
        }
    }

    fn expected() -> String {
        "ubus or command".to_owned()
    }
}

/// `notify_command`
#[derive(Debug)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl FromText for Words {
    fn from_text(text: &str) -> Option<Self> {
        let words = shlex::split(text)?;
        words
            .first()
            .is_some_and(|program| !program.is_empty())
            .then_some(Self(words))
    }

    fn expected() -> String {
        "a program and its arguments, each quote closed".to_owned()
    }
}

/// `con_alias`, `con_srv_alias`: it stands in log lines and in the environment of the notify command.
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

/// `username`, kept as it is written.
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

/// `domain`, normalized: another spelling of the same domain is no change.
#[derive(Debug)]
pub(crate) struct Domain(pub(crate) String);

impl FromText for Domain {
    fn from_text(text: &str) -> Option<Self> {
        // In a JID an IPv6 address stands in brackets (RFC 7622, section 3.2).
        let literal = text
            .parse::<std::net::Ipv6Addr>()
            .map(|address| format!("[{address}]"));
        let domain = DomainPart::new(literal.as_deref().unwrap_or(text)).ok()?;
        Some(Self(domain.as_str().to_owned()))
    }

    fn expected() -> String {
        "a domain name or an IP address".to_owned()
    }
}

/// `resource`
#[derive(Debug)]
pub(crate) struct Resource(pub(crate) String);

impl FromText for Resource {
    fn from_text(text: &str) -> Option<Self> {
        ResourcePart::new(text)
            .ok()
            .map(|resource| Self(resource.as_str().to_owned()))
    }

    fn expected() -> String {
        "the resource part of a JID (what is after the '/')".to_owned()
    }
}

/// `tls_ca`
impl FromText for PathBuf {
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn expected() -> String {
        "the path of a PEM file".to_owned()
    }
}

/// `server_address`: a host name, or an IP address without brackets.
#[derive(Debug)]
pub(crate) struct Address(pub(crate) String);

impl FromText for Address {
    fn from_text(text: &str) -> Option<Self> {
        let unbracketed = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Some(address) = unbracketed {
            return address
                .parse::<std::net::Ipv6Addr>()
                .is_ok()
                .then(|| Self(address.to_owned()));
        }
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        (is_address || is_host_name(text)).then(|| Self(text.to_owned()))
    }

    fn expected() -> String {
        "a host name or an IP address".to_owned()
    }
}

/// Letters, digits, `-`, and the `_` of names in local networks; internationalized names by their A-labels.
fn is_host_name(text: &str) -> bool {
    let Ok(ascii) = idna::domain_to_ascii(text) else {
        return false;
    };
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits is no name (RFC 1123, section 2.1) but an IPv4 address with a mistake in it.
    let numeric = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && !numeric && name.split('.').all(is_label)
}

/// A list: the items of a UCI list, or one string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Items {
    /// `option`
    One(String),
    /// `list`
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Items;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Items, E> {
                Ok(Items::One(text.to_owned()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<Items, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Items::Many(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Items {
    /// The entries: an item of a list is an entry as it is, a string is split at blanks and commas.
    pub(crate) fn entries(&self) -> Vec<&str> {
        match self {
            Self::One(text) => split(text).collect(),
            Self::Many(items) => items
                .iter()
                .map(|item| item.trim())
                .filter(|item| !item.is_empty())
                .collect(),
        }
    }

    /// The entries, where none of them can have blanks or commas in it.
    pub(crate) fn words(&self) -> Vec<&str> {
        match self {
            Self::One(text) => split(text).collect(),
            Self::Many(items) => items.iter().flat_map(|item| split(item)).collect(),
        }
    }

    /// Whether anything but white space is written.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::One(text) => text.trim().is_empty(),
            Self::Many(items) => items.iter().all(|item| item.trim().is_empty()),
        }
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| char == ',' || char.is_whitespace())
        .filter(|entry| !entry.is_empty())
}
