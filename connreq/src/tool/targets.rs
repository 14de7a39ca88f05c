//! Reads the CPEs to ask: full JIDs from the arguments and from a file.

use std::collections::HashMap;
use std::fmt;

use xmpp::jid::{FullJid, Jid, ResourcePart};

/// Maximum length of an invalid text in an error, in characters.
const MAX_SHOWN: usize = 80;
const EXPECTED: &str = "expected a full JID, such as cpe1@isp.example/wan";

/// The CPEs to ask, without duplicates, in the order given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Targets {
    pub(super) jids: Vec<FullJid>,
    pub(super) warnings: Vec<String>,
}

/// Where a target was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Argument(usize),
    Line(&'a str, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(number) => write!(f, "JID {number}"),
            Self::Line(name, line) => write!(f, "{name}:{line}"),
        }
    }
}

/// Parses all targets. `file` has a name and contents; `resource` is for JIDs that have none.
///
/// # Errors
/// One line for each invalid JID, or a line if there is no target.
pub(super) fn collect(
    arguments: &[String],
    file: Option<(&str, &[u8])>,
    resource: Option<&ResourcePart>,
) -> Result<Targets, Vec<String>> {
    let mut given: Vec<(Place<'_>, &[u8])> = Vec::new();
    given.extend(arguments.iter().enumerate().map(|(index, text)| (Place::Argument(index + 1), text.as_bytes())));
    if let Some((name, content)) = file {
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        let lines = content.split(|byte| *byte == b'\n').map(without_comment);
        given.extend(lines.enumerate().map(|(index, text)| (Place::Line(name, index + 1), text)));
        given.retain(|(place, text)| matches!(place, Place::Argument(_)) || !text.is_empty());
    }
    let mut targets = Targets { jids: Vec::new(), warnings: Vec::new() };
    let mut errors = Vec::new();
    let mut seen: HashMap<FullJid, Place<'_>> = HashMap::new();
    for (place, text) in given {
        match parse(text, resource) {
            Err(why) => errors.push(format!("{place}: {why}")),
            Ok(jid) => {
                if let Some(first) = seen.get(&jid) {
                    targets.warnings.push(format!("{place}: duplicate of {first}: {jid}"));
                } else {
                    seen.insert(jid.clone(), place);
                    targets.jids.push(jid);
                }
            }
        }
    }
    if errors.is_empty() && targets.jids.is_empty() {
        errors.push(match file {
            Some((name, _)) => format!("{name}: no JID found; {EXPECTED}, one per line"),
            None => format!("no CPE given: {EXPECTED}, or --targets FILE"),
        });
    }
    if errors.is_empty() { Ok(targets) } else { Err(errors) }
}

/// Strips white space and the comment: what follows a `#` at the start or after white space. A `#` within a word may belong
/// to a resource.
fn without_comment(line: &[u8]) -> &[u8] {
    let comment =
        (0..line.len()).find(|&at| line[at] == b'#' && (at == 0 || matches!(line[at - 1], b' ' | b'\t' | b'\r')));
    line[..comment.unwrap_or(line.len())].trim_ascii()
}

fn parse(text: &[u8], resource: Option<&ResourcePart>) -> Result<FullJid, String> {
    let shown = String::from_utf8_lossy(text);
    let shown: String = match shown.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("'{}...'", shown[..end].escape_debug()),
        None => format!("'{}'", shown.escape_debug()),
    };
    let text = std::str::from_utf8(text).map_err(|_| format!("{shown} is not UTF-8; {EXPECTED}"))?;
    let jid = Jid::new(text).map_err(|error| format!("{shown} is not a JID ({error}); {EXPECTED}"))?;
    match (jid.try_into_full(), resource) {
        (Ok(full), _) => Ok(full),
        (Err(bare), Some(resource)) => Ok(bare.with_resource(resource)),
        (Err(_), None) => Err(format!(
            "{shown} has no resource; {EXPECTED}, or --resource (without one the server answers instead of the CPE)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jids(targets: &Targets) -> Vec<String> {
        targets.jids.iter().map(ToString::to_string).collect()
    }

    fn file(text: &str) -> Result<Targets, Vec<String>> {
        collect(&[], Some(("fleet", text.as_bytes())), None)
    }

    #[test]
    fn arguments_come_first_and_comments_and_blank_lines_are_skipped() {
        let text =
            "\u{feff}# all of them\r\n\r\n  b@x/wan  \r\n\t# c@x/wan\nd@x/a#1 # the cellar\n#e@x/wan\nf@x/two words";
        let targets = collect(&["a@x/wan".to_owned()], Some(("fleet", text.as_bytes())), None).unwrap();
        assert_eq!(jids(&targets), ["a@x/wan", "b@x/wan", "d@x/a#1", "f@x/two words"]);
        assert_eq!(targets.warnings, Vec::<String>::new());
    }

    #[test]
    fn every_invalid_line_is_reported_with_place_text_and_expectation() {
        let errors = file("a@x/wan\nb@@x/wan\n# fine\nb@x\n").unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("fleet:2: 'b@@x/wan' is not a JID ("), "{errors:?}");
        assert!(errors[0].ends_with("); expected a full JID, such as cpe1@isp.example/wan"), "{errors:?}");
        assert!(errors[1].starts_with("fleet:4: 'b@x' has no resource; expected a full JID"), "{errors:?}");
        let errors = collect(&["a@x/wan".to_owned(), String::new()], None, None).unwrap_err();
        assert!(errors[0].starts_with("JID 2: '' is not a JID"), "{errors:?}");
    }

    #[test]
    fn an_invalid_text_is_escaped_and_truncated() {
        let errors = collect(&[], Some(("fleet", b"\xff\x1b[2J@x/wan\n")), None).unwrap_err();
        assert_eq!(errors, [format!("fleet:1: '\u{fffd}\\u{{1b}}[2J@x/wan' is not UTF-8; {EXPECTED}")]);
        let long = "@".repeat(5000);
        let errors = file(&long).unwrap_err();
        assert!(errors[0].starts_with(&format!("fleet:1: '{}...' is not a JID", "@".repeat(80))), "{errors:?}");
        assert!(errors[0].len() < 300, "{errors:?}");
    }

    #[test]
    fn a_duplicate_is_dropped_with_a_warning() {
        let targets = collect(&["a@x/wan".to_owned()], Some(("fleet", b"b@x/wan\nA@X/wan\na@x/Wan\n")), None).unwrap();
        assert_eq!(jids(&targets), ["a@x/wan", "b@x/wan", "a@x/Wan"]);
        assert_eq!(targets.warnings, ["fleet:2: duplicate of JID 1: a@x/wan"]);
    }

    #[test]
    fn the_resource_option_is_for_jids_without_one() {
        let wan = ResourcePart::new("wan").unwrap().into_owned();
        let targets = collect(&[], Some(("fleet", b"a@x\nb@x/lan\n")), Some(&wan)).unwrap();
        assert_eq!(jids(&targets), ["a@x/wan", "b@x/lan"]);
    }

    #[test]
    fn no_target_is_an_error() {
        let errors = file("# none\n\n").unwrap_err();
        assert!(errors[0].starts_with("fleet: no JID found; expected a full JID"), "{errors:?}");
        let errors = collect(&[], None, None).unwrap_err();
        assert!(errors[0].starts_with("no CPE given: expected a full JID"), "{errors:?}");
    }
}
