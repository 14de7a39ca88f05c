//! Reads the connection request credentials from the CWMP client's file, `/etc/config/cwmp`.

use std::path::Path;

use crate::config::model::Password;
use crate::config::uci::{self, Section, SyntaxError};

/// The credentials that a connection request must carry (`ManagementServer.ConnectionRequestUsername` and
/// `ConnectionRequestPassword`). Neither is ever printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `userid`
    pub username: Password,
    /// `passwd`
    pub password: Password,
}

/// Parses the text of `/etc/config/cwmp`: options `userid` and `passwd` of the section `config cpe 'cpe'`.
///
/// Returns `None` if one of them is absent or empty: then no connection request can be authorized.
///
/// # Errors
/// The text is not valid UCI, or a value is not UTF-8.
pub fn credentials(file: &Path, text: &[u8]) -> Result<Option<Credentials>, SyntaxError> {
    let package = uci::parse(file, text)?;
    let is_cpe = |section: &&Section| section.kind == "cpe" && section.name.as_deref() == Some("cpe");
    let Some(section) = package.sections.iter().find(is_cpe) else {
        return Ok(None);
    };
    let option = |name: &str| -> Result<Option<Password>, SyntaxError> {
        let Some(entry) = section.option(name) else {
            return Ok(None);
        };
        let Some(bytes) = entry.text() else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map_err(|_| SyntaxError {
            file: file.to_owned(),
            line: entry.line(),
            column: 1,
            reason: "the value is not UTF-8",
            opened: None,
        })?;
        Ok(Some(Password::from(text)))
    };
    let (username, password) = (option("userid")?, option("passwd")?);
    Ok(username.zip(password).map(|(username, password)| Credentials { username, password }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Option<(String, String)>, String> {
        let credentials = credentials(Path::new("cwmp"), text).map_err(|error| error.to_string())?;
        let text = |secret: &Password| secret.expose().to_owned();
        Ok(credentials.map(|both| (text(&both.username), text(&both.password))))
    }

    #[test]
    fn both_options_are_required() {
        let both = b"config acs 'acs'\noption userid no\noption passwd no\n\
            config cpe 'cpe'\noption port 7547\noption userid 'cr'\noption passwd 's p'\n";
        assert_eq!(read(both), Ok(Some(("cr".to_owned(), "s p".to_owned()))));
        for text in [
            &b""[..],
            b"config cpe 'cpe'\noption userid cr\noption passwd ''\n",
            b"config cpe 'cpe'\noption passwd p\n",
            b"config cpe 'cpe'\noption userid cr\nlist passwd p\n",
            b"config cpe 'other'\noption userid cr\noption passwd p\n",
            b"config acs 'cpe'\noption userid cr\noption passwd p\n",
        ] {
            assert_eq!(read(text), Ok(None), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn errors_name_line_and_column() {
        assert_eq!(read(b"config cpe\noption\n"), Err("cwmp:2:1: invalid command".to_owned()));
        let text = b"config cpe 'cpe'\noption userid cr\noption passwd '\xff'\n";
        assert_eq!(read(text), Err("cwmp:3:1: the value is not UTF-8".to_owned()));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let text = b"config cpe 'cpe'\noption userid somename\noption passwd hunter2\n";
        let debug = format!("{:?}", credentials(Path::new("cwmp"), text).unwrap().unwrap());
        assert!(!debug.contains("somename") && !debug.contains("hunter2"), "{debug}");
    }
}
