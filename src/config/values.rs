//! One option's text to one value, with the words for what was expected.

mod lists;
mod names;

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Unexpected};

use super::model::{KeepAlive, LogLevel, ServerAlgorithm};

pub(crate) use lists::Items;
use names::PATH_MAX;
pub(crate) use names::{Address, Alias, Domain, Resource, UserName};

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
        value.map(Self).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &T::expected().as_str()))
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
        digits(text).filter(|number| (MIN..=MAX).contains(number)).map(Self)
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
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
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
        "EMERG, ALERT, CRITIC, ERROR, WARNING, NOTICE, INFO, DEBUG or a number from 0 to 4".to_owned()
    }
}

/// `serveralgorithm`
impl FromText for ServerAlgorithm {
    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "dns-srv" => Some(Self::DnsSrv),
            "dns" => Some(Self::Dns),
            "servertable" => Some(Self::ServerTable),
            _ => None,
        }
    }

    fn expected() -> String {
        "DNS-SRV, DNS or ServerTable".to_owned()
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
        words.first().is_some_and(|program| (1..=PATH_MAX).contains(&program.len())).then_some(Self(words))
    }

    fn expected() -> String {
        "a program and its arguments, each quote closed".to_owned()
    }
}
