//! Parses the commands of a UCI file.

use std::path::Path;

use super::builder::PackageBuilder;
use super::cursor::{Argument, Cursor, ParseError};
use super::package::Package;
use super::syntax_error::SyntaxError;

/// Parses the text of `file` in time linear in its length; the name is for errors only.
///
/// # Errors
/// The first place at which libuci would refuse the file.
pub fn parse(file: &Path, text: &[u8]) -> Result<Package, SyntaxError> {
    parse_commands(text).map_err(|ParseError { line, column, reason, opened }| SyntaxError {
        file: file.to_owned(),
        line,
        column,
        reason,
        opened,
    })
}

fn parse_commands(text: &[u8]) -> Result<Package, ParseError> {
    refuse_nul(text)?;
    let mut parser = Parser { cursor: Cursor::new(text), package: PackageBuilder::default() };
    while parser.cursor.next_line() {
        parser.cursor.skip_space();
        while parser.command()? {}
    }
    Ok(parser.package.finish())
}

fn refuse_nul(text: &[u8]) -> Result<(), ParseError> {
    let Some(at) = text.iter().position(|&byte| byte == 0) else {
        return Ok(());
    };
    let before = text.get(..at).unwrap_or_default();
    let lines = before.split(|&byte| byte == b'\n');
    let (line, last) = lines.enumerate().last().unwrap_or_default();
    let (line, column) = (line + 1, last.len() + 1);
    Err(ParseError { line, column, reason: "NUL byte in the file", opened: None })
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    package: PackageBuilder,
}

impl Parser<'_> {
    /// Parses one command; false if the line has no more.
    fn command(&mut self) -> Result<bool, ParseError> {
        let Some((word, start, ended)) = self.cursor.word() else {
            return Ok(false);
        };
        match word {
            [b'#', ..] => return Ok(false),
            b"package" | b"p" => self.package(ended)?,
            b"config" | b"c" => self.config(ended)?,
            b"option" | b"o" => self.option(false, start, ended)?,
            b"list" | b"l" => self.option(true, start, ended)?,
            _ => return Err(self.cursor.error(start, "invalid command")),
        }
        Ok(true)
    }

    /// `package NAME` has no effect: a file is one package, whatever its name.
    fn package(&mut self, ended: bool) -> Result<(), ParseError> {
        self.require(ended, "package without name")?;
        let name = self.required()?;
        self.check(&name, |byte| is_name(byte) || byte == b'-', "invalid character in name field")?;
        self.end_of_command()
    }

    fn config(&mut self, ended: bool) -> Result<(), ParseError> {
        let line = self.cursor.line();
        self.require(ended, "config without name")?;
        let kind = self.required()?;
        self.check(&kind, |byte| byte.is_ascii_graphic(), "invalid character in type field")?;
        let name = self.cursor.argument()?;
        self.check(&name, is_name, "invalid character in name field")?;
        self.end_of_command()?;
        self.package.open(&kind.bytes, &name.bytes, line).map_err(|reason| self.cursor.error(kind.start, reason))
    }

    fn option(&mut self, list: bool, start: usize, ended: bool) -> Result<(), ParseError> {
        let line = self.cursor.line();
        if !self.package.has_open_section() {
            return Err(self.cursor.error(start, "option/list command found before the first section"));
        }
        self.require(ended, "option without name")?;
        let name = self.required()?;
        self.check(&name, is_name, "invalid character in name field")?;
        let value = self.cursor.argument()?;
        self.end_of_command()?;
        if list {
            self.package.add(&name.bytes, value.bytes, line);
        } else {
            self.package.set(&name.bytes, value.bytes, line);
        }
        Ok(())
    }

    fn require(&self, condition: bool, reason: &'static str) -> Result<(), ParseError> {
        if condition { Ok(()) } else { Err(self.cursor.error(self.cursor.position(), reason)) }
    }

    /// Takes an argument that must not be empty.
    fn required(&mut self) -> Result<Argument, ParseError> {
        let argument = self.cursor.argument()?;
        if argument.bytes.is_empty() {
            return Err(self.cursor.error(argument.start, "insufficient arguments"));
        }
        Ok(argument)
    }

    fn check(&self, argument: &Argument, is_allowed: fn(u8) -> bool, reason: &'static str) -> Result<(), ParseError> {
        if argument.bytes.iter().all(|&byte| is_allowed(byte)) {
            return Ok(());
        }
        Err(self.cursor.error(argument.start, reason))
    }

    /// Refuses a further argument; `;` ends a command.
    fn end_of_command(&mut self) -> Result<(), ParseError> {
        let extra = self.cursor.argument()?;
        if extra.bytes.is_empty() {
            return Ok(());
        }
        Err(self.cursor.error(extra.start, "too many arguments"))
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
