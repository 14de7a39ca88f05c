//! The UCI parser against libuci, class of syntax by class.
//!
//! The `uci` program is not everywhere, so what it does is taken from `data/uci-corpus`: for each file what the real
//! `uci show` printed, or the error it ended with. [`CLASSES`] says for each class of syntax what libuci does with it and
//! which files show that. The rules so found are written down a second time here, as a model of what a sequence of
//! commands means and as a writer that spells commands in all the ways that libuci takes; random files of the one and the
//! other have to be read as the model says.

mod classes;
mod model;
mod writer;

use std::path::Path;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use xmppd::config::uci::{self, Package, SyntaxError, Value};

use self::model::Command;
use self::writer::{Piece, newlines, text_of, write};

fn parse(text: &[u8]) -> Result<Package, SyntaxError> {
    uci::parse(Path::new("f"), text)
}

/// With values: they are not in `Debug`, since they may be passwords.
fn describe(parsed: &Result<Package, SyntaxError>) -> String {
    match parsed {
        Ok(package) => format!("{package:?}\n{}", String::from_utf8_lossy(&uci::print(package))),
        Err(error) => error.to_string(),
    }
}

/// The package with each line put through `place`.
fn placed(mut package: Package, place: impl Fn(usize) -> usize) -> Package {
    for section in &mut package.sections {
        section.line = place(section.line);
        for entry in &mut section.options {
            match &mut entry.value {
                Value::Text(item) => item.line = place(item.line),
                Value::List(items) => items.iter_mut().for_each(|item| item.line = place(item.line)),
            }
        }
    }
    package
}

/// Commands in which names come back, so that they meet.
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

/// What ends the reading of a file, and in which words; each begins in a line of its own.
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

/// Quotes that nothing behind them closes, with the lines they go on over.
const UNCLOSED: [(&str, usize, &str); 4] = [
    ("option a 'b", 1, "EOF with unterminated '"),
    ("option a 'b\n\"#;\\\n", 2, "EOF with unterminated '"),
    ("option a \"b\\\"", 1, "EOF with unterminated \""),
    ("list a b\"\n'\n", 2, "EOF with unterminated \""),
];

/// How many lines it has, of which the last may be without its end.
fn lines(text: &[u8]) -> usize {
    newlines(text) + usize::from(text.last().is_some_and(|&byte| byte != b'\n'))
}

/// The text before a piece that begins a line, and from there on.
fn split_at_line(pieces: &[Piece], rng: &mut StdRng) -> (Vec<u8>, Vec<u8>) {
    // Behind the first command, which opens a section.
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn what_is_written_in_any_way_is_read_as_it_was_meant(commands in any_commands(), seed: u64) {
        let pieces = write(&commands, &mut StdRng::seed_from_u64(seed));
        let text = text_of(&pieces);
        let expected = model::run(&commands, &pieces);
        let read = parse(&text);
        match (&read, &expected) {
            (Ok(package), Ok(meant)) => {
                prop_assert!(package == meant, "{}is read as {}", String::from_utf8_lossy(&text), describe(&read));
                let again = parse(&uci::print(package)).map(|package| placed(package, |_| 0));
                prop_assert!(again == Ok(placed(package.clone(), |_| 0)), "what is printed is read as another");
            }
            (Err(error), Err((line, reason))) => {
                prop_assert_eq!((error.line, error.reason), ((*line).min(lines(&text)), *reason));
            }
            _ => prop_assert!(false, "{}is read as {}", String::from_utf8_lossy(&text), describe(&read)),
        }
    }

    #[test]
    fn a_comment_or_an_empty_line_moves_what_follows_and_nothing_else(commands in any_commands(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let pieces = write(&commands, &mut rng);
        let (before, behind) = split_at_line(&pieces, &mut rng);
        let between = ["\n", " \t\r\n", "# config 't\n", "\t#\\\n", "#\n\n # \"\n"][rng.random_range(0..5)];
        let (first, more) = (newlines(&before), newlines(between.as_bytes()));
        let place = |line| if line > first { line + more } else { line };
        let expected = parse(&[&before[..], &behind].concat()).map(|package| placed(package, place));
        let read = parse(&[&before, between.as_bytes(), &behind].concat());
        match (&read, &expected) {
            (Err(error), Err(alone)) => {
                prop_assert_eq!((error.line, error.column), (place(alone.line), alone.column));
            }
            _ => prop_assert!(read == expected, "{} and {}", describe(&read), describe(&expected)),
        }
    }

    #[test]
    fn an_error_names_the_line_that_it_is_in(commands in any_commands(), seed: u64) {
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
    fn a_nul_byte_is_found_where_it_is(commands in any_commands(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut text = text_of(&write(&commands, &mut rng));
        let at = rng.random_range(0..=text.len());
        text.insert(at, 0);
        let line_start = text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let error = parse(&text).unwrap_err();
        prop_assert_eq!((error.line, error.column), (newlines(&text[..at]) + 1, at - line_start + 1));
        prop_assert_eq!(error.reason, "NUL byte in the file");
    }

    /// Whatever is done to a file: it is read or refused, in a line that it has.
    #[test]
    fn a_damaged_file_is_read_or_refused_in_a_line_it_has(commands in any_commands(), seed: u64) {
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
                let again = parse(&uci::print(&package)).map(|package| placed(package, |_| 0));
                prop_assert!(again == Ok(placed(package, |_| 0)), "what is printed is read as another");
            }
            Err(error) => prop_assert!((1..=lines).contains(&error.line), "{} of {}", error, lines),
        }
    }
}
