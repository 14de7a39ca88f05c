//! Numbers.

use std::time::Duration;

use super::from_text::FromText;
use crate::config::model::KeepAlive;

/// Parses decimal digits, without the sign that Rust's parser accepts.
pub(crate) fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct U32InRange<const MIN: u32, const MAX: u32>(pub(crate) u32);

impl<const MIN: u32, const MAX: u32> FromText for U32InRange<MIN, MAX> {
    fn from_text(text: &str) -> Option<Self> {
        digits(text).filter(|number| (MIN..=MAX).contains(number)).map(Self)
    }

    fn expected() -> String {
        format!("a number from {MIN} to {MAX}")
    }
}

impl<const MIN: u32, const MAX: u32> U32InRange<MIN, MAX> {
    /// The number as seconds.
    pub(crate) fn seconds(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

/// A number from `MIN` to 65535.
#[derive(Debug, Clone, Copy)]
pub(crate) struct U16From<const MIN: u16>(pub(crate) u16);

impl<const MIN: u16> FromText for U16From<MIN> {
    fn from_text(text: &str) -> Option<Self> {
        let number = u16::try_from(digits(text)?).ok()?;
        (number >= MIN).then_some(Self(number))
    }

    fn expected() -> String {
        format!("a number from {MIN} to {}", u16::MAX)
    }
}

/// `weight`: -1 (none), or a number from 0 to 65535.
#[derive(Debug)]
pub(crate) struct Weight(pub(crate) Option<u16>);

impl FromText for Weight {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self(None)),
            _ => U16From::<0>::from_text(text).map(|U16From(weight)| Self(Some(weight))),
        }
    }

    fn expected() -> String {
        format!("-1 or a number from 0 to {}", u16::MAX)
    }
}

/// `interval`: -1 (automatic), 0 (off), or seconds from 1 to 4294967295.
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
