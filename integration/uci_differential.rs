//! Compares the UCI parser with libuci.
//!
//! The `uci` program is not available everywhere. `data/uci-corpus` has files with the output of the real `uci show`, or its
//! error. `rules.rs` lists the rules of libuci's syntax that these files show. `model.rs` states what a sequence of
//! commands means, and `writer.rs` spells commands in all the ways that libuci accepts: random commands, spelled at random,
//! must be parsed to what the model says.

mod model;
mod rules;
mod writer;

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::SeedableRng;
use rand::rngs::StdRng;
use xmppd::config::uci::{self, OptionValue, Package, SyntaxError};

use self::model::Command;
use self::writer::{Piece, newlines, text_of, write};

fn parse(text: &[u8]) -> Result<Package, SyntaxError> {
    uci::parse(Path::new("f"), text)
}

/// The result with its values, which `Debug` leaves out because they may be passwords.
fn describe(parsed: &Result<Package, SyntaxError>) -> String {
    match parsed {
        Ok(package) => format!("{package:?}\n{}", String::from_utf8_lossy(&uci::print(package))),
        Err(error) => error.to_string(),
    }
}

/// The package with its line numbers mapped.
fn map_lines(mut package: Package, map: impl Fn(usize) -> usize) -> Package {
    for section in &mut package.sections {
        section.line = map(section.line);
        for entry in &mut section.options {
            match &mut entry.value {
                OptionValue::Text(item) => item.line = map(item.line),
                OptionValue::List(items) => items.iter_mut().for_each(|item| item.line = map(item.line)),
            }
        }
    }
    package
}

/// Commands whose names often repeat.
fn any_commands() -> impl Strategy<Value = Vec<Command>> {
    let name = || prop_oneof![3 => "[ab]", 1 => "[A-Za-z0-9_]{1,6}"];
    let kind = prop_oneof![5 => Just("t".to_owned()), 1 => "[!-~]{1,6}"];
    let byte = prop_oneof![
        4 => prop::sample::select(b"ab'\"\\#; \t\n\r".to_vec()),
        1 => 1..=255_u8,
    ];
    let value = || {
        let known = prop::sample::select(vec![b"".to_vec(), b"a".to_vec(), b"b".to_vec()]);
        prop_oneof![1 => known, 2 => prop::collection::vec(byte.clone(), 0..8)]
    };
    let command = prop_oneof![
        2 => (kind, prop::option::of(name())).prop_map(|(kind, name)| Command::Config { kind, name }),
        6 => (any::<bool>(), name(), value()).prop_map(|(list, name, value)| Command::Set { list, name, value }),
        1 => "[a-z-]{1,6}".prop_map(Command::Package),
    ];
    let first = Command::Config { kind: "t".to_owned(), name: None };
    prop::collection::vec(command, 0..12).prop_map(move |rest| std::iter::once(first.clone()).chain(rest).collect())
}

/// Lines with a syntax error, and its reason.
const FAULTS: [(&str, &str); 14] = [
    ("optoin a b\n", "invalid command"),
    ("Config t\n", "invalid command"),
    ("config\n", "invalid command"),
    ("'config' t\n", "invalid command"),
    ("config ''\n", "insufficient arguments"),
    ("option \"\" a\n", "insufficient arguments"),
    ("config 'a b'\n", "invalid character in type field"),
    ("config t a.b\n", "invalid character in name field"),
    ("config t 'a b'\n", "invalid character in name field"),
    ("option a-b c\n", "invalid character in name field"),
    ("package a.b\n", "invalid character in name field"),
    ("option a b c\n", "too many arguments"),
    ("config t a b # c\n", "too many arguments"),
    ("list a 'b' \"c\"\n", "too many arguments"),
];

/// Quotes that are never closed, the number of lines that they take, and the reason.
const UNCLOSED: [(&str, usize, &str); 4] = [
    ("option a 'b", 1, "EOF with unterminated '"),
    ("option a 'b\n\"#;\\\n", 2, "EOF with unterminated '"),
    ("option a \"b\\\"", 1, "EOF with unterminated \""),
    ("list a b\"\n'\n", 2, "EOF with unterminated \""),
];

/// The number of lines; the last one may have no newline.
fn lines(text: &[u8]) -> usize {
    newlines(text) + usize::from(text.last().is_some_and(|&byte| byte != b'\n'))
}

/// Splits the text at the beginning of a random line.
fn split_at_line(pieces: &[Piece], rng: &mut StdRng) -> (Vec<u8>, Vec<u8>) {
    // After the first command, which opens a section.
    let first = pieces.iter().position(|piece| piece.command.is_some()).unwrap_or(0);
    let places: Vec<usize> = (first + 1..pieces.len()).filter(|&at| pieces[at - 1].ends_line).collect();
    let at = if places.is_empty() { pieces.len() } else { places[rng.random_range(0..places.len())] };
    let (before, behind) = pieces.split_at(at);
    let mut text = text_of(before);
    if before.last().is_some_and(|piece| !piece.ends_line) {
        text.push(b'\n');
    }
    (text, text_of(behind))
}

/// The same cases in each run, or those of the seed in the environment variable `SEED`.
fn config() -> ProptestConfig {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => 1,
    };
    ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::with_cases(1000) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_spelling_of_commands_is_parsed_to_what_they_mean(commands in any_commands(), seed: u64) {
        let pieces = write(&commands, &mut StdRng::seed_from_u64(seed));
        let text = text_of(&pieces);
        let expected = model::run(&commands, &pieces);
        let read = parse(&text);
        match (&read, &expected) {
            (Ok(package), Ok(meant)) => {
                prop_assert!(package == meant, "{}is parsed to {}", String::from_utf8_lossy(&text), describe(&read));
                let again = parse(&uci::print(package)).map(|package| map_lines(package, |_| 0));
                prop_assert!(again == Ok(map_lines(package.clone(), |_| 0)), "the printed text is parsed to another package");
            }
            (Err(error), Err((line, reason))) => {
                prop_assert_eq!((error.line, error.reason), ((*line).min(lines(&text)), *reason));
            }
            _ => prop_assert!(false, "{}is parsed to {}", String::from_utf8_lossy(&text), describe(&read)),
        }
    }

    #[test]
    fn a_comment_or_an_empty_line_only_shifts_line_numbers(commands in any_commands(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let pieces = write(&commands, &mut rng);
        let (before, behind) = split_at_line(&pieces, &mut rng);
        let between = ["\n", " \t\r\n", "# config 't\n", "\t#\\\n", "#\n\n # \"\n"][rng.random_range(0..5)];
        let (first, more) = (newlines(&before), newlines(between.as_bytes()));
        let place = |line| if line > first { line + more } else { line };
        let expected = parse(&[&before[..], &behind].concat()).map(|package| map_lines(package, place));
        let read = parse(&[&before, between.as_bytes(), &behind].concat());
        match (&read, &expected) {
            (Err(error), Err(alone)) => {
                prop_assert_eq!((error.line, error.column), (place(alone.line), alone.column));
            }
            _ => prop_assert!(read == expected, "{} and {}", describe(&read), describe(&expected)),
        }
    }

    #[test]
    fn an_error_names_its_line(commands in any_commands(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let pieces = write(&commands, &mut rng);
        let (before, behind) = split_at_line(&pieces, &mut rng);
        if parse(&before).is_err() {
            return Ok(());
        }
        let line = newlines(&before) + 1;

        let (fault, reason) = FAULTS[rng.random_range(0..FAULTS.len())];
        let error = parse(&[&before, fault.as_bytes(), &behind].concat()).unwrap_err();
        prop_assert_eq!((error.line, error.reason), (line, reason));

        let (fault, lines, reason) = UNCLOSED[rng.random_range(0..UNCLOSED.len())];
        let error = parse(&[&before, fault.as_bytes()].concat()).unwrap_err();
        prop_assert_eq!((error.line, error.reason), (line + lines - 1, reason));
        prop_assert_eq!(error.opened.map(|(line, _)| line), Some(line));
    }

    #[test]
    fn a_nul_byte_is_an_error_at_its_position(commands in any_commands(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut text = text_of(&write(&commands, &mut rng));
        let at = rng.random_range(0..=text.len());
        text.insert(at, 0);
        let line_start = text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let error = parse(&text).unwrap_err();
        prop_assert_eq!((error.line, error.column), (newlines(&text[..at]) + 1, at - line_start + 1));
        prop_assert_eq!(error.reason, "NUL byte in the file");
    }

    #[test]
    fn a_damaged_file_is_parsed_or_refused_in_one_of_its_lines(commands in any_commands(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut text = text_of(&write(&commands, &mut rng));
        for _ in 0..rng.random_range(1..5) {
            let at = rng.random_range(0..=text.len());
            match rng.random_range(0..4) {
                0 => text.truncate(at),
                1 => text.insert(at, b"'\"\\#;\n\r\t \xff"[rng.random_range(0..10)]),
                2 if at < text.len() => _ = text.remove(at),
                _ => text.extend_from_within(at..),
            }
        }
        let lines = lines(&text);
        match parse(&text) {
            Ok(package) => {
                let again = parse(&uci::print(&package)).map(|package| map_lines(package, |_| 0));
                prop_assert!(again == Ok(map_lines(package, |_| 0)), "the printed text is parsed to another package");
            }
            Err(error) => prop_assert!((1..=lines).contains(&error.line), "{} of {}", error, lines),
        }
    }
}
