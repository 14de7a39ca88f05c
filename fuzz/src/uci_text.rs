//! Any bytes as a UCI file: read or refused, never a panic; what is said about them is true, and says no password.

use std::path::Path;

use xmppd::config::uci::{self, Package, SyntaxError, Value};
use xmppd::config::{Problem, load};
use xmppd::cwmp::credentials::credentials;

/// The word that seeds and dictionary have for a password.
const SECRET: &str = "hunter2";

/// One input.
pub fn run(text: &[u8]) {
    let file = Path::new("f");
    let parsed = uci::parse(file, text);
    match &parsed {
        Ok(package) => read(text, package),
        Err(error) => refused(text, error),
    }
    a_line_before_it_moves_it_down(text, &parsed);
    a_line_behind_it_changes_nothing(text, &parsed);
    // The credentials of the other file go the same way.
    assert!(credentials(file, text).is_ok() || parsed.is_err() || !is_utf8(parsed.as_ref().ok()));
    settings(text, &parsed);
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

fn read(text: &[u8], package: &Package) {
    let count = lines(text).len();
    for section in &package.sections {
        assert!((1..=count).contains(&section.line), "a section in a line that is not there");
        assert!(!section.kind.is_empty() && section.kind.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(section.name.as_deref().is_none_or(is_name));
        for entry in &section.options {
            assert!(is_name(&entry.name));
            assert!((1..=count).contains(&entry.line()), "an option in a line that is not there");
            match &entry.value {
                Value::Text(item) => assert!(!item.bytes.is_empty()),
                Value::List(items) => assert!(!items.is_empty()),
            }
        }
        let mut names: Vec<&str> = section.options.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "an option is there twice");
    }
    let printed = uci::print(package);
    let again = uci::parse(Path::new("f"), &printed).expect("what is printed is read again");
    assert!(moved(&again, 0) == moved(package, 0), "what is printed is read again as another");
    assert!(uci::show(&again, "x") == uci::show(package, "x"));
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn refused(text: &[u8], error: &SyntaxError) {
    let in_it = |(line, column): (usize, usize)| {
        let line = line.checked_sub(1).and_then(|at| lines(text).get(at).copied());
        line.is_some_and(|line| (1..=line.len() + 1).contains(&column))
    };
    assert!(in_it((error.line, error.column)), "{error}");
    if let Some(opened) = error.opened {
        assert!(in_it(opened) && opened <= (error.line, error.column), "{error}");
    }
}

/// The package with all lines set to 0, or moved down by so many.
fn moved(package: &Package, by: usize) -> Package {
    let place = |line: &mut usize| *line = if by == 0 { 0 } else { *line + by };
    let mut package = package.clone();
    for section in &mut package.sections {
        place(&mut section.line);
        for entry in &mut section.options {
            match &mut entry.value {
                Value::Text(item) => place(&mut item.line),
                Value::List(items) => items.iter_mut().for_each(|item| place(&mut item.line)),
            }
        }
    }
    package
}

fn a_line_before_it_moves_it_down(text: &[u8], parsed: &Result<Package, SyntaxError>) {
    for line in ["\n", " # option 'x\n"] {
        let below = uci::parse(Path::new("f"), &[line.as_bytes(), text].concat());
        match (parsed, below) {
            (Ok(package), Ok(below)) => assert!(moved(package, 1) == below, "a line before it changes it"),
            (Err(error), Err(below)) => {
                let opened = error.opened.map(|(line, column)| (line + 1, column));
                let expected = SyntaxError { line: error.line + 1, opened, ..error.clone() };
                assert!(expected == below, "{error} and {below}");
            }
            (parsed, below) => panic!("a line before it changes it: {parsed:?} and {below:?}"),
        }
    }
}

fn a_line_behind_it_changes_nothing(text: &[u8], parsed: &Result<Package, SyntaxError>) {
    // Where the last line goes on in the next one, what is added is a part of it.
    if text.last().is_some_and(|&byte| byte != b'\n') || text.ends_with(b"\\\n") || text.ends_with(b"\\\r\n") {
        return;
    }
    if let Ok(package) = parsed {
        for line in ["\n", " # option 'x\n"] {
            let longer = uci::parse(Path::new("f"), &[text, line.as_bytes()].concat());
            assert!(longer.as_ref() == Ok(package), "a line behind it changes it: {longer:?}");
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
            Value::Text(item) => std::slice::from_ref(item),
            Value::List(items) => items,
        };
        items.iter().map(|item| (entry.name.as_str(), &*item.bytes))
    })
}

fn settings(text: &[u8], parsed: &Result<Package, SyntaxError>) {
    let loaded = load(Path::new("f"), text);
    assert_eq!(loaded.is_ok(), parsed.is_ok());
    let (Ok(loaded), Ok(package)) = (&loaded, parsed) else {
        let said = format!("{loaded:?} {parsed:?} {}", parsed.as_ref().expect_err("both are refused"));
        assert!(!said.contains(SECRET), "{said}");
        return;
    };
    let count = lines(text).len();
    for Problem { line, .. } in &loaded.problems {
        assert!((1..=count).contains(line), "a problem in a line that is not there");
    }
    assert!(loaded.problems.is_sorted_by_key(|problem| problem.line));
    // Where the word is nowhere but in passwords, nothing may repeat it.
    let occurrences = |bytes: &[u8]| bytes.windows(SECRET.len()).filter(|window| *window == SECRET.as_bytes()).count();
    let in_passwords: usize =
        values(package).filter(|(name, _)| *name == "password").map(|(_, value)| occurrences(value)).sum();
    if in_passwords == occurrences(text) {
        let mut said = format!("{loaded:?} {package:?}");
        loaded.problems.iter().for_each(|problem| said.push_str(&problem.to_string()));
        assert!(!said.contains(SECRET), "{said}");
    }
}
