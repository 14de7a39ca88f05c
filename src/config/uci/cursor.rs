//! Where the parser stands in the text, and how it takes one argument from it.
//!
//! libuci works in a buffer that holds one line, and more only while a quote or a backslash asks for the next. What it
//! does in odd places follows from that buffer's contents; here `end` stands for the NUL at the end of it.

use super::Bytes;

/// Where and why the text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: &'static str,
    pub(super) opened: Option<(usize, usize)>,
}

/// A value taken from the line, and where it began. Without `Debug`: it may be a password.
pub(super) struct Argument {
    pub(super) bytes: Bytes,
    pub(super) start: usize,
}

/// A reading position. Without `Debug`: there are passwords in the text.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    /// The next byte to look at.
    pos: usize,
    /// What was fetched ends before this byte; nothing of the line is left once `pos` is here.
    end: usize,
    /// Where the next line begins.
    next: usize,
    /// The number of the last line fetched, from 1, and where it begins.
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

    /// Leaves what remains of this line and goes to the next; false at the end of the text.
    pub(super) fn next_line(&mut self) -> bool {
        self.fetch();
        self.pos < self.end
    }

    /// Goes on in the next line, as a part of this one.
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

    /// The next word of the line that blanks and tabs alone end, and where it begins; none if nothing is left.
    ///
    /// True if such a blank follows: it is skipped.
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

    /// The next argument; empty if nothing is left of the command.
    pub(super) fn argument(&mut self) -> Result<Argument, Fault> {
        self.skip_space();
        let start = self.pos;
        let mut bytes = Bytes::default();
        if self.peek() == Some(b';') {
            self.pos += 1;
            return Ok(Argument { bytes, start });
        }
        // libuci shortens the argument in place. While nothing was left out its end is the place it has read to, and
        // the NUL it then writes there hides a `;`, and with it the rest of the line.
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

    /// A quoted string; the cursor stands on its opening quote.
    fn quoted(&mut self, quote: u8, bytes: &mut Bytes) -> Result<(), Fault> {
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
                        let mut fault = self.fault(before, reason);
                        fault.opened = Some(opened);
                        return Err(fault);
                    }
                }
            }
        }
    }

    /// A backslash and what it stands before: a byte to be taken as it is, or a line's end to be passed over.
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

    /// The place in the line that was fetched last, from 1; what began in an earlier line is told from where we stand.
    fn column(&self, at: usize) -> usize {
        let at = if at < self.line_start { self.pos } else { at };
        let past_newline = at > self.line_start && self.text.get(at - 1) == Some(&b'\n');
        at.saturating_sub(self.line_start) + usize::from(!past_newline)
    }

    pub(super) fn position(&self) -> usize {
        self.pos
    }

    pub(super) fn fault(&self, at: usize, reason: &'static str) -> Fault {
        Fault { line: self.line, column: self.column(at), reason, opened: None }
    }
}
