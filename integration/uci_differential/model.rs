//! What a sequence of commands means to libuci.

use xmppd::config::uci::{Item, OptionEntry, OptionValue, Package, Section};

use super::writer::Piece;

/// A command of a UCI file.
#[derive(Debug, Clone)]
pub enum Command {
    /// `package NAME`, which has no effect.
    Package(String),
    /// `config KIND [NAME]`
    Config { kind: String, name: Option<String> },
    /// `option NAME VALUE`, or `list NAME VALUE`.
    Set { list: bool, name: String, value: Vec<u8> },
}

/// Executes the commands: the sections, or line and reason of the first error. The pieces have the lines of the commands.
pub fn run(commands: &[Command], pieces: &[Piece]) -> Result<Package, (usize, &'static str)> {
    let mut package = Package::default();
    let mut open = None;
    for (at, command) in commands.iter().enumerate() {
        let piece = pieces.iter().find(|piece| piece.command == Some(at)).expect("each command has a piece");
        let (line, last_line) = (piece.line, piece.last_line);
        match command {
            Command::Package(_) => {}
            Command::Config { kind, name } => {
                let known = package.sections.iter().position(|section| name.is_some() && section.name == *name);
                if known.is_some_and(|known| package.sections[known].kind != *kind) {
                    return Err((last_line, "section of different type overwrites prior section with same name"));
                }
                open = Some(known.unwrap_or(package.sections.len()));
                if known.is_none() {
                    let (kind, name) = (kind.clone(), name.clone());
                    package.sections.push(Section { kind, name, line, options: Vec::new() });
                }
            }
            Command::Set { list, name, value } => {
                let section = open.ok_or((last_line, "option/list command found before the first section"))?;
                let item = Item { line, bytes: value.clone().into() };
                set(&mut package.sections[section].options, *list, name, item);
            }
        }
    }
    Ok(package)
}

fn set(options: &mut Vec<OptionEntry>, list: bool, name: &str, item: Item) {
    let at = options.iter().position(|entry| entry.name == name);
    let before = at.map(|at| options[at].value.clone());
    let value = match (list, before) {
        // An empty value and an unchanged one have no effect.
        (false, _) if item.bytes.is_empty() => return,
        (false, Some(OptionValue::Text(old))) if old.bytes == item.bytes => return,
        (false, _) => OptionValue::Text(item),
        // A list keeps its position; an option that becomes a list moves to the end.
        (true, Some(OptionValue::List(_))) => {
            if let Some(OptionValue::List(items)) = at.map(|at| &mut options[at].value) {
                items.push(item);
            }
            return;
        }
        (true, Some(OptionValue::Text(first))) => OptionValue::List(vec![first, item]),
        (true, None) => OptionValue::List(vec![item]),
    };
    options.retain(|entry| entry.name != name);
    options.push(OptionEntry { name: name.to_owned(), value });
}
