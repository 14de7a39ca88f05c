//! Checks the permissions of files that contain passwords.

use std::fmt;

/// Permissions that give every user access to a file that contains passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsecurePermissions {
    mode: u32,
}

impl InsecurePermissions {
    /// Checks the last nine bits of a file's mode; none if only the owner and the group have access.
    #[must_use]
    pub fn of(mode: u32) -> Option<Self> {
        (mode & 0o006 != 0).then_some(Self { mode })
    }
}

impl fmt::Display for InsecurePermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.mode & 0o006 {
            0o004 => "readable",
            0o002 => "writable",
            _ => "readable and writable",
        };
        write!(f, "{access} by every user (mode {:04o}), expected mode 0600: the file contains passwords", self.mode)
    }
}

#[cfg(test)]
mod tests {
    use super::InsecurePermissions;

    #[test]
    fn access_of_other_users_is_insecure() {
        for (mode, expected) in [
            (0o600, None),
            (0o660, None),
            (0o644, Some("readable by every user (mode 0644)")),
            (0o602, Some("writable by every user (mode 0602)")),
            (0o666, Some("readable and writable by every user (mode 0666)")),
        ] {
            let message = InsecurePermissions::of(mode).map(|insecure| insecure.to_string());
            let expected = expected.map(|access| format!("{access}, expected mode 0600: the file contains passwords"));
            assert_eq!(message, expected);
        }
    }
}
