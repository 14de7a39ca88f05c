//! Checks a `tls_ca` for `xmppd check`.

use std::path::Path;

use super::certificate::Certificate;
use super::clock;
use super::trust_paths::read_path;
use crate::calendar::date;

/// A problem of a file or directory of trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// There is no usable certificate: no attempt to connect can succeed.
    Unusable(String),
    /// A part that is not used, or the expiry of all certificates.
    Skipped(String),
}

/// Reads `path` as the daemon would, and returns what is wrong with it.
#[must_use]
pub fn examine(path: &Path) -> Vec<Finding> {
    let files = match read_path(path) {
        Ok(files) => files,
        Err(why) => return vec![Finding::Unusable(why)],
    };
    let mut certificates = files.iter().flat_map(|(_, file)| &file.certificates).peekable();
    if certificates.peek().is_none() {
        let why = files.iter().find_map(|(_, file)| file.unusable());
        return vec![Finding::Unusable(why.unwrap_or_else(|| "it holds no certificate".to_owned()))];
    }
    let mut findings = Vec::new();
    for (file, contents) in &files {
        let place = if file == path { String::new() } else { format!("{}: ", file.display()) };
        let skipped = contents.skipped.iter().filter(|skipped| !skipped.is_usual);
        findings.extend(skipped.map(|skipped| Finding::Skipped(format!("{place}{skipped}; skipped"))));
    }
    let now = i64::try_from(clock::now().as_secs()).unwrap_or(i64::MAX);
    let ends = certificates.map(|trusted| Certificate::read(&trusted.der).map_or(i64::MAX, |read| read.not_after));
    if let Some(last) = ends.max().filter(|last| *last < now) {
        findings.push(Finding::Skipped(format!("all of its certificates have expired, the last on {}", date(last))));
    }
    findings
}
