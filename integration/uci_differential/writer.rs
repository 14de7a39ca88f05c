//! Writes commands with random spellings, of all those that libuci accepts.

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::model::Command;

/// A piece of the text: a command, a comment or an empty line.
#[derive(Debug)]
pub struct Piece {
    /// The index of the command; none for comments and empty lines.
    pub command: Option<usize>,
    pub text: Vec<u8>,
    /// The line of its first word.
    pub line: usize,
    /// The line in which its last argument ends.
    pub last_line: usize,
    /// Whether the next piece begins a line.
    pub ends_line: bool,
}

/// The text of the pieces.
pub fn text_of(pieces: &[Piece]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.text.iter().copied()).collect()
}

/// The number of newlines.
pub fn newlines(text: &[u8]) -> usize {
    text.split(|&byte| byte == b'\n').count() - 1
}

fn one_of<'a>(rng: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[rng.random_range(0..from.len())]
}

/// Writes the commands, with comments and empty lines between them.
pub fn write(commands: &[Command], rng: &mut StdRng) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut line = 1;
    for (at, command) in commands.iter().enumerate() {
        let begins_line = pieces.last().is_none_or(|piece| piece.ends_line);
        while begins_line && rng.random_bool(0.2) {
            let text =
                one_of(rng, &["\n", "  \n", "\t\r\n", "#\n", " # it's a \"comment\n", "#option a b\\\n", "\x0b\n"]);
            pieces.push(Piece { command: None, text: text.into(), line, last_line: line, ends_line: true });
            line += 1;
        }
        let last = at + 1 == commands.len();
        // A line may be indented by all white space of C, a command after a `;` only by blanks and tabs.
        let indent = one_of(rng, if begins_line { &["", " ", "\t", " \x0b\x0c", "\r"] } else { &["", " ", "\t "] });
        let mut text = indent.as_bytes().to_vec();
        let ending = self::command(command, rng, &mut text);
        let last_line = line + newlines(&text);
        let (tail, ends_line) = tail(ending, last, rng);
        text.extend_from_slice(tail.as_bytes());
        let next = line + newlines(&text);
        pieces.push(Piece { command: Some(at), text, line, last_line, ends_line });
        line = next;
    }
    pieces
}

/// What may follow a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its last argument has quotes or a backslash: a `;` may follow directly.
    Shortened,
    /// Its last argument is plain: a `;` directly after it would hide the rest of the line.
    Plain,
    /// It could have another argument: a `;` would be that argument.
    Optional,
}

/// Draws what separates two commands, and whether the second begins a line.
fn tail(ending: Ending, last: bool, rng: &mut StdRng) -> (&'static str, bool) {
    let separator = !last && ending != Ending::Optional && rng.random_bool(0.2);
    match (separator, ending) {
        (true, Ending::Shortened) => (one_of(rng, &[";", " ;", "\t ;"]), false),
        (true, _) => (one_of(rng, &[" ;", "\t;"]), false),
        (false, _) if last && rng.random_bool(0.3) => (one_of(rng, &["", " ", "#", " # c"]), false),
        (false, Ending::Plain) if rng.random_bool(0.1) => (";option 'x\n", true),
        (false, _) => (one_of(rng, &["\n", " \n", "\r\n", "\t\r\n", "# c'\n", " #\"\n", "#\\\n"]), true),
    }
}

/// Appends a command.
fn command(command: &Command, rng: &mut StdRng, text: &mut Vec<u8>) -> Ending {
    let (long, short) = match command {
        Command::Package(_) => ("package", "p"),
        Command::Config { .. } => ("config", "c"),
        Command::Set { list: true, .. } => ("list", "l"),
        Command::Set { list: false, .. } => ("option", "o"),
    };
    text.extend_from_slice(one_of(rng, &[long, long, short]).as_bytes());
    // A keyword ends only at a blank or a tab.
    text.extend_from_slice(one_of(rng, &[" ", "\t", "  ", "\t\x0b", " \r\x0c "]).as_bytes());
    let (first, second) = match command {
        Command::Package(name) => return argument(name.as_bytes(), rng, text),
        Command::Config { kind, name } => (kind, name.as_ref().map(String::as_bytes)),
        Command::Set { name, value, .. } => (name, Some(value.as_slice())),
    };
    argument(first.as_bytes(), rng, text);
    // An empty argument is the same as none.
    let Some(second) = second.filter(|second| !second.is_empty() || rng.random_bool(0.5)) else {
        return Ending::Optional;
    };
    text.extend_from_slice(one_of(rng, &[" ", "\t", " \t ", "\x0b", "\x0c", "\r"]).as_bytes());
    argument(second, rng, text)
}

/// Appends an argument in one or several pieces with different spellings.
fn argument(bytes: &[u8], rng: &mut StdRng, text: &mut Vec<u8>) -> Ending {
    if bytes.is_empty() {
        text.extend_from_slice(one_of(rng, &["''", "\"\"", "\"\"''"]).as_bytes());
        return Ending::Optional;
    }
    let mut plain = true;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(rng.random_range(1..=rest.len()));
        plain &= spell(part, rng, text);
        rest = behind;
        if rng.random_bool(0.1) {
            text.extend_from_slice(one_of(rng, &["\\\n", "\\\r\n", "''", "\"\""]).as_bytes());
            plain = false;
        }
    }
    if plain { Ending::Plain } else { Ending::Shortened }
}

/// Appends a part of an argument. Returns whether it is plain, without quotes and backslashes.
fn spell(part: &[u8], rng: &mut StdRng, text: &mut Vec<u8>) -> bool {
    let before = text.len();
    // A backslash drops the end of a line, so that it must be in quotes.
    let breaks_line = part.iter().any(|byte| b"\r\n".contains(byte));
    match rng.random_range(0..3) {
        0 if !part.contains(&b'\'') => text.extend([b"'", part, b"'"].concat()),
        1 if !breaks_line => {
            for &byte in part {
                let special = b" \t\x0b\x0c'\"\\#;".contains(&byte);
                text.extend((special || rng.random_bool(0.1)).then_some(b'\\'));
                text.push(byte);
            }
        }
        _ => {
            text.push(b'"');
            for &byte in part {
                let special = b"\"\\".contains(&byte);
                let escape = special || (!b"\r\n".contains(&byte) && rng.random_bool(0.1));
                text.extend(escape.then_some(b'\\'));
                text.push(byte);
            }
            text.push(b'"');
        }
    }
    text.get(before..) == Some(part)
}
