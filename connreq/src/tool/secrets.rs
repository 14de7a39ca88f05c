//! Reads passwords from a file or the environment. Never from the arguments, which all users of the machine can read.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use secrecy::SecretString;

/// The environment variable with the account's password.
pub(super) const PASSWORD: &str = "CONNREQ_PASSWORD";
/// The environment variable with the connection request's password.
pub(super) const SECRET: &str = "CONNREQ_SECRET";
/// Maximum size of a password file, bytes.
const MAX_LENGTH: u64 = 64 * 1024;

/// Where a password comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A file or the environment.
    Known(SecretString),
    /// The terminal: it is not known yet.
    Ask,
}

/// Reads a password from the file, or else from the environment. Returns a warning as well if other users may read the
/// file.
///
/// # Errors
/// Names the file or variable that cannot be used.
pub(super) fn find(
    file: Option<&Path>,
    variable: &str,
    environment: Option<OsString>,
) -> Result<(Source, Option<String>), String> {
    if let Some(path) = file {
        let (secret, warning) = read(path).map_err(|why| format!("{}: {why}", path.display()))?;
        return Ok((Source::Known(secret), warning));
    }
    let source = match environment.map(OsString::into_string) {
        Some(Ok(text)) => Source::Known(SecretString::from(text)),
        Some(Err(_)) => return Err(format!("{variable} is not UTF-8")),
        None => Source::Ask,
    };
    Ok((source, None))
}

fn read(path: &Path) -> Result<(SecretString, Option<String>), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.by_ref().take(MAX_LENGTH + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(format!("more than {MAX_LENGTH} bytes: expected a password"));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err("empty: expected a password".to_owned());
    }
    let warning = (metadata.is_file() && metadata.mode() & 0o077 != 0).then(|| {
        format!(
            "{}: password file is accessible by other users (mode {:03o}), use chmod 600",
            path.display(),
            metadata.mode() & 0o777
        )
    });
    Ok((SecretString::from(secret), warning))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn known(source: Source) -> String {
        match source {
            Source::Known(secret) => secret.expose_secret().to_owned(),
            Source::Ask => panic!("no password"),
        }
    }

    #[test]
    fn a_file_overrides_the_environment_and_loses_its_final_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, " pass word \r\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (source, warning) = find(Some(&path), "X", Some("other".into())).unwrap();
        assert_eq!((known(source).as_str(), warning), (" pass word ", None));
        assert_eq!(known(find(None, "X", Some("other".into())).unwrap().0), "other");
        assert_eq!(known(find(None, "X", Some("".into())).unwrap().0), "");
        assert!(matches!(find(None, "X", None).unwrap().0, Source::Ask));
    }

    #[test]
    fn a_file_accessible_by_other_users_causes_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "p").unwrap();
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let warning = find(Some(&path), "X", None).unwrap().1;
            assert_eq!(warning.is_some(), warned, "{mode:o}: {warning:?}");
            assert!(warning.is_none_or(|warning| warning.contains(&format!("(mode {mode:o})"))));
        }
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (content, word) in [(&b"\n"[..], "empty"), (b"\xff\xfe", "UTF-8"), (&vec![b'x'; 70_000], "more than")] {
            std::fs::write(&path, content).unwrap();
            let error = find(Some(&path), "X", None).unwrap_err();
            assert!(error.starts_with(&format!("{}: ", path.display())) && error.contains(word), "{error}");
        }
        let error = find(Some(Path::new("/nonexistent/p")), "X", None).unwrap_err();
        assert!(error.starts_with("/nonexistent/p: "), "{error}");
    }
}
