//! Permissions of a file that holds passwords.

use std::fmt;

/// A file that holds passwords gives every user of the device access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsecurePermissions {
    mode: u32,
}

impl InsecurePermissions {
    /// Judges the last nine bits of a file's mode; none if only its owner and its group have access.
    #[must_use]
    pub fn of(mode: u32) -> Option<Self> {
        (mode & 0o006 != 0).then_some(Self { mode })
    }
}

impl fmt::Display for InsecurePermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.mode & 0o006 {
            0o004 => "read",
            0o002 => "change",
            _ => "read and change",
        };
        write!(
            f,
            "every user of this device may {access} it (mode {:04o}): it holds passwords, expected mode 0600",
            self.mode
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_of_other_users() {
        for (mode, expected) in [
            (0o600, None),
            (0o660, None),
            (0o644, Some("read it (mode 0644)")),
            (0o602, Some("change it (mode 0602)")),
            (0o666, Some("read and change it (mode 0666)")),
        ] {
            let message = InsecurePermissions::of(mode).map(|insecure| insecure.to_string());
            let expected = expected
                .map(|may| format!("every user of this device may {may}: it holds passwords, expected mode 0600"));
            assert_eq!(message, expected);
        }
    }
}
