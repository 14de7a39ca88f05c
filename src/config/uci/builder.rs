//! Builds sections from commands: which of several settings of an option wins, and where it is placed.

use std::collections::HashMap;

use super::bytes::Bytes;
use super::package::{Item, OptionEntry, OptionValue, Package, Section};

/// The sections so far.
#[derive(Debug, Default)]
pub(super) struct PackageBuilder {
    sections: Vec<SectionBuilder>,
    by_name: HashMap<String, usize>,
    open: Option<usize>,
}

/// A section under construction. An option that is set again moves to the end and leaves a gap, so that each step is a
/// single look-up.
#[derive(Debug)]
struct SectionBuilder {
    kind: String,
    name: Option<String>,
    line: usize,
    options: Vec<Option<OptionEntry>>,
    by_name: HashMap<String, usize>,
}

/// Converts a name or a type; the parser has checked that it is ASCII.
fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl PackageBuilder {
    pub(super) fn has_open_section(&self) -> bool {
        self.open.is_some()
    }

    /// `config`: continues the section of this name if there is one.
    pub(super) fn open(&mut self, kind: &[u8], name: &[u8], line: usize) -> Result<(), &'static str> {
        let (kind, name) = (ascii(kind), ascii(name));
        if let Some(&at) = self.by_name.get(&name) {
            if self.sections.get(at).is_some_and(|section| section.kind != kind) {
                return Err("section of different type overwrites prior section with same name");
            }
            self.open = Some(at);
            return Ok(());
        }
        let at = self.sections.len();
        let name = (!name.is_empty()).then_some(name);
        if let Some(name) = &name {
            self.by_name.insert(name.clone(), at);
        }
        self.sections.push(SectionBuilder { kind, name, line, options: Vec::new(), by_name: HashMap::new() });
        self.open = Some(at);
        Ok(())
    }

    fn current(&mut self) -> Option<&mut SectionBuilder> {
        self.open.and_then(|at| self.sections.get_mut(at))
    }

    /// `option`: an empty or unchanged value has no effect.
    pub(super) fn set(&mut self, name: &[u8], bytes: Bytes, line: usize) {
        let Some(section) = self.current() else { return };
        let name = ascii(name);
        if bytes.is_empty() || section.get(&name).is_some_and(|old| old.text() == Some(&*bytes)) {
            return;
        }
        section.put(name, OptionValue::Text(Item { line, bytes }));
    }

    /// `list`: a single value of the same name becomes the first item.
    pub(super) fn add(&mut self, name: &[u8], bytes: Bytes, line: usize) {
        let Some(section) = self.current() else { return };
        let name = ascii(name);
        let item = Item { line, bytes };
        match section.get(&name).map(|entry| &mut entry.value) {
            Some(OptionValue::List(items)) => items.push(item),
            Some(OptionValue::Text(first)) => {
                let first = first.clone();
                section.put(name, OptionValue::List(vec![first, item]));
            }
            None => section.put(name, OptionValue::List(vec![item])),
        }
    }

    pub(super) fn finish(self) -> Package {
        let finish = |section: SectionBuilder| Section {
            kind: section.kind,
            name: section.name,
            line: section.line,
            options: section.options.into_iter().flatten().collect(),
        };
        Package { sections: self.sections.into_iter().map(finish).collect() }
    }
}

impl SectionBuilder {
    fn get(&mut self, name: &str) -> Option<&mut OptionEntry> {
        self.by_name.get(name).and_then(|&at| self.options.get_mut(at)).and_then(Option::as_mut)
    }

    fn put(&mut self, name: String, value: OptionValue) {
        let at = self.options.len();
        if let Some(gap) = self.by_name.insert(name.clone(), at).and_then(|old| self.options.get_mut(old)) {
            *gap = None;
        }
        self.options.push(Some(OptionEntry { name, value }));
    }
}
