//! Any bytes as a UCI file: they are parsed or refused, positions are within the file, and no message holds a password.

use std::path::Path;

use xmppd::config::load::load;
use xmppd::config::problem::Problem;
use xmppd::config::uci::{self, OptionValue, Package, SyntaxError};
use xmppd::cwmp::credentials::credentials;

/// The password in the seeds and in the dictionary.
const SECRET: &str = "hunter2";

/// Runs one input.
pub fn run(text: &[u8]) {
    let file = Path::new("f");
    let parsed = uci::parse(file, text);
    match &parsed {
        Ok(package) => check_package(text, package),
        Err(error) => check_error(text, error),
    }
    check_preceding_line(text, &parsed);
    check_following_line(text, &parsed);
    // `/etc/config/cwmp` is parsed by the same code.
    assert!(credentials(file, text).is_ok() || parsed.is_err() || !is_utf8(parsed.as_ref().ok()));
    check_settings(text, &parsed);
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

fn check_package(text: &[u8], package: &Package) {
    let count = lines(text).len();
    for section in &package.sections {
        assert!((1..=count).contains(&section.line), "a section beyond the last line");
        assert!(!section.kind.is_empty() && section.kind.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(section.name.as_deref().is_none_or(is_name));
        for entry in &section.options {
            assert!(is_name(&entry.name));
            assert!((1..=count).contains(&entry.line()), "an option beyond the last line");
            match &entry.value {
                OptionValue::Text(item) => assert!(!item.bytes.is_empty()),
                OptionValue::List(items) => assert!(!items.is_empty()),
            }
        }
        let mut names: Vec<&str> = section.options.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a repeated option");
    }
    let printed = uci::print(package);
    let again = uci::parse(Path::new("f"), &printed).expect("printed text can be parsed");
    assert!(moved(&again, 0) == moved(package, 0), "parsing the printed text yields another package");
    assert!(uci::show(&again, "x") == uci::show(package, "x"));
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_error(text: &[u8], error: &SyntaxError) {
    let is_within = |(line, column): (usize, usize)| {
        let line = line.checked_sub(1).and_then(|at| lines(text).get(at).copied());
        line.is_some_and(|line| (1..=line.len() + 1).contains(&column))
    };
    assert!(is_within((error.line, error.column)), "{error}");
    if let Some(opened) = error.opened {
        assert!(is_within(opened) && opened <= (error.line, error.column), "{error}");
    }
}

/// The package with all line numbers increased by `by`, or set to 0 if `by` is 0.
fn moved(package: &Package, by: usize) -> Package {
    let shift = |line: &mut usize| *line = if by == 0 { 0 } else { *line + by };
    let mut package = package.clone();
    for section in &mut package.sections {
        shift(&mut section.line);
        for entry in &mut section.options {
            match &mut entry.value {
                OptionValue::Text(item) => shift(&mut item.line),
                OptionValue::List(items) => items.iter_mut().for_each(|item| shift(&mut item.line)),
            }
        }
    }
    package
}

fn check_preceding_line(text: &[u8], parsed: &Result<Package, SyntaxError>) {
    for line in ["\n", " # option 'x\n"] {
        let below = uci::parse(Path::new("f"), &[line.as_bytes(), text].concat());
        match (parsed, below) {
            (Ok(package), Ok(below)) => assert!(moved(package, 1) == below, "a preceding line changes the package"),
            (Err(error), Err(below)) => {
                let opened = error.opened.map(|(line, column)| (line + 1, column));
                let expected = SyntaxError { line: error.line + 1, opened, ..error.clone() };
                assert!(expected == below, "{error}, {below}");
            }
            (parsed, below) => panic!("a preceding line changes the result: {parsed:?}, {below:?}"),
        }
    }
}

fn check_following_line(text: &[u8], parsed: &Result<Package, SyntaxError>) {
    // Otherwise the added line would continue the last one.
    if text.last().is_some_and(|&byte| byte != b'\n') || text.ends_with(b"\\\n") || text.ends_with(b"\\\r\n") {
        return;
    }
    if let Ok(package) = parsed {
        for line in ["\n", " # option 'x\n"] {
            let longer = uci::parse(Path::new("f"), &[text, line.as_bytes()].concat());
            assert!(longer.as_ref() == Ok(package), "a following line changes the package: {longer:?}");
        }
    }
}

fn is_utf8(package: Option<&Package>) -> bool {
    package.is_some_and(|package| values(package).all(|(_, value)| std::str::from_utf8(value).is_ok()))
}

/// All values, with the names of their options.
fn values(package: &Package) -> impl Iterator<Item = (&str, &[u8])> {
    package.sections.iter().flat_map(|section| &section.options).flat_map(|entry| {
        let items = match &entry.value {
            OptionValue::Text(item) => std::slice::from_ref(item),
            OptionValue::List(items) => items,
        };
        items.iter().map(|item| (entry.name.as_str(), &*item.bytes))
    })
}

fn check_settings(text: &[u8], parsed: &Result<Package, SyntaxError>) {
    let loaded = load(Path::new("f"), text);
    assert_eq!(loaded.is_ok(), parsed.is_ok());
    let (Ok(loaded), Ok(package)) = (&loaded, parsed) else {
        let shown = format!("{loaded:?} {parsed:?} {}", parsed.as_ref().expect_err("a syntax error"));
        assert!(!shown.contains(SECRET), "{shown}");
        return;
    };
    let count = lines(text).len();
    for Problem { line, .. } in &loaded.problems {
        assert!((1..=count).contains(line), "a problem beyond the last line");
    }
    assert!(loaded.problems.is_sorted_by_key(|problem| problem.line));
    // If the word occurs in passwords only, no message may hold it.
    let occurrences = |bytes: &[u8]| bytes.windows(SECRET.len()).filter(|window| *window == SECRET.as_bytes()).count();
    let in_passwords: usize =
        values(package).filter(|(name, _)| *name == "password").map(|(_, value)| occurrences(value)).sum();
    if in_passwords == occurrences(text) {
        let mut shown = format!("{loaded:?} {package:?}");
        loaded.problems.iter().for_each(|problem| shown.push_str(&problem.to_string()));
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
