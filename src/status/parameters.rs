//! The lines of `xmppd tr181`: a parameter and its value each.

use std::fmt::Write as _;

use crate::document::Table;
use crate::text::OneLine;

/// A path that names no parameter and no object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no parameter or object '{}'", OneLine(.0))]
pub struct UnknownPath(String);

/// Returns the parameters at and below a path as lines `path value`, in the order of the table. The path names a parameter,
/// or an object with or without its final dot; an empty one stands for all parameters.
///
/// # Errors
/// [`UnknownPath`]. An object without parameters, as a table without rows, is not unknown.
pub fn lines(parameters: &Table, path: &str) -> Result<String, UnknownPath> {
    let object = path.strip_suffix('.').unwrap_or(path);
    let is_below = |name: &str| match name.strip_prefix(object) {
        Some("") => path == object,
        Some(rest) => rest.starts_with('.') || path.is_empty(),
        None => false,
    };
    let mut text = String::new();
    for (name, value) in parameters.entries().filter(|(name, _)| is_below(name)) {
        let _ = writeln!(text, "{name} {}", OneLine(value.text().unwrap_or_default()));
    }
    if text.is_empty() && !is_table(parameters, object) { Err(UnknownPath(path.to_owned())) } else { Ok(text) }
}

const CONNECTIONS: &str = "Device.XMPP.Connection";

/// Whether a path names one of the tables, which may be empty.
fn is_table(parameters: &Table, object: &str) -> bool {
    let of_a_connection = |parent| parameters.get(&format!("{parent}.Status")).is_some();
    object == CONNECTIONS || object.strip_suffix(".Server").is_some_and(of_a_connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(path: &str) -> Result<Vec<String>, String> {
        let parameters = Table::new()
            .with("Device.XMPP.ConnectionNumberOfEntries", "2")
            .with("Device.XMPP.Connection.1.Status", "Enabled")
            .with("Device.XMPP.Connection.1.Resource", "")
            .with("Device.XMPP.Connection.1.Server.2.Port", "5222")
            .with("Device.XMPP.Connection.10.Status", "a\n\u{1b}b");
        let lines = lines(&parameters, path).map_err(|error| error.to_string())?;
        Ok(lines.lines().map(|line| line.strip_prefix("Device.XMPP.Connection").unwrap().to_owned()).collect())
    }

    #[test]
    fn a_path_selects_what_is_at_and_below_it() {
        let first = [".1.Status Enabled", ".1.Resource ", ".1.Server.2.Port 5222"];
        let tenth = r".10.Status a\n\u{1b}b";
        for (path, expected) in [
            ("", vec!["NumberOfEntries 2", first[0], first[1], first[2], tenth]),
            ("Device.", vec!["NumberOfEntries 2", first[0], first[1], first[2], tenth]),
            ("Device.XMPP.Connection.", vec![first[0], first[1], first[2], tenth]),
            ("Device.XMPP.Connection", vec![first[0], first[1], first[2], tenth]),
            ("Device.XMPP.Connection.1", first.to_vec()),
            ("Device.XMPP.Connection.1.", first.to_vec()),
            ("Device.XMPP.Connection.1.Server.", vec![first[2]]),
            ("Device.XMPP.Connection.10.Server.", vec![]),
            ("Device.XMPP.Connection.10.Server", vec![]),
            ("Device.XMPP.Connection.1.Resource", vec![first[1]]),
            ("Device.XMPP.Connection.10.Status", vec![tenth]),
        ] {
            assert_eq!(selected(path), Ok(expected.into_iter().map(str::to_owned).collect()), "{path}");
        }
    }

    #[test]
    fn an_unknown_path_is_an_error() {
        for path in [
            "Device.XMPP.Connection.2",
            "Device.XMPP.Connection.2.Server.",
            "Device.XMPP.Connection.1.Stat",
            "Device.XMPP.Connection.1.Status.",
            "Device.XMPP.Conn",
            "device.XMPP.",
            ".",
            "..",
        ] {
            assert_eq!(selected(path), Err(format!("there is no parameter or object '{path}'")));
        }
        assert_eq!(selected("a\n"), Err(r"there is no parameter or object 'a\n'".to_owned()));
    }

    #[test]
    fn without_connections_their_table_is_empty() {
        let parameters = Table::new().with("Device.XMPP.ConnectionNumberOfEntries", "0");
        assert_eq!(lines(&parameters, "Device.XMPP.Connection."), Ok(String::new()));
        assert!(lines(&parameters, "Device.XMPP.Connection.1.").is_err());
    }
}
