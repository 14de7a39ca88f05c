//! The status that ends the answer to a request (ubusmsg.h).

use std::fmt;

/// A status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCode(pub u32);

impl StatusCode {
    /// The request was carried out.
    pub const OK: Self = Self(0);
    /// The arguments are not what the method takes.
    pub const INVALID_ARGUMENT: Self = Self(2);
    /// The object has no such method.
    pub const METHOD_NOT_FOUND: Self = Self(3);
    /// There is no such object.
    pub const NOT_FOUND: Self = Self(4);
    /// Something failed for another reason.
    pub const UNKNOWN_ERROR: Self = Self(9);
    /// Out of room.
    pub const NO_MEMORY: Self = Self(11);
}

/// In the words of libubus (`ubus_strerror`).
impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WORDS: [&str; 14] = [
            "Success",
            "Invalid command",
            "Invalid argument",
            "Method not found",
            "Not found",
            "No response",
            "Permission denied",
            "Request timed out",
            "Operation not supported",
            "Unknown error",
            "Connection failed",
            "Out of memory",
            "Parsing message data failed",
            "System error",
        ];
        match usize::try_from(self.0).ok().and_then(|code| WORDS.get(code)) {
            Some(words) => f.write_str(words),
            None => write!(f, "status {}", self.0),
        }
    }
}
