//! Lines to commands, commands to sections.

use super::Package;
use super::builder::Builder;
use super::cursor::{Argument, Cursor, Fault};

/// Reads the whole text. Its time is linear in the text's length.
pub(super) fn parse(text: &[u8]) -> Result<Package, Fault> {
    refuse_nul(text)?;
    let mut parser = Parser { cursor: Cursor::new(text), sections: Builder::default() };
    while parser.cursor.next_line() {
        parser.cursor.skip_space();
        while parser.command()? {}
    }
    Ok(parser.sections.finish())
}

fn refuse_nul(text: &[u8]) -> Result<(), Fault> {
    let Some(at) = text.iter().position(|&byte| byte == 0) else {
        return Ok(());
    };
    let before = text.get(..at).unwrap_or_default();
    let lines = before.split(|&byte| byte == b'\n');
    let (line, last) = lines.enumerate().last().unwrap_or_default();
    let (line, column) = (line + 1, last.len() + 1);
    Err(Fault { line, column, reason: "NUL byte in the file", opened: None })
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    sections: Builder,
}

impl Parser<'_> {
    /// Reads one command; false if the line has no more.
    fn command(&mut self) -> Result<bool, Fault> {
        let Some((word, start, ended)) = self.cursor.word() else {
            return Ok(false);
        };
        match word {
            [b'#', ..] => return Ok(false),
            b"package" | b"p" => self.package(ended)?,
            b"config" | b"c" => self.config(ended)?,
            b"option" | b"o" => self.option(false, start, ended)?,
            b"list" | b"l" => self.option(true, start, ended)?,
            _ => return Err(self.cursor.fault(start, "invalid command")),
        }
        Ok(true)
    }

    /// A file is one package, whatever it is called in it.
    fn package(&mut self, ended: bool) -> Result<(), Fault> {
        self.require(ended, "package without name")?;
        let name = self.required()?;
        self.check(&name, |byte| is_name(byte) || byte == b'-', "invalid character in name field")?;
        self.end_of_command()
    }

    fn config(&mut self, ended: bool) -> Result<(), Fault> {
        let line = self.cursor.line();
        self.require(ended, "config without name")?;
        let kind = self.required()?;
        self.check(&kind, |byte| byte.is_ascii_graphic(), "invalid character in type field")?;
        let name = self.cursor.argument()?;
        self.check(&name, is_name, "invalid character in name field")?;
        self.end_of_command()?;
        self.sections.open(&kind.bytes, &name.bytes, line).map_err(|reason| self.cursor.fault(kind.start, reason))
    }

    fn option(&mut self, list: bool, start: usize, ended: bool) -> Result<(), Fault> {
        let line = self.cursor.line();
        if !self.sections.is_open() {
            return Err(self.cursor.fault(start, "option/list command found before the first section"));
        }
        self.require(ended, "option without name")?;
        let name = self.required()?;
        self.check(&name, is_name, "invalid character in name field")?;
        let value = self.cursor.argument()?;
        self.end_of_command()?;
        if list {
            self.sections.add(&name.bytes, value.bytes, line);
        } else {
            self.sections.set(&name.bytes, value.bytes, line);
        }
        Ok(())
    }

    fn require(&self, condition: bool, reason: &'static str) -> Result<(), Fault> {
        if condition { Ok(()) } else { Err(self.cursor.fault(self.cursor.position(), reason)) }
    }

    fn required(&mut self) -> Result<Argument, Fault> {
        let argument = self.cursor.argument()?;
        self.check_present(&argument)?;
        Ok(argument)
    }

    fn check_present(&self, argument: &Argument) -> Result<(), Fault> {
        if argument.bytes.is_empty() {
            return Err(self.cursor.fault(argument.start, "insufficient arguments"));
        }
        Ok(())
    }

    fn check(&self, argument: &Argument, legal: fn(u8) -> bool, reason: &'static str) -> Result<(), Fault> {
        if argument.bytes.iter().all(|&byte| legal(byte)) {
            return Ok(());
        }
        Err(self.cursor.fault(argument.start, reason))
    }

    /// Nothing, or a `;`, is left of the command.
    fn end_of_command(&mut self) -> Result<(), Fault> {
        let extra = self.cursor.argument()?;
        if extra.bytes.is_empty() {
            return Ok(());
        }
        Err(self.cursor.fault(extra.start, "too many arguments"))
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
