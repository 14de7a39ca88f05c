//! Checks that docs/troubleshooting.md has each log line of severity WARNING and more severe, and no other.
//!
//! A line of the document has words in capitals where the format string in the source has placeholders.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::harness::program::project;

/// The macros that log, and the severities of their lines.
const MACROS: [(&str, &str); 4] = [("warn", "WARNING"), ("error", "ERROR"), ("critical", "CRITIC"), ("alert", "ALERT")];

/// A file, and a part of a line that is in it.
type Part = (&'static str, &'static str);

/// Macros whose whole text comes from elsewhere: where they are, and the texts, one of which is in the named file.
const VARIABLE: [(&str, &str, &[Part]); 5] = [
    (
        "actors/config/file_log.rs",
        "{line}",
        &[
            ("actors/config.rs", "; keeping the current settings"),
            ("actors/config/credentials.rs", "; keeping the current credentials"),
            ("actors/config/credentials.rs", ": no connection request can be authorized"),
        ],
    ),
    ("actors/config/file_log.rs", "{problem}", &[("config/problem.rs", "{}:{}: ")]),
    (
        "actors/config/file_log.rs",
        "{}: {permissions}",
        &[("config/permissions.rs", ", expected mode 0600: the file contains passwords")],
    ),
    ("actors/config.rs", "{request}", &[("actors/reconcile.rs", "; repeated at the next reload")]),
    ("xmpp/resolve/resolver.rs", "{path} {skipped}", &[("xmpp/resolve/resolv_conf.rs", " skipped: ")]),
];

/// Lines that the log writes about itself: where, and a part of their format strings.
const OWN: [Part; 2] = [
    ("logging/output.rs", "dropped {count} log lines: the reader is too slow"),
    ("logging/syslog.rs", "syslog: {path}: {error}; logging to standard error until it is there"),
];

/// A line that a macro logs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    severity: &'static str,
    format: String,
}

/// Finds what the macros in a source log. Code that is compiled for tests alone is skipped.
fn lines(tokens: TokenStream, found: &mut Vec<Line>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match (token, tokens.get(at)) {
            (TokenTree::Punct(punct), Some(TokenTree::Group(group)))
                if punct.as_char() == '#' && group.stream().to_string().replace(' ', "") == "cfg(test)" =>
            {
                let is_end = |token: &TokenTree| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    _ => false,
                };
                at += tokens[at..].iter().position(is_end).map_or(0, |end| end + 1);
            }
            (TokenTree::Ident(name), Some(TokenTree::Punct(punct))) if punct.as_char() == '!' => {
                let of_name = MACROS.iter().find(|(own, _)| name == own);
                if let (Some((_, severity)), Some(TokenTree::Group(arguments))) = (of_name, tokens.get(at + 1)) {
                    found.extend(format_string(arguments.stream()).map(|format| Line { severity, format }));
                }
            }
            (TokenTree::Group(group), _) => lines(group.stream(), found),
            _ => {}
        }
    }
}

/// The format string among the arguments: the first string that is no field's value.
fn format_string(arguments: TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = arguments.into_iter().collect();
    tokens.iter().enumerate().find_map(|(at, token)| {
        let is_value = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(before) if before.as_char() == '=');
        let TokenTree::Literal(literal) = token else { return None };
        syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().filter(|_| !is_value).map(|text| text.value())
    })
}

/// Whether a documented line is what the format string gives, fields after it aside.
fn is_line(format: &str, documented: &str) -> bool {
    let mut parts = format.split('{').map(|part| part.split_once('}').map_or(part, |(_, fixed)| fixed));
    let Some(mut rest) = parts.next().and_then(|first| documented.strip_prefix(first)) else { return false };
    parts.all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// The rows of the document that have a severity: that, and the line.
fn documented() -> Vec<(String, String)> {
    let text = fs::read_to_string(project().join("docs/troubleshooting.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (severity, line) = (cells.next()?, cells.next()?);
        MACROS
            .iter()
            .any(|(_, known)| *known == severity)
            .then(|| (severity.to_owned(), line.trim_matches('`').to_owned()))
    };
    text.lines().filter_map(row).collect()
}

/// The source files, without tests: path below `src` and text.
fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && name != "tests.rs"
            && name != "testing.rs"
        {
            let below = path.strip_prefix(project().join("src")).unwrap().to_str().unwrap().to_owned();
            found.push((below, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn each_line_that_asks_for_action_is_documented_and_no_other() {
    let mut files = Vec::new();
    sources(&project().join("src"), &mut files);
    let text = |file: &str| &files.iter().find(|(path, _)| path == file).unwrap_or_else(|| panic!("no {file}")).1;
    let documented = documented();
    let mut used = vec![false; documented.len()];
    let mut missing = Vec::new();
    let mut count = 0;
    for (file, text_of_file) in &files {
        let mut found = Vec::new();
        lines(text_of_file.parse().unwrap(), &mut found);
        count += found.len();
        for Line { severity, format } in found {
            let elsewhere = VARIABLE.iter().find(|(of, variable, _)| of == file && *variable == format);
            let parts: Vec<&str> =
                elsewhere.map_or(vec![], |(.., texts)| texts.iter().map(|(_, part)| *part).collect());
            let fits = |line: &str| match elsewhere {
                None => is_line(&format, line),
                Some(_) => parts.iter().any(|part| is_line(&format!("{{}}{part}"), line)),
            };
            let rows: Vec<usize> = (0..documented.len())
                .filter(|row| documented[*row].0 == severity && fits(&documented[*row].1))
                .collect();
            if rows.is_empty() {
                missing.push(format!("{file}: {severity} {format}"));
            }
            for row in rows {
                used[row] = true;
            }
        }
    }
    assert!(count > 40, "only {count} macros found");
    assert_eq!(missing, [""; 0], "not in docs/troubleshooting.md");
    for (file, _, texts) in VARIABLE {
        let calls = text(file);
        assert!(calls.contains("tracing::"), "{file}");
        for (origin, part) in texts {
            assert!(text(origin).contains(part), "{origin}: no {part:?}");
            let is_documented = documented.iter().any(|(_, line)| is_line(&format!("{{}}{part}"), line));
            assert!(is_documented, "not in docs/troubleshooting.md: {part}");
        }
    }
    for (file, format) in OWN {
        assert!(text(file).contains(format), "{file}: no {format:?}");
        let row = documented.iter().position(|(_, line)| is_line(format, line));
        used[row.unwrap_or_else(|| panic!("{format} is not documented"))] = true;
    }
    let unused: Vec<_> = documented.iter().zip(used).filter_map(|(row, used)| (!used).then_some(row)).collect();
    assert_eq!(unused, Vec::<&(String, String)>::new(), "nothing logs this");
}

#[test]
fn lines_are_found_and_compared() {
    let source = r#"
        fn f() {
            tracing::warn!(parent: None, field = "no", %other, "it is {error}; at {}", 1);
            select! { _ = x => crate::alert!("inside") }
            tracing::info!("no");
            #[error("no")]
        }
        #[cfg(test)] mod tests { fn g() { tracing::error!("no"); } }
        fn h() { critical!("last") }
    "#;
    let mut found = Vec::new();
    lines(source.parse().unwrap(), &mut found);
    let line = |severity, format: &str| Line { severity, format: format.to_owned() };
    assert_eq!(found, [line("WARNING", "it is {error}; at {}"), line("ALERT", "inside"), line("CRITIC", "last")]);
    for (format, documented, expected) in [
        ("it is {error}; at {}", "it is ERROR; at PLACE", true),
        ("it is {error}; at {}", "it was ERROR; at PLACE", false),
        ("it is {error}; at {}", "it is ERROR at PLACE", false),
        ("{file}: no", "FILE: no", true),
        ("{file}: no", "FILE: yes", false),
        ("text", "text supervisor=NAME", true),
        ("text", "a text", false),
    ] {
        assert_eq!(is_line(format, documented), expected, "{format}, {documented}");
    }
}
