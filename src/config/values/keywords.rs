//! Options that are one of a few words.

use super::from_text::FromText;
use crate::config::model::{LogLevel, ServerAlgorithm};

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

    fn words() -> &'static [&'static str] {
        &["true", "false", "yes", "no", "on", "off", "enabled", "disabled"]
    }
}

/// `loglevel`: a name in any case, or a number from 0 to 4.
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

    fn words() -> &'static [&'static str] {
        &["EMERG", "ALERT", "CRITIC", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]
    }
}

/// `serveralgorithm`, in any case.
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

    fn words() -> &'static [&'static str] {
        &["DNS-SRV", "DNS", "ServerTable"]
    }
}

/// `notify`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotifyMethod {
    Ubus,
    Command,
}

impl FromText for NotifyMethod {
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

    fn words() -> &'static [&'static str] {
        &["ubus", "command"]
    }
}
