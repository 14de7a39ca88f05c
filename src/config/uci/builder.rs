//! Commands to sections: which of several settings of one option wins, and where it then stands.

use std::collections::HashMap;

use super::{Bytes, Entry, Item, Package, Section, Value};

/// The sections so far.
#[derive(Debug, Default)]
pub(super) struct Builder {
    sections: Vec<Draft>,
    by_name: HashMap<String, usize>,
    open: Option<usize>,
}

/// A section while it grows. What is set anew moves to the end and leaves a gap, so that no step is more than a look-up.
#[derive(Debug)]
struct Draft {
    kind: String,
    name: Option<String>,
    line: usize,
    options: Vec<Option<Entry>>,
    by_name: HashMap<String, usize>,
}

/// Names and types are checked before: they are ASCII.
fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Builder {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// `config`: goes on in the section of that name if there is one.
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
        self.sections.push(Draft { kind, name, line, options: Vec::new(), by_name: HashMap::new() });
        self.open = Some(at);
        Ok(())
    }

    fn current(&mut self) -> Option<&mut Draft> {
        self.open.and_then(|at| self.sections.get_mut(at))
    }

    /// `option`: an empty value changes nothing, an equal one neither.
    pub(super) fn set(&mut self, name: &[u8], bytes: Bytes, line: usize) {
        let Some(draft) = self.current() else { return };
        let name = ascii(name);
        if bytes.is_empty() || draft.get(&name).is_some_and(|old| old.text() == Some(&*bytes)) {
            return;
        }
        draft.put(name, Value::Text(Item { line, bytes }));
    }

    /// `list`: an option of that name becomes the first item.
    pub(super) fn add(&mut self, name: &[u8], bytes: Bytes, line: usize) {
        let Some(draft) = self.current() else { return };
        let name = ascii(name);
        let item = Item { line, bytes };
        match draft.get(&name).map(|entry| &mut entry.value) {
            Some(Value::List(items)) => items.push(item),
            Some(Value::Text(first)) => {
                let first = first.clone();
                draft.put(name, Value::List(vec![first, item]));
            }
            None => draft.put(name, Value::List(vec![item])),
        }
    }

    pub(super) fn finish(self) -> Package {
        let finish = |draft: Draft| Section {
            kind: draft.kind,
            name: draft.name,
            line: draft.line,
            options: draft.options.into_iter().flatten().collect(),
        };
        Package { sections: self.sections.into_iter().map(finish).collect() }
    }
}

impl Draft {
    fn get(&mut self, name: &str) -> Option<&mut Entry> {
        self.by_name.get(name).and_then(|&at| self.options.get_mut(at)).and_then(Option::as_mut)
    }

    fn put(&mut self, name: String, value: Value) {
        let at = self.options.len();
        if let Some(gap) = self.by_name.insert(name.clone(), at).and_then(|old| self.options.get_mut(old)) {
            *gap = None;
        }
        self.options.push(Some(Entry { name, value }));
    }
}
