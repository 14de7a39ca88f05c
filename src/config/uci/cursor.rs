//! The parser's position in the text, and how it takes words and arguments from it.
//!
//! libuci parses in a buffer that holds one line; a quote or a backslash at the end of a line appends the next one. Its
//! behaviour in odd places follows from the contents of that buffer. Here `end` is the place of the buffer's final NUL.

use super::bytes::Bytes;

/// Where and why the text is not UCI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParseError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: &'static str,
    pub(super) opened: Option<(usize, usize)>,
}

/// An argument of a command, and where it begins. It has no `Debug`: it may be a password.
pub(super) struct Argument {
    pub(super) bytes: Bytes,
    pub(super) start: usize,
}

/// A position in the text. It has no `Debug`: the text contains passwords.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    /// The next byte.
    pos: usize,
    /// The end of the fetched text: the line is used up when `pos` reaches it.
    end: usize,
    /// The beginning of the next line.
    next: usize,
    /// The number of the last line fetched, from 1, and its beginning.
    line: usize,
    line_start: usize,
}

/// C's `isspace` in the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, pos: 0, end: 0, next: 0, line: 0, line_start: 0 }
    }

    /// The number of the last line fetched, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Moves to the next line; false at the end of the text.
    pub(super) fn next_line(&mut self) -> bool {
        self.fetch();
        self.pos < self.end
    }

    /// Appends the next line to this one.
    fn fetch(&mut self) {
        self.pos = self.next;
        if self.next < self.text.len() {
            self.line += 1;
            self.line_start = self.next;
            let rest = self.text.get(self.next..).unwrap_or_default();
            self.next += rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        }
        self.end = self.next;
    }

    fn peek(&self) -> Option<u8> {
        if self.pos < self.end { self.text.get(self.pos).copied() } else { None }
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.pos += 1;
        }
    }

    /// Takes the next word, which only a blank or a tab ends: the word, its beginning, and whether a blank or tab followed
    /// (which is skipped). None at the end of the line.
    pub(super) fn word(&mut self) -> Option<(&'a [u8], usize, bool)> {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.pos += 1;
        }
        let start = self.pos;
        while self.peek().is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
            self.pos += 1;
        }
        let word = self.text.get(start..self.pos).unwrap_or_default();
        let ended = self.peek().is_some();
        self.pos += usize::from(ended);
        (!word.is_empty()).then_some((word, start, ended))
    }

    /// Takes the next argument; an empty one at the end of the command.
    pub(super) fn argument(&mut self) -> Result<Argument, ParseError> {
        self.skip_space();
        let start = self.pos;
        let mut bytes = Bytes::default();
        if self.peek() == Some(b';') {
            self.pos += 1;
            return Ok(Argument { bytes, start });
        }
        // libuci unquotes the argument in place and terminates it with a NUL. In an argument without quotes and backslashes
        // that NUL overwrites the `;` behind it, which hides the rest of the line.
        let mut shortened = false;
        let mut stopped = false;
        loop {
            match self.peek() {
                Some(quote @ (b'\'' | b'"')) => {
                    shortened = true;
                    self.quoted(quote, &mut bytes)?;
                }
                None | Some(b'#') => {
                    self.end = self.pos;
                    stopped = true;
                }
                Some(b';') => {
                    if !shortened {
                        self.end = self.pos;
                    }
                    stopped = true;
                }
                Some(b'\\') => {
                    shortened = true;
                    self.escaped(&mut bytes);
                }
                Some(byte) => {
                    bytes.push(byte);
                    self.pos += 1;
                }
            }
            if stopped {
                break;
            }
            match self.peek() {
                None => break,
                Some(byte) if is_space(byte) => {
                    self.pos += 1;
                    break;
                }
                Some(_) => {}
            }
        }
        Ok(Argument { bytes, start })
    }

    /// Takes a quoted string; the cursor is at its opening quote.
    fn quoted(&mut self, quote: u8, bytes: &mut Bytes) -> Result<(), ParseError> {
        let opened = (self.line, self.column(self.pos));
        self.pos += 1;
        loop {
            match self.peek() {
                Some(byte) if byte == quote => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') if quote == b'"' => self.escaped(bytes),
                Some(byte) => {
                    bytes.push(byte);
                    self.pos += 1;
                }
                None => {
                    let before = self.pos;
                    self.fetch();
                    if self.peek().is_none() {
                        let reason = if quote == b'"' { "EOF with unterminated \"" } else { "EOF with unterminated '" };
                        let mut error = self.error(before, reason);
                        error.opened = Some(opened);
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Takes a backslash and the byte behind it; at the end of a line it joins the next line.
    fn escaped(&mut self, bytes: &mut Bytes) {
        self.pos += 1;
        let rest = self.text.get(self.pos..self.end).unwrap_or_default();
        match rest {
            [] | [b'\n'] | [b'\r', b'\n'] => self.fetch(),
            [byte, ..] => {
                bytes.push(*byte);
                self.pos += 1;
            }
        }
    }

    /// The column of `at` in the last line fetched, from 1. A position in an earlier line gives the current column.
    fn column(&self, at: usize) -> usize {
        let at = if at < self.line_start { self.pos } else { at };
        let past_newline = at > self.line_start && self.text.get(at - 1) == Some(&b'\n');
        at.saturating_sub(self.line_start) + usize::from(!past_newline)
    }

    pub(super) fn position(&self) -> usize {
        self.pos
    }

    pub(super) fn error(&self, at: usize, reason: &'static str) -> ParseError {
        ParseError { line: self.line, column: self.column(at), reason, opened: None }
    }
}
